//! Each error in a file is reported once, with its place and a remedy.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::fmt::Write as _;

use undrop_scenario::Inputs;

use support::{load, parse};

fn error(text: &str) -> String {
    match parse(text, "x.yml".as_ref(), &Inputs::default()) {
        Ok(scenario) => format!("fine, with {:?}", scenario.notices),
        Err(error) => error.to_string(),
    }
}

/// With the steps of one flow, from line 2 on.
fn step(steps: &str) -> String {
    error(&format!("target: ws://h/\nsteps:\n{steps}"))
}

/// With the steps of one scenario, from line 6 on.
fn artillery_step(steps: &str) -> String {
    error(&format!("config:\n  target: ws://h/\nscenarios:\n  - engine: ws\n    flow:\n{steps}"))
}

#[test]
fn the_file_as_a_whole() {
    for (text, message) in [
        ("", "x.yml:1:1: the file is empty"),
        ("- a\n", "x.yml:1:1: a scenario is a map of keys, not a list"),
        ("target: ws://h\n", "x.yml:1:1: the scenario has no steps; add `steps:` or `flows:`"),
        (
            "config: {}\n",
            "x.yml:1:1: the file has no `scenarios`, so users would do nothing; add `scenarios:` with `- engine: ws` and a `flow`",
        ),
        ("target: ws://h\nstep: []", "x.yml:2:1: unknown key `step` in a scenario; did you mean `steps`?"),
        ("target: ws://h\nsteps: []", "x.yml:2:1: `steps` is empty"),
        (
            "target: h:80\nsteps: [connect]",
            "x.yml:1:9: `h:80` is not a URL that can be dialled; write `ws://host/path` or `wss://host/path`, or `/path` where the file has a `target`",
        ),
        (
            "target: ws://h\nsteps: [connect]\nheaders: { 'a b': c }",
            "x.yml:3:12: `a b` is not the name of a header",
        ),
        (
            "target: ws://h\nsteps: [connect]\nheaders: { Upgrade: x }",
            "x.yml:3:12: `Upgrade` belongs to the handshake and cannot be set",
        ),
        (
            "target: ws://h\nsteps: [connect]\nensure: [p99 50ms]",
            "x.yml:3:10: `p99 50ms` is not a condition; write metric, comparison, limit: `p99 < 50ms`, `survival >= 99.9%`",
        ),
        (
            "target: ws://h\nvariables: { room: [] }\nsteps: [connect]",
            "x.yml:2:20: there is nothing to choose from",
        ),
    ] {
        assert_eq!(error(text), message, "{text}");
    }
}

#[test]
fn yaml_itself() {
    let duplicate = error("target: ws://h\ntarget: ws://i\n");
    assert!(duplicate.starts_with("x.yml:2:1: ") && duplicate.contains("target"), "{duplicate}");
    let unquoted = step("  - send: {{ name }}\n");
    assert!(
        unquoted.starts_with("x.yml:3:") && unquoted.ends_with("put texts with `{{ }}` in quotes"),
        "{unquoted}"
    );
}

#[test]
fn phases() {
    let phase = |phase: &str| error(&format!("target: ws://h/\nsteps: [connect]\nphases:\n  - {phase}\n"));
    for (text, message) in [
        ("durration: 5", "x.yml:4:5: unknown key `durration` in a phase; did you mean `duration`?"),
        ("{ rate: 5 }", "x.yml:4:5: a phase needs a `duration`"),
        (
            "{ rate: five, duration: 1 }",
            "x.yml:4:13: `rate: five` is not a rate: write `5` or `5/s`, `300/m`",
        ),
        (
            "{ rate: 5, duration: 1 parsec }",
            "x.yml:4:26: `duration`: `1 parsec` has the unknown unit `parsec`; use ns, us, ms, s, m, h or d",
        ),
        ("{ rate: 5, duration: 0 }", "x.yml:4:5: a phase with a rate needs a `duration` of more than zero"),
        (
            "{ rate: 5, count: 5, duration: 1 }",
            "x.yml:4:5: a phase has one of `rate`, `count` and `pause`, not several",
        ),
        ("{ count: 5, ramp-to: 6 }", "x.yml:4:17: `ramp-to` goes with `rate`"),
        ("{ count: 1.5 }", "x.yml:4:14: `count` is a whole number, not 1.5"),
        ("{ rate: 1, duration: 1, max: 0 }", "x.yml:4:34: `max` is at least 1 and at most 4294967295, not 0"),
        (
            "{ duration: 1 }",
            "x.yml:4:5: this phase defines no arrivals; give it a `rate` (users per second), a `count`, or make it a `pause`",
        ),
        ("{ rate: -1, duration: 1 }", "x.yml:4:13: `rate: -1` is not a rate: write `5` or `5/s`, `300/m`"),
    ] {
        assert_eq!(phase(text), message, "{text}");
    }
}

