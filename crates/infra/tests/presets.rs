//! The presets, as a fault injector gets them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use undrop_infra::{preset, presets};

/// Users write these names; one that disappears breaks their files.
const NAMES: [&str; 19] = [
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
];

#[test]
fn every_promised_preset_exists() {
    for name in NAMES {
        assert_eq!(preset(name).unwrap().name, name);
    }
}

#[test]
fn names_are_unique_and_presets_are_complete() {
    let mut seen = BTreeSet::new();
    for preset in presets() {
        let name = &preset.name;
        assert!(seen.insert(name), "two presets are called {name}");
        assert!(!preset.sources.is_empty(), "{name} has no source");
        assert!(!preset.faults.is_empty(), "{name} does nothing");
        assert!(preset.about.ends_with('.') && !preset.title.is_empty(), "{name}: {}", preset.about);
        for fault in &preset.faults {
            assert!(fault.get("kind").is_some_and(toml::Value::is_str), "{name}: {fault:?}");
        }
    }
}

#[test]
fn a_wrong_name_gets_a_suggestion() {
    assert_eq!(
        preset("cloudfare").unwrap_err().to_string(),
        "no preset is called `cloudfare`; did you mean `cloudflare`?"
    );
}
