//! Every form of a fault is the same fault, and what is wrong with one is said in one sentence.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Map, Value};

use super::{KINDS, Spec};

/// One of each kind, with every key that it has; and its form at ten times the speed.
const ALL: &[(&str, &str)] = &[
    (
        "latency base=40ms distribution=pareto jitter=10ms direction=up share=0.5",
        "latency base=4ms direction=up distribution=pareto jitter=1ms share=0.5",
    ),
    ("latency base=1 distribution=normal", "latency base=100ms distribution=normal"),
    ("bandwidth rate=64KiB", "bandwidth rate=65536"),
    ("bandwidth rate=64k", "bandwidth rate=65536"),
    ("bandwidth rate=64kB", "bandwidth rate=64000"),
    ("slices size=3 gap=10ms direction=down", "slices direction=down gap=1ms size=3"),
    ("black-hole", "black-hole"),
    ("black-hole after=10s lasts=5s direction=up", "black-hole after=1s direction=up lasts=500ms"),
    ("stall after=10s lasts=5s", "stall after=1s lasts=500ms"),
    ("suspend after=20s lasts=120s", "suspend after=2s lasts=12s"),
    ("half-open after=1s", "half-open after=100ms"),
    ("cut age=2h spread=0.1 how=silent", "cut age=720s how=silent spread=0.1"),
    ("cut bytes=10kB how=fin", "cut bytes=10000 how=fin"),
    ("cut frames=7", "cut frames=7 how=rst"),
    ("cut mid-frame=7 direction=down", "cut direction=down how=rst mid-frame=7"),
    ("cut mid-message=2", "cut how=rst mid-message=2"),
    (
        "cut age=1m how=close code=4000 reason=\"going down\"",
        "cut age=6s code=4000 how=close reason=\"going down\"",
    ),
    ("cut age=1m how=close", "cut age=6s code=1011 how=close"),
    ("idle-cut after=60s", "idle-cut after=6s how=fin"),
    ("idle-cut after=60s counts=data how=rst", "idle-cut after=6s counts=data how=rst"),
    ("idle-cut after=60s counts=up", "idle-cut after=6s counts=up how=fin"),
    ("idle-cut after=60s counts=down", "idle-cut after=6s counts=down how=fin"),
    ("silent-drop after=350s", "silent-drop after=35s"),
    ("silent-drop age=350s", "silent-drop age=35s"),
    ("flapping up=20s down=1.5s", "flapping down=150ms up=2s"),
    ("slow-close delay=10s", "slow-close delay=1s"),
    ("refuse", "refuse"),
    ("refuse lasts=10s", "refuse lasts=1s"),
    ("accept-delay delay=10s", "accept-delay delay=1s"),
    ("close-frame after=10s code=1006 reason=x", "close-frame after=1s code=1006 reason=x"),
    ("drop-pings", "drop-pings"),
    ("drop-pongs direction=up", "drop-pongs direction=up"),
    ("header name=Upgrade remove=true", "header name=Upgrade remove=true"),
    ("header name=X-Y set=\"1 2\" on=response", "header name=X-Y on=response set=\"1 2\""),
    ("header name=X-Y set=true", "header name=X-Y set=\"true\""),
    ("compression mode=strip", "compression mode=strip"),
    ("compression mode=corrupt", "compression mode=corrupt"),
    ("status status=503", "status status=503"),
    (
        "status status=429 body=\"slow down\" headers={\"Retry-After\":\"5\"}",
        "status body=\"slow down\" headers={\"Retry-After\":\"5\"} status=429",
    ),
    ("reload every=10m grace=240s", "reload every=60s grace=24s how=fin"),
    ("reload at=10s how=close", "reload at=1s code=1001 how=close"),
    ("restart every=10m down=20s", "restart down=2s every=60s how=rst"),
];