#[test]
fn steps() {
    for (text, message) in [
        ("  - sned: x", "x.yml:3:5: unknown step `sned`; did you mean `send`?"),
        (
            "  - send: x\n    expect: y",
            "x.yml:4:5: a step is one key, but here `expect` follows; put `- ` before it to make it a separate step, or indent it to make it part of the one above",
        ),
        (
            "  - send: { type: x }",
            "x.yml:3:13: unknown key `type` in `send`; to send a JSON object, put it under `json:`",
        ),
        ("  - send: { jsn: x }", "x.yml:3:13: unknown key `jsn` in `send`; did you mean `json`?"),
        (
            "  - send: { text: x, json: 1 }",
            "x.yml:3:13: `send` has one of `text`, `json`, `base64`, `hex` and `size`, not 2",
        ),
        ("  - send: { hex: abc }", "x.yml:3:18: `hex` is pairs of hexadecimal digits"),
        (
            "  - send: { size: big }",
            "x.yml:3:19: `big` is not a size; write a number of bytes, or a unit as in 64KiB or 1.5MiB",
        ),
        ("  - send: { size: 17MiB }", "x.yml:3:19: a message of more than 16 MiB"),
        (
            "  - expect: { type: x }",
            "x.yml:3:15: unknown key `type` in `expect`; to compare fields of a JSON message, put them under `json:`",
        ),
        (
            "  - expect: { regex: '(' }",
            "x.yml:3:22: `(` is not a regular expression that works here: found open group without closing ')'",
        ),
        (
            "  - expect: { json: { '$..a..b..c..d': 1 } }",
            "x.yml:3:23: `$..a..b..c..d` has more than 3 descendant segments (`..`)",
        ),
        (
            "  - capture: { a: b }",
            "x.yml:3:19: `b` is not a JSONPath; an expression starts with `$`, such as `$.id`",
        ),
        ("  - capture: { a: { regex: x, group: 2 } }", "x.yml:3:38: /x/ has no group `2`"),
        ("  - expect-close: 7", "x.yml:3:19: close codes are 1000 to 4999, not 7"),
        ("  - close: 1006", "x.yml:3:12: the close code 1006 may not be sent"),
        (
            "  - think: soon",
            "x.yml:3:12: `think`: `soon` is not a duration; write a number and a unit, such as 100ms, 1.5s or 2m",
        ),
        (
            "  - think: { time: 1, jitter: 200% }",
            "x.yml:3:31: `jitter` is a duration, or 0% to 100% of the pause",
        ),
        (
            "  - loop: { times: 3, for: 1s, steps: [] }",
            "x.yml:3:5: a loop has one of `times`, `for`, `over` and `forever`, not 2",
        ),
        (
            "  - loop: { forever: true, steps: [log: x] }",
            "x.yml:3:5: this loop has no step that takes time; give it a `send`, `expect` or `think`",
        ),
        (
            "  - send: 'hi {{ nmae }}'\n  - set: { name: x }",
            "x.yml:3:11: the variable `nmae` never gets a value; did you mean `name`?",
        ),
        (
            "  - send: 'hi {{ name }}'",
            "x.yml:3:11: the variable `name` never gets a value; add it to `variables`, or capture it from a message",
        ),
        (
            "  - send: 'hi {{ a b }}'",
            "x.yml:3:11: `a b` is not a variable: write `name`, `name.field` or `name[0]`",
        ),
        ("  - send: 'hi {{ name'", "x.yml:3:11: `{{` without `}}`"),
        (
            "  - send: '{{ $randomWord(3) }}'",
            "x.yml:3:11: unknown function `$randomWord`; the functions are `$randomNumber(from, to)` and `$randomString(length)`",
        ),
        (
            "  - send: '{{ $randomString(-1) }}'",
            "x.yml:3:11: `$randomString` takes a length of 0 to 1048576, not -1",
        ),
    ] {
        assert_eq!(step(text), message, "{text}");
    }
}

