//! Whole scenario files: what becomes of them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::path::Path;
use std::time::Duration;

use undrop_scenario::{ArrivalPattern, Dialect, Inputs, Scenario};

use support::{load, parse};

fn file(name: &str) -> Scenario {
    let path = Path::new("tests/scenarios").join(name);
    load(&path, &Inputs::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn notices(scenario: &Scenario) -> Vec<String> {
    scenario.notices.iter().map(|n| format!("{}: {}", n.line, n.message)).collect()
}

fn phases(scenario: &Scenario) -> Vec<String> {
    scenario.phases.iter().map(ToString::to_string).collect()
}

fn conditions(scenario: &Scenario) -> Vec<(u32, &str, bool)> {
    scenario.ensure.iter().map(|c| (c.line, c.expression.as_str(), c.strict)).collect()
}

#[test]
fn our_own_format() {
    let scenario = file("own.yml");
    assert_eq!(scenario.dialect, Dialect::Native);
    assert_eq!(notices(&scenario), [] as [&str; 0]);
    assert_eq!(scenario.targets.fixed, ["wss://chat.example.com/ws?v=2", "wss://chat.example.com/quiet"]);
    assert!(!scenario.targets.computed);
    assert_eq!(scenario.connection.compress, Some(true));
    assert_eq!(scenario.connection.handshake_timeout, Some(Duration::from_secs(5)));
    assert_eq!(
        phases(&scenario),
        [
            "warm up: 1 to 10 users/s for 30 s",
            "pause of 5 s",
            "steady: 10 users/s for 2 min, at most 500 at once",
            "crowd: 50 users at once",
        ]
    );
    assert_eq!(scenario.duration(), Duration::from_secs(155));
    let flows: Vec<_> = scenario.flows.iter().map(|f| (f.name.as_str(), f.weight)).collect();
    assert_eq!(flows, [("talker", 3), ("idler", 1)]);
    assert_eq!(conditions(&scenario), [(51, "p99<50ms", true), (52, "survival>=99.9%", true)]);
}

#[test]
fn the_format_of_artillery() {
    let scenario = file("artillery.yml");
    assert_eq!(scenario.dialect, Dialect::Artillery);
    assert_eq!(scenario.targets.fixed, ["wss://echo.example.com"]);
    assert!(scenario.targets.computed);
    assert_eq!(scenario.connection.proxy.as_deref(), Some("http://proxy.example.com:3128"));
    assert!(scenario.connection.insecure);
    assert_eq!(
        phases(&scenario),
        ["Warm up: 5 to 50 users/s for 60 s", "pause of 1.5 s", "300 users over 5 min, at most 100 at once"]
    );
    assert_eq!(
        conditions(&scenario),
        [(31, "failed<1", true), (33, "sent>10", false), (33, "p95<250ms", false), (35, "errors<=1%", true),]
    );
    assert_eq!(
        notices(&scenario),
        [
            "51: `match` without `value` checks nothing in Artillery; here something must be found",
            "52: `think: 0.1` is 100 ms here, as numbers are seconds; Artillery would wait 0.1 ms, since it takes \
             fractions as milliseconds",
        ]
    );
}

#[test]
fn the_form_that_guides_show() {
    let scenario = file("guide.yml");
    assert_eq!(scenario.dialect, Dialect::Guide);
    assert_eq!(
        notices(&scenario),
        [
            "11: a step is a key in Artillery; `- connect` is read as `- connect:`",
            "13: `expect` is not a step of Artillery's ws engine (it would stop with `invalid_step`); read as: wait for \
             this message",
            "14: `think: 0.5` is 500 ms here, as numbers are seconds; Artillery would wait 0.5 ms, since it takes \
             fractions as milliseconds",
        ]
    );
    assert!(matches!(scenario.phases[0].load, ArrivalPattern::Rate { from: 10.0, to: 10.0, .. }));
}

#[test]
fn a_guide_that_leaves_out_half_of_it() {
    let scenario = file("guide-bare.yml");
    assert_eq!(scenario.dialect, Dialect::Guide);
    assert_eq!(
        notices(&scenario),
        [
            "2: `target` belongs in `config`, and is read as if it were there",
            "4: `phases` must be a list; it is read as a list of one element",
            "7: Artillery rejects a file without `scenarios`; `flow` is read as the only scenario, with `engine: ws`",
            "9: `connect.url` is not supported by Artillery; it is read as `target`",
            "9: `https://example.com/live` is read as `wss://example.com/live`",
            "11: `send` and `expect` in one step; read as separate steps, in this order",
            "11: `expect` is not a step of Artillery's ws engine (it would stop with `invalid_step`); read as: wait for \
             this message",
            "12: a step is a key in Artillery; `- close` is read as `- close:`",
        ]
    );
    assert_eq!(scenario.targets.fixed, ["wss://example.com/live"]);
}

#[test]
fn a_url_on_the_command_line_replaces_the_target() {
    let inputs = Inputs { target: Some("ws://127.0.0.1:9/x".to_owned()), ..Inputs::default() };
    let scenario = load("tests/scenarios/own.yml".as_ref(), &inputs).unwrap();
    assert_eq!(scenario.targets.fixed, ["ws://127.0.0.1:9/x", "ws://127.0.0.1:9/quiet"]);
    let none = parse("steps: [think: 1]", "x.yml".as_ref(), &Inputs::default()).unwrap_err();
    assert_eq!(
        none.to_string(),
        "x.yml:1:1: the target is missing; write `target: wss://example.com/ws`, or name the URL on the \
         command line"
    );
    assert!(parse("steps: [think: 1]", "x.yml".as_ref(), &inputs).is_ok());
}

#[test]
fn the_environment_is_an_input() {
    let mut inputs = Inputs::default();
    let text = "target: 'ws://{{ $env.HOST }}/x'\nphases: [{ rate: '{{ $env.RATE }}', duration: 2 }]\nsteps: [connect]";
    let error = parse(text, "x.yml".as_ref(), &inputs).unwrap_err();
    assert_eq!(error.to_string(), "x.yml:2:18: the environment variable `RATE` is not set");
    inputs.environment.insert("HOST".to_owned(), "[::1]:80".to_owned());
    inputs.environment.insert("RATE".to_owned(), "7".to_owned());
    let scenario = parse(text, "x.yml".as_ref(), &inputs).unwrap();
    assert_eq!(scenario.targets.fixed, ["ws://[::1]:80/x"]);
    assert_eq!(phases(&scenario), ["7 users/s for 2 s"]);
}
