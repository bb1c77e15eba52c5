//! Presets: the faults of real products, by name.

use undrop_infra::Preset;

use crate::Error;
use crate::spec::Spec;

/// The faults of a preset, in real time.
///
/// # Errors
/// No preset has the name (the error says which is closest); or its faults are none of ours, which a test excludes.
pub fn faults(name: &str) -> Result<Vec<Spec>, Error> {
    let preset = undrop_infra::preset(name).map_err(|error| Error::Preset(error.to_string()))?;
    specs(preset)
}

/// Every preset that there is.
pub fn all() -> impl Iterator<Item = &'static Preset> {
    undrop_infra::presets()
}

fn specs(preset: &Preset) -> Result<Vec<Spec>, Error> {
    let specs = preset.faults.iter().map(|table| {
        let table = serde_json::to_value(table).map_err(|error| Error::Preset(error.to_string()))?;
        let serde_json::Value::Object(table) = table else {
            return Err(Error::Preset(format!("{}: a fault is a table", preset.name)));
        };
        Spec::try_from(table).map_err(Error::Fault)
    });
    specs.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    #[test]
    fn every_preset_is_made_of_faults() {
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
