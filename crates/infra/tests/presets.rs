//! Checks the fault presets that the knowledge base defines.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use undrop_infra::{Bound, preset, presets};

/// The names of all presets. Users write them in their files, so none may disappear.
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
fn every_documented_preset_exists() {
    for name in NAMES {
        assert_eq!(preset(name).unwrap().name, name);
    }
}

#[test]
fn names_are_unique_and_presets_are_complete() {
    let mut seen = BTreeSet::new();
    for preset in presets() {
        let name = &preset.name;
        assert!(seen.insert(name), "two presets have the name {name}");
        assert!(!preset.sources.is_empty(), "{name} has no source");
        assert!(!preset.faults.is_empty(), "{name} has no fault");
        assert!(preset.about.ends_with('.') && !preset.title.is_empty(), "{name}: {}", preset.about);
        for fault in &preset.faults {
            assert!(fault.get("kind").is_some_and(toml::Value::is_str), "{name}: {fault:?}");
        }
    }
}

#[test]
fn a_mistyped_name_produces_a_suggestion() {
    assert_eq!(
        preset("cloudfare").unwrap_err().to_string(),
        "no preset is called `cloudfare`; did you mean `cloudflare`?"
    );
}

/// The presets whose values are chosen for testing, which their descriptions state.
const CHOSEN: [&str; 4] = ["cloudflare-deploy", "train-tunnel", "flaky-wifi", "ios-suspend"];

#[test]
fn the_values_of_a_preset_are_those_of_a_timer_of_its_entry() {
    for entry in undrop_infra::all() {
        let mut known: Vec<Duration> = Vec::new();
        for timer in &entry.timers {
            known.extend(timer.values().map(|(value, _)| value));
            known.extend(timer.min.and_then(Bound::at));
        }
        for preset in entry.presets.iter().filter(|preset| !CHOSEN.contains(&preset.name.as_str())) {
            let mut checked = 0;
            for fault in &preset.faults {
                let key = match fault["kind"].as_str().unwrap() {
                    "idle-cut" | "silent-drop" => "after",
                    "cut" => "age",
                    "reload" => "grace",
                    _ => continue,
                };
                let figure = span(fault[key].as_str().unwrap());
                assert!(
                    known.contains(&figure),
                    "{}: no timer of {} has the value {figure:?}",
                    preset.name,
                    entry.id
                );
                checked += 1;
            }
            assert!(checked > 0, "{} has no value to compare", preset.name);
        }
    }
}

#[test]
fn a_preset_with_chosen_values_states_it() {
    for name in CHOSEN {
        let about = &preset(name).unwrap().about;
        assert!(about.contains("for testing"), "{name}: {about}");
    }
}

/// Parses a duration in the notation of the presets.
fn span(text: &str) -> Duration {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap();
    let number: u64 = text[..digits].parse().unwrap();
    Duration::from_secs(match &text[digits..] {
        "s" => number,
        "m" => number * 60,
        "h" => number * 3600,
        unit => panic!("{unit}"),
    })
}
