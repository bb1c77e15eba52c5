//! Whatever is in a file, it is read or refused; and what can be read can be run.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use undrop_frame::{CloseCode, Ending, Message};
use undrop_scenario::{Inputs, Scenario, UserAction, UserRun};

use support::parse;

/// Words that mean something in one of the formats, and things that do not fit.
const WORDS: &[&str] = &[
    "target",
    "ws://h/",
    "phases",
    "flows",
    "steps",
    "config",
    "scenarios",
    "flow",
    "engine",
    "ws",
    "connect",
    "send",
    "expect",
    "think",
    "loop",
    "capture",
    "log",
    "close",
    "set",
    "json",
    "text",
    "contains",
    "regex",
    "within",
    "times",
    "for",
    "over",
    "forever",
    "steps",
    "count",
    "rate",
    "ramp-to",
    "duration",
    "pause",
    "max",
    "arrivalRate",
    "rampTo",
    "arrivalCount",
    "maxVusers",
    "match",
    "payload",
    "value",
    "as",
    "$.a",
    "$..b",
    "$",
    "{{ a }}",
    "{{",
    "}}",
    "{{ $uuid }}",
    "{{ $randomString(3) }}",
    "{{ $loopCount }}",
    "variables",
    "a",
    "weight",
    "name",
    "0",
    "1",
    "-1",
    "1e99",
    "0.1",
    "10ms",
    "true",
    "null",
    "~",
    "ensure",
    "p99 < 5ms",
    "thresholds",
    "jitter",
    "20%",
    "1-3",
    "headers",
    "protocols",
    "tls",
    "wait",
];

/// A value as YAML in flow style, which nests without indentation.
fn value() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => prop::sample::select(WORDS).prop_map(|word| format!("'{word}'")),
        1 => prop::sample::select(WORDS).prop_map(str::to_owned),
        1 => "[ -~]{0,12}".prop_map(|text| format!("'{}'", text.replace('\'', ""))),
        1 => any::<i32>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_map(|number| number.to_string()),
    ];
    word.prop_recursive(6, 64, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((prop::sample::select(WORDS), inner), 0..5).prop_map(|entries| {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("'{key}': {value}")).collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    })
}

/// Steps that are mostly right, for running.
fn steps() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("connect".to_owned()),
        Just("close".to_owned()),
        Just("{send: hi}".to_owned()),
        Just("{send: '{{ a }}{{ a }}'}".to_owned()),
        Just("{send: {json: {a: '{{ $loopCount }}'}}}".to_owned()),
        Just("{expect: hi}".to_owned()),
        Just("{expect: {contains: h, capture: {a: message}}}".to_owned()),
        Just("{expect: {json: {a: 1}, within: 0.01, next: true}}".to_owned()),
        Just("{capture: {a: $..a}}".to_owned()),
        Just("{expect-close: 1000}".to_owned()),
        Just("{think: {time: 1ms, jitter: 50%}}".to_owned()),
        Just("{set: {a: [1, '{{ a }}']}}".to_owned()),
        Just("{log: '{{ a }}'}".to_owned()),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let rounds = prop::sample::select(vec![
            "times: 3",
            "times: '{{ a }}'",
            "over: a",
            "over: [1, x]",
            "for: 5ms",
            "forever: true",
        ]);
        (rounds, prop::collection::vec(inner, 1..4))
            .prop_map(|(rounds, steps)| format!("{{loop: {{{rounds}, steps: [{}]}}}}", steps.join(", ")))
    })
}

fn read(text: &str) -> Option<Scenario> {
    match parse(text, "x.yml".as_ref(), &Inputs::default()) {
        Ok(scenario) => Some(scenario),
        Err(error) => {
            assert!(!error.message.is_empty());
            None
        }
    }
}

