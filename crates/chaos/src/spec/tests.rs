//! Every form of a fault is the same fault, and every invalid form is reported with its key.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::FaultSpec;
use crate::kind::fault_kinds;

/// Faults in a form that is not the canonical one.
const OTHER_FORMS: &[(&str, &str)] = &[
    ("latency base=1", "latency base=1s"),
    ("latency: base=1s jitter=0 distribution=uniform share=1 direction=both", "latency base=1s"),
    ("bandwidth rate=64KiB", "bandwidth rate=65536"),
    ("bandwidth rate=64k", "bandwidth rate=65536"),
    ("bandwidth rate=64kB", "bandwidth rate=64000"),
    ("black-hole after=0", "black-hole"),
    ("cut age=2h", "cut age=7200s how=rst"),
    ("cut age=1m how=close", "cut age=60s code=1011 how=close"),
    ("idle-cut after=60s", "idle-cut after=60s how=fin"),
    ("reload every=10m", "reload every=600s how=fin"),
    ("restart at=1s how=close", "restart at=1s code=1001 how=close"),
    ("header name=X-Y set=1.5", "header name=X-Y set=\"1.5\""),
    ("header name=X-Y set=\"true\"", "header name=X-Y set=\"true\""),
    ("header name=X-Y on=request remove=true", "header name=X-Y remove=true"),
];

#[test]
fn the_examples_of_every_kind_are_parsed_and_written_without_loss() {
    for (declaration, parameters) in fault_kinds() {
        let kind = declaration.kind;
        let mut used = BTreeSet::new();
        assert!(!declaration.examples.is_empty(), "{kind} has no example");
        for example in declaration.examples {
            let spec: FaultSpec = example.parse().unwrap_or_else(|error| panic!("{example}: {error}"));
            assert_eq!(spec.kind(), kind);
            assert_eq!(spec.to_string(), *example);
            let json = serde_json::to_value(&spec).unwrap();
            let parsed: FaultSpec = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(parsed, spec, "{json}");
            assert_eq!(serde_json::to_value(&parsed).unwrap(), json);
            let toml = toml::to_string(&Map::from(spec.clone())).unwrap();
            assert_eq!(toml::from_str::<FaultSpec>(&toml).unwrap(), spec, "{toml}");
            assert_eq!(spec.faster(1.0), spec);
            used.extend(json.as_object().unwrap().keys().cloned());
        }
        for parameter in parameters {
            assert!(used.contains(parameter.key), "no example of {kind} uses {}", parameter.key);
        }
    }
}

#[test]
fn kinds_have_distinct_names_and_a_documentation() {
    let mut names = BTreeSet::new();
    for (declaration, _) in fault_kinds() {
        assert!(names.insert(declaration.kind), "{} is declared twice", declaration.kind);
        assert!(declaration.summary.ends_with('.') && declaration.description.ends_with('.'));
    }
    assert_eq!(names.len(), 22);
}

#[test]
fn other_forms_are_the_same_faults() {
    for (text, canonical) in OTHER_FORMS {
        let spec: FaultSpec = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(spec.to_string(), *canonical, "{text}");
        assert_eq!(canonical.parse(), Ok(spec));
    }
}

#[test]
fn the_speed_divides_every_duration_and_nothing_else() {
    for (text, faster) in [
        ("latency base=40ms jitter=10ms share=0.5", "latency base=4ms jitter=1ms share=0.5"),
        ("bandwidth rate=64KiB", "bandwidth rate=65536"),
        ("slices size=3 gap=10ms", "slices gap=1ms size=3"),
        ("black-hole after=10s lasts=5s", "black-hole after=1s lasts=500ms"),
        ("stall after=10s lasts=5s", "stall after=1s lasts=500ms"),
        ("suspend after=20s lasts=120s", "suspend after=2s lasts=12s"),
        ("half-open after=1s", "half-open after=100ms"),
        ("cut age=2h spread=0.1 how=silent", "cut age=720s how=silent spread=0.1"),
        ("cut bytes=10kB how=fin", "cut bytes=10000 how=fin"),
        ("cut mid-frame=7", "cut how=rst mid-frame=7"),
        ("idle-cut after=60s counts=data how=rst", "idle-cut after=6s counts=data how=rst"),
        ("silent-drop after=350s", "silent-drop after=35s"),
        ("silent-drop age=350s", "silent-drop age=35s"),
        ("flapping up=20s down=1.5s", "flapping down=150ms up=2s"),
        ("slow-close delay=10s", "slow-close delay=1s"),
        ("refuse lasts=10s", "refuse lasts=1s"),
        ("accept-delay delay=10s", "accept-delay delay=1s"),
        ("close-frame after=10s code=1006", "close-frame after=1s code=1006"),
        ("reload every=10m grace=240s", "reload every=60s grace=24s how=fin"),
        ("reload at=10s how=close", "reload at=1s code=1001 how=close"),
        ("restart every=10m down=20s", "restart down=2s every=60s how=rst"),
    ] {
        assert_eq!(text.parse::<FaultSpec>().unwrap().faster(10.0).to_string(), faster);
    }
}