#[test]
fn every_kind_is_written_read_and_scaled() {
    let mut kinds: Vec<&str> = Vec::new();
    for (text, faster) in ALL.iter().filter(|(text, _)| *text != "header name=X-Y set=true") {
        let spec: Spec = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        kinds.push(spec.kind());
        assert_eq!(spec.to_string().parse(), Ok(spec.clone()), "{text}");
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), spec, "{json}");
        let table = toml::to_string(&Map::from(spec.clone())).unwrap();
        assert_eq!(toml::from_str::<Spec>(&table).unwrap(), spec, "{table}");
        assert_eq!(spec.faster(10.0).to_string(), *faster);
        assert_eq!(spec.faster(1.0), spec);
    }
    for (kind, _) in KINDS {
        assert!(kinds.contains(kind), "{kind} is not tested");
    }
    // The text `true` is not the truth value.
    let spec: Spec = "header name=X-Y set=\"true\"".parse().unwrap();
    assert_eq!(spec.to_string().parse(), Ok(spec));
}

#[test]
fn numbers_are_seconds_in_toml_too() {
    let spec: Spec = toml::from_str("kind = \"cut\"\nage = 1.5").unwrap();
    assert_eq!(spec.to_string(), "cut age=1500ms how=rst");
}

#[test]
fn what_is_wrong_is_said_in_one_sentence() {
    for (text, expected) in [
        ("", "a fault is written as a kind and its keys, such as `idle-cut after=5s how=rst`"),
        ("after=5s", "`after=5s`: the kind comes first, such as `cut after=5s`"),
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
        ("idle-cut after", "`after`: write key=value, such as `after=5s`"),
        (
            "idle-cut after=5s how=rsst",
            "`how` of `idle-cut`: `rsst` is none of rst, fin, silent, close; did you mean `rst`?",
        ),
        ("idle-cut after=5s code=1000", "`code` of `idle-cut`: goes with `how = \"close\"` only"),
        ("idle-cut after=5s direction=left", "`direction` of `idle-cut`: `left` is none of both, up, down"),
        ("idle-cut after=5s share=2", "`share` of `idle-cut`: goes from 0 to 1"),
        ("cut", "`cut` needs one of `age`, `bytes`, `frames`, `mid-frame`, `mid-message`"),
        ("cut ag=5", "`cut` has no key `ag`; did you mean `age`?"),
        (
            "cut age=5 bytes=6",
            "`bytes` of `cut`: only one of `age`, `bytes`, `frames`, `mid-frame`, `mid-message` may be given",
        ),
        ("cut frames=0", "`frames` of `cut`: is at least 1"),
        ("cut frames=x", "`frames` of `cut`: is a whole number"),
        ("cut bytes=5 spread=0.5", "`spread` of `cut`: goes with `age` only"),
        (
            "cut mid-frame=5 how=close",
            "`how` of `cut`: no Close frame can be sent there; write rst, fin or silent",
        ),
        (
            "bandwidth rate=fast",
            "`rate` of `bandwidth`: `fast` is not a size; write a number of bytes, or a unit as in 64KiB or 1.5MiB",
        ),
        ("close-frame after=1 code=70000", "`code` of `close-frame`: goes from 0 to 65535"),
        ("header name=X", "`set` of `header`: write either `set = \"…\"` or `remove = true`"),
        ("header name=\"X Y\" remove=true", "`name` of `header`: is not the name of a header field"),
        ("header name=X set=\"a\\r\\nb\"", "`set` of `header`: a header field is one line"),
        ("status status=101", "`status` of `status`: goes from 200 to 599"),
        ("reload every=0", "`every` of `reload`: is longer than 0"),
        ("compression", "`compression` needs `mode`"),
        ("cut age=\"5s", "`cut age=\"5s`: a quote or a brace is not closed"),
        ("status status=503 headers=[1]", "`headers` of `status`: is a table of names and values"),
    ] {
        assert_eq!(text.parse::<Spec>().expect_err(text).to_string(), expected);
    }
    let long = format!("close-frame after=1 code=1000 reason={}", "x".repeat(124));
    assert_eq!(
        long.parse::<Spec>().expect_err("too long").to_string(),
        "`reason` of `close-frame`: has at most 123 bytes"
    );
    let none: Value = serde_json::json!({ "after": 5 });
    assert!(
        serde_json::from_value::<Spec>(none).expect_err("no kind").to_string().contains("needs a `kind`")
    );
}