#[test]
fn artillery() {
    for (text, message) in [
        (
            "      - function: login",
            "x.yml:6:9: `function: login` is not supported: JavaScript is not run here; write what it does as steps, captures and templates, or take it out",
        ),
        (
            "      - connect: { function: sign }",
            "x.yml:6:20: `connect.function` is not supported: JavaScript is not run here; write `target`, `headers` and `subprotocols` with templates",
        ),
        (
            "      - loop: [think: 1]\n        whileTrue: more",
            "x.yml:7:9: `whileTrue` names a JavaScript function, which is not run here; use `count` or `over`",
        ),
        ("      - get: { url: / }", "x.yml:6:9: `get` is not a step of the ws engine"),
        ("      - emit: { channel: x }", "x.yml:6:9: `emit` is not a step of the ws engine"),
        ("      - sedn: x", "x.yml:6:9: unknown step `sedn`; did you mean `send`?"),
        (
            "      - think: 1\n        jiter: 2",
            "x.yml:7:9: unknown step `jiter`; known here: `connect`, `send`, `wait`, `think`, `loop`, `log`, `expect`, `close`",
        ),
        ("      - count: 3", "x.yml:6:9: `count` goes with `loop`, which is not in this step"),
        ("      - wait: 5", "x.yml:6:9: `wait` needs a `match` or a `capture`; to pause, write `think`"),
        (
            "      - send: { payload: x, match: { json: $.a, vlaue: 1 } }",
            "x.yml:6:49: unknown key `vlaue` in `match`; did you mean `value`?",
        ),
        (
            "      - send: { payload: x, capture: { json: $.a } }",
            "x.yml:6:38: `capture` needs `as`, the name of the variable",
        ),
        (
            "      - send: { payload: x, match: { xpath: //a } }",
            "x.yml:6:38: `xpath` is not supported for WebSocket messages; use `json` or `regexp`",
        ),
        (
            "      - send: { payload: x, match: { regexp: a, flags: y } }",
            "x.yml:6:46: the flag `y` of `flags: y` is not supported",
        ),
        (
            "      - loop: [think: 1]\n        count: many",
            "x.yml:7:16: `count` is a number of rounds, or a range such as `1-10`, not `many`",
        ),
        ("      - send:", "x.yml:6:9: `send` has nothing to send"),
    ] {
        assert_eq!(artillery_step(text), message, "{text}");
    }
    let config = |config: &str| {
        error(&format!(
            "config:\n  target: ws://h/\n{config}\nscenarios:\n  - engine: ws\n    flow: [think: 1]\n"
        ))
    };
    for (text, message) in [
        (
            "  processor: ./f.js",
            "x.yml:3:3: `processor` is not supported: JavaScript is not run here; write what it does as steps, captures and templates, or take it out",
        ),
        ("  phasses: []", "x.yml:3:3: unknown key `phasses` in `config`; did you mean `phases`?"),
        (
            "  phases: [{ duration: 5, arivalRate: 1 }]",
            "x.yml:3:27: unknown key `arivalRate` in a phase; did you mean `arrivalRate`?",
        ),
        (
            "  phases: [{ arrivalRate: 1 }]",
            "x.yml:3:12: a phase needs a `duration` of more than zero, or is a `pause`",
        ),
        (
            "  tls: { cert: a.pem }",
            "x.yml:3:10: `tls.cert` is not supported: there are no client certificates and agents here",
        ),
        (
            "  ws: { subprotocol: x }",
            "x.yml:3:9: unknown key `subprotocol` in `ws`; did you mean `subprotocols`?",
        ),
        (
            "  ensure: { thresholds: [{ http.codes.500: 1 }] }",
            "x.yml:3:28: the metric `http.codes.500` is not measured here, so this condition would never be checked; known here: `vusers.created`, `vusers.completed`, `vusers.failed`, `vusers.skipped`, `websocket.messages_sent`, `websocket.messages_received`, `websocket.send_rate`, `websocket.receive_rate`, `p95`, `p99`",
        ),
        (
            "  ensure: { conditions: [{ expression: 'p95 < 1 or p99 < 2' }] }",
            "x.yml:3:40: the condition `p95 < 1 or p99 < 2` is not supported; write comparisons of a metric with a number, joined by `and`",
        ),
        (
            "  payload: { path: users.csv }",
            "x.yml:3:12: `payload` needs `fields`; name the columns: `fields: [user, token]`",
        ),
    ] {
        assert_eq!(config(text), message, "{text}");
    }
    assert_eq!(
        error("scenarios:\n  - engine: socketio\n    flow: [think: 1]"),
        "x.yml:2:13: the engine `socketio` is not supported; only `engine: ws` is: this is a load test for WebSockets"
    );
}