#[test]
fn numbers_are_seconds_in_toml_too() {
    let spec: FaultSpec = toml::from_str("kind = \"cut\"\nage = 1.5").unwrap();
    assert_eq!(spec.to_string(), "cut age=1500ms how=rst");
}

#[test]
fn an_invalid_fault_is_reported_with_its_key_and_a_suggestion() {
    for (text, expected) in [
        ("", "a fault is written as a kind and its keys, such as `idle-cut after=5s how=rst`"),
        ("after=5s", "`after=5s`: the kind must come first, such as `cut after=5s`"),
        ("idel-cut after=5s", "unknown fault `idel-cut`; did you mean `idle-cut`?"),
        ("blub", "unknown fault `blub`"),
        ("idle-cut", "`idle-cut` needs `after`"),
        ("idle-cut aftr=5s", "`idle-cut` has no key `aftr`; did you mean `after`?"),
        ("idle-cut after=5s hwo=rst", "`idle-cut` has no key `hwo`; did you mean `how`?"),
        (
            "idle-cut after=soon",
            "`after` of `idle-cut`: `soon` is not a duration; write a number and a unit, such as 100ms, 1.5s or 2m",
        ),
        ("idle-cut after=5s after=6s", "`after` is given twice"),
        ("idle-cut after", "`after` is not a parameter; write key=value, such as `after=5s`"),
        (
            "idle-cut after=5s how=rsst",
            "`how` of `idle-cut`: `rsst` is not one of rst, fin, silent, close; did you mean `rst`?",
        ),
        ("idle-cut after=5s code=1000", "`code` of `idle-cut`: requires `how = \"close\"`"),
        ("idle-cut after=5s reason=x", "`reason` of `idle-cut`: requires `how = \"close\"`"),
        (
            "idle-cut after=5s direction=left",
            "`direction` of `idle-cut`: `left` is not one of both, up, down",
        ),
        ("idle-cut after=5s share=2", "`share` of `idle-cut`: must be between 0 and 1"),
        ("cut", "`cut` needs one of `age`, `bytes`, `frames`, `mid-frame`, `mid-message`"),
        ("cut ag=5", "`cut` has no key `ag`; did you mean `age`?"),
        (
            "cut age=5 bytes=6",
            "`bytes` of `cut`: only one of `age`, `bytes`, `frames`, `mid-frame`, `mid-message` may be given",
        ),
        ("cut frames=0", "`frames` of `cut`: must be at least 1"),
        ("cut frames=x", "`frames` of `cut`: must be a whole number"),
        ("cut bytes=5 spread=0.5", "`spread` of `cut`: requires `age`"),
        (
            "cut mid-frame=5 how=close",
            "`how` of `cut`: a Close frame cannot be sent there; use rst, fin or silent",
        ),
        (
            "bandwidth rate=fast",
            "`rate` of `bandwidth`: `fast` is not a size; write a number of bytes, or a unit as in 64KiB or 1.5MiB",
        ),
        ("close-frame after=1 code=70000", "`code` of `close-frame`: must be between 0 and 65535"),
        ("header name=X", "`set` of `header`: write either `set = \"…\"` or `remove = true`"),
        (
            "header name=X set=1 remove=true",
            "`set` of `header`: write either `set = \"…\"` or `remove = true`",
        ),
        ("header name=\"X Y\" remove=true", "`name` of `header`: is not the name of a header field"),
        ("header name=X set=\"a\\r\\nb\"", "`set` of `header`: must be one line without control characters"),
        ("status status=101", "`status` of `status`: must be between 200 and 599"),
        ("reload every=0", "`every` of `reload`: must be longer than 0"),
        ("compression", "`compression` needs `mode`"),
        ("cut age=\"5s", "`cut age=\"5s` has a quote or a brace that is not closed"),
        ("status status=503 headers=[1]", "`headers` of `status`: must be a table of names and values"),
        ("flapping down=1s", "`flapping` needs `up`"),
    ] {
        assert_eq!(text.parse::<FaultSpec>().expect_err(text).to_string(), expected);
    }
    let long = format!("close-frame after=1 code=1000 reason={}", "x".repeat(124));
    assert_eq!(
        long.parse::<FaultSpec>().expect_err("too long").to_string(),
        "`reason` of `close-frame`: must have at most 123 bytes"
    );
    let no_kind: Value = serde_json::json!({ "after": 5 });
    let error = serde_json::from_value::<FaultSpec>(no_kind).expect_err("no kind").to_string();
    assert!(error.contains("needs a `kind`"), "{error}");
}
