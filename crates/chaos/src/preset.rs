//! Presets: the faults of real products, by name.

use undrop_infra::Preset;

use crate::error::Error;
use crate::spec::FaultSpec;
use crate::spec_error::FaultSpecError;

/// Returns the faults of a preset, with their durations in real time.
///
/// # Errors
/// No preset has the name; the error suggests the closest one. (The faults of every preset are valid, which a test
/// ensures.)
pub fn faults(name: &str) -> Result<Vec<FaultSpec>, Error> {
    specs(undrop_infra::preset(name)?)
}

/// Returns the presets of all products.
pub fn all() -> impl Iterator<Item = &'static Preset> {
    undrop_infra::presets()
}

fn specs(preset: &Preset) -> Result<Vec<FaultSpec>, Error> {
    let specs = preset.faults.iter().map(|table| serde_json::from_value(serde_json::to_value(table)?));
    let specs: Result<Vec<FaultSpec>, serde_json::Error> = specs.collect();
    specs.map_err(|error| FaultSpecError::new(format!("preset `{}`: {error}", preset.name)).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    #[test]
    fn every_preset_consists_of_valid_faults() {
        let mut names = Vec::new();
        for preset in all() {
            let specs = faults(&preset.name).unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            assert!(!specs.is_empty(), "{} does nothing", preset.name);
            assert!(!preset.sources.is_empty(), "{} has no source", preset.name);
            names.push(preset.name.as_str());
        }
        for wanted in [
            "alb",
            "nlb",
            "azure-lb",
            "azure-app-service",
            "cloudflare",
            "cloudflare-deploy",
            "heroku",
            "nginx",
            "nginx-reload",
            "haproxy",
            "envoy-15s",
            "gcp-lb",
            "api-gateway",
            "corporate-proxy",
            "home-nat",
            "mobile",
            "ios-suspend",
            "train-tunnel",
            "flaky-wifi",
        ] {
            assert!(names.contains(&wanted), "{wanted} is missing");
        }
    }

    #[test]
    fn an_unknown_preset_gets_a_suggestion() {
        let error = faults("ngnix").expect_err("no such preset").to_string();
        assert!(error.contains("ngnix") && error.contains("nginx"), "{error}");
    }
}