#[test]
fn limits() {
    let mut deep = String::from("target: ws://h/\nsteps:\n");
    for depth in 0..9 {
        let indent = "  ".repeat(1 + depth * 3);
        let _ = write!(deep, "{indent}- loop:\n{indent}    times: 1\n{indent}    steps:\n");
    }
    let _ = writeln!(deep, "{}- think: 1", "  ".repeat(28));
    assert_eq!(error(&deep), "x.yml:27:53: more than 8 nested loops");

    let many = format!("target: ws://h/\nsteps:\n{}", "  - log: x\n".repeat(10_001));
    assert_eq!(
        error(&many),
        "x.yml:10003:5: more than 10000 steps in one file; write repeated steps as a loop"
    );

    let large = format!("target: ws://h/\nsteps: [connect]\n# {}\n", "x".repeat(1 << 20));
    assert_eq!(error(&large), "x.yml: the file is larger than 1 MiB, the limit for a scenario");

    let nested = format!("target: ws://h/\nsteps: {}{}", "[".repeat(60), "]".repeat(60));
    let nested = error(&nested);
    assert!(nested.starts_with("x.yml:2:"), "{nested}");
}

#[test]
fn files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let load = |text: &str| {
        let path = write("x.yml", text.as_bytes());
        let error = load(&path, &Inputs::default()).map(|s| s.notices).unwrap_err().to_string();
        error.replace(&format!("{}/", folder.path().display()), "")
    };
    let with = |payload: &str| load(&format!("target: ws://h/\nsteps: [connect]\npayload: {payload}\n"));
    assert!(load_missing().starts_with("tests/none.yml: cannot be read: "));
    write("short.csv", b"a,b\n1,2\n3\n");
    write("empty.csv", b"a,b\n");
    write("latin.csv", b"a,b\n1,2\n3,\xff\n");
    write("names.csv", b"a b,c\n1,2\n");
    write("large.csv", &vec![b'\n'; (64 << 20) + 1]);
    write("rows.csv", &b"1\n".repeat(1_000_002));
    assert_eq!(with("{ file: short.csv }"), "short.csv:3: 1 cells, but 2 are named: a, b");
    assert_eq!(with("{ file: empty.csv }"), "empty.csv: the file has no rows");
    assert_eq!(with("{ file: latin.csv }"), "latin.csv:3: not UTF-8");
    assert_eq!(
        with("{ file: names.csv }"),
        "x.yml:3:18: `a b` is not a name for a variable: use letters, digits, `_` and `-`"
    );
    assert_eq!(
        with("{ file: large.csv }"),
        "x.yml:3:18: the payload file `large.csv`: the file is larger than 64 MiB, the limit for a payload"
    );
    assert_eq!(with("{ file: rows.csv }"), "rows.csv: more than 1000000 rows");
    assert_eq!(with("{ fil: a.csv }"), "x.yml:3:12: unknown key `fil` in `payload`; did you mean `file`?");
    assert!(
        with("{ file: none.csv }").starts_with("x.yml:3:18: the payload file `none.csv`: cannot be read: ")
    );
    let path = write("latin.yml", b"target: ws://h\n# \xff\n");
    let error = support::load(&path, &Inputs::default()).map(|s| s.notices).unwrap_err();
    assert_eq!(error.message, "line 2 is not UTF-8");
}

fn load_missing() -> String {
    load("tests/none.yml".as_ref(), &Inputs::default()).map(|s| s.notices).unwrap_err().to_string()
}