/// Drives a user against a peer that echoes, for so many steps; returns what it did.
fn drive(scenario: &Arc<Scenario>, seed: u64, whims: &[u8]) -> Vec<UserAction> {
    let mut rng = scenario.rng(seed, 0);
    let mut run = UserRun::new(scenario, 0, 0, &mut rng);
    let mut now = Instant::now();
    let mut done = Vec::new();
    for index in 0..300 {
        let step = run.next(now, &mut rng);
        done.push(step.clone());
        let whim = whims.get(index % whims.len().max(1)).copied().unwrap_or_default();
        match step {
            UserAction::Connect(_) if whim % 16 == 1 => run.refused(now, "HTTP 403"),
            UserAction::Connect(_) => run.connected(now),
            UserAction::Send(message) if whim % 4 != 2 => {
                run.received(now, &message);
                let _ = run.take_reply();
            }
            UserAction::Send(_) => {
                run.received(now, &Message::Binary(vec![whim; 3]));
            }
            UserAction::Think(until) | UserAction::Expect(until) => match whim % 8 {
                3 => run.closed(now, &Ending::Reset),
                4 => run.closed(now, &Ending::Close { code: CloseCode::NORMAL, reason: String::new() }),
                _ => now = until,
            },
            UserAction::Close(..) => {
                run.closed(now, &Ending::Close { code: CloseCode::NORMAL, reason: String::new() })
            }
            UserAction::Log(_) => now += Duration::from_millis(1),
            UserAction::Waiting => run.closed(now, &Ending::Fin),
            UserAction::Done | UserAction::Failed(_) => {
                assert_eq!(run.next(now, &mut rng), done[index], "the end stays the end");
                break;
            }
        }
    }
    done
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "(\\PC|\n|  |: |- |\\{\\{|&a|\\*a){0,200}") {
        read(&text);
    }

    #[test]
    fn no_document_panics(keys in prop::collection::vec((prop::sample::select(WORDS), value()), 0..6)) {
        let text: String = keys.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
        read(&text);
    }

    #[test]
    fn nothing_under_a_known_key_panics(
        own in value(), config in value(), flow in value(), phases in value(),
    ) {
        read(&format!("target: ws://h/\nphases: {phases}\nsteps: [{own}]"));
        read(&format!("config: {config}\nscenarios: [{{engine: ws, flow: [{flow}]}}]"));
        read(&format!("config: {{target: 'ws://h/', phases: [{phases}]}}\nscenarios: [{{engine: ws, flow: {flow}}}]"));
    }

    #[test]
    fn a_run_never_panics_and_depends_on_its_seed_alone(
        steps in prop::collection::vec(steps(), 1..8), seed in any::<u64>(), whims in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let text = format!("target: ws://h/\nvariables: {{a: x}}\nsteps: [{}]", steps.join(", "));
        if let Some(scenario) = read(&text) {
            let scenario = Arc::new(scenario);
            let without_times = |steps: Vec<UserAction>| -> Vec<UserAction> {
                steps.into_iter().filter(|step| !matches!(step, UserAction::Think(_) | UserAction::Expect(_))).collect()
            };
            let first = without_times(drive(&scenario, seed, &whims));
            prop_assert_eq!(first, without_times(drive(&scenario, seed, &whims)));
        }
    }

    #[test]
    fn arrivals_are_ordered_and_as_many_as_asked_for(
        phases in prop::collection::vec((0u8..4, 0.0f64..40.0, 0.0f64..40.0, 1u32..20), 1..6), seed in any::<u64>(),
    ) {
        let mut text = String::from("target: ws://h/\nsteps: [connect]\nphases:\n");
        let (mut rated, mut counted, mut end) = (0.0, 0, 0.0);
        for (kind, from, to, length) in phases {
            end += f64::from(length);
            match kind {
                0 => text += &format!("  - pause: {length}\n"),
                1 => {
                    counted += to as u64;
                    text += &format!("  - {{count: {}, duration: {length}}}\n", to as u64);
                }
                _ => {
                    rated += (from + to) / 2.0 * f64::from(length);
                    text += &format!("  - {{rate: {from}, ramp-to: {to}, duration: {length}}}\n");
                }
            }
        }
        let scenario = read(&text).unwrap();
        let arrivals: Vec<_> = scenario.arrivals(seed).collect();
        prop_assert!(arrivals.windows(2).all(|pair| pair[0].at <= pair[1].at && pair[0].user + 1 == pair[1].user));
        prop_assert!(arrivals.iter().all(|arrival| arrival.at.as_secs_f64() <= end));
        prop_assert_eq!(arrivals.len() as u64, rated.ceil() as u64 + counted);
    }
}
