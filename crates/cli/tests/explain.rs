//! Tests of `undrop explain` as a program: output and exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs `undrop explain` with `input` on its standard input.
fn run_with(input: &[u8], arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_undrop"));
    command.arg("explain").args(arguments).env_remove("UNDROP_LOG").env("NO_COLOR", "1").env("COLUMNS", "80");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The program may exit without reading all of it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    run_with(b"", arguments)
}

#[test]
fn a_code_a_state_and_a_line_are_explained() {
    for (query, parts) in [
        (vec!["1006"], vec!["1006 Abnormal Closure", "never sent", "idle timeout", "undrop doctor"]),
        (vec!["cD--"], vec!["termination state", "timeout client", "timeout tunnel     1h"]),
        (vec!["UT,DC"], vec!["upstream request timeout", "downstream connection termination"]),
        (vec!["HTTP", "502"], vec!["502 Bad Gateway", "nginx"]),
        (vec!["110:", "Connection", "timed", "out"], vec!["proxy_read_timeout"]),
    ] {
        let (code, out, err) = run(&query);
        assert_eq!((code, err.as_str()), (0, ""), "{query:?}");
        for part in parts {
            assert!(out.contains(part), "{query:?}: {part:?} is missing in\n{out}");
        }
        assert!(out.lines().all(|line| line.chars().count() <= 80 || !line.contains(' ')), "{out}");
    }
}

#[test]
fn a_response_head_is_read_from_standard_input_or_a_file() {
    let head = b"HTTP/1.1 426 Upgrade Required\r\nServer: nginx/1.22.1\r\n\r\nUpgrade Required";
    let (code, out, _) = run_with(head, &["-"]);
    assert_eq!(code, 0);
    assert!(out.contains("426 Upgrade Required") && out.contains("is on the path"), "{out}");
    let file = tempfile(head);
    let (code, again, _) = run(&["--file", &file]);
    assert_eq!((code, again), (0, out));
    let (code, _, err) = run(&["--file", "/nowhere/head"]);
    assert_eq!(code, 2);
    assert!(err.contains("/nowhere/head"), "{err}");
}

#[test]
fn json_has_a_version_and_the_parts() {
    let (code, out, _) = run(&["1011", "--json"]);
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &value["version"], &value["query"]), (0, &Value::from(1), &Value::from("1011")));
    let one = &value["explanations"][0];
    assert_eq!(one["family"], "close-code");
    assert!(one["causes"][0]["tell"].is_string() && one["fix"].is_array() && one["retry"].is_string());
}

#[test]
fn the_checks_of_the_doctor_are_explained_by_their_ids() {
    let (code, out, _) = run(&["idle-cut"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("# "), "{out}");
}

#[test]
fn an_unknown_topic_exits_with_2_and_a_suggestion() {
    let (code, out, err) = run(&["upstreem prematurely closed conection"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("is unknown") && err.contains("did you mean `upstream prematurely"), "{err}");
    let (code, _, err) = run(&["7000"]);
    assert_eq!(code, 2, "{err}");
    assert_eq!(run(&[]).0, 2);
}

#[test]
fn a_pasted_response_cannot_control_the_terminal() {
    let (_, out, err) = run_with(b"HTTP/1.1 301 x\r\nLocation: \x1b]0;title\x07\r\n\r\n", &["-"]);
    assert!(!out.contains('\x1b') && !err.contains('\x1b'), "{out}");
}

/// Returns an access log of nginx in which half of the connections ended after 60 s and the others at various ages.
fn access_log() -> String {
    let line = |i: u32, age: f64| {
        let (minute, second) = (i / 7 % 60, i * 11 % 60);
        format!(
            "10.0.0.1 - - [01/May/2026:{:02}:{minute:02}:{second:02} +0000] \"GET /ws HTTP/1.1\" 101 0 \"-\" \"x\" {age:.3}\n",
            12 + i / 420
        )
    };
    (0..1000)
        .map(|i| {
            line(i, if i % 2 == 0 { 60.0 + f64::from(i % 5) / 100.0 } else { 1.5 + f64::from(i) * 3.37 })
        })
        .collect()
}

#[test]
fn a_log_is_reported_as_text_exit_code_json_and_page() {
    let log = tempfile(access_log().as_bytes());
    let (code, out, err) = run(&["--log", &log]);
    assert_eq!((code, err.as_str()), (1, ""));
    for part in [
        "500 of 1,000 sessions ended at 60.0 s",
        "nginx (proxy_pass) proxy_read_timeout, its default",
        "nginx -t",
        "█",
        "nginx, combined",
    ] {
        assert!(
            out.split_whitespace().collect::<Vec<_>>().join(" ").contains(part),
            "{part:?} is missing in\n{out}"
        );
    }
    assert_eq!(run_with(access_log().as_bytes(), &["--log", "-"]).1.lines().nth(2), out.lines().nth(2));
    let page = format!("{log}.html");
    let (code, json, _) = run(&["--log", &log, "--json", "--html", &page]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &report["findings"][0]["id"]), (1, &Value::from("idle-cut")));
    assert!(report["charts"][0]["bins"].as_array().unwrap().iter().any(|bin| bin["count"] == 500));
    assert!(std::fs::read_to_string(page).unwrap().contains("<svg"));
}

#[test]
fn logs_without_findings_and_unreadable_logs_have_different_exit_codes() {
    let plain = "10.0.0.1 - - [01/May/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"x\" 0.001\n";
    let (code, out, _) = run(&["--log", &tempfile(plain.as_bytes())]);
    assert_eq!(code, 0);
    assert!(out.contains("no WebSocket session"), "{out}");
    let (code, out, err) = run(&["--log", &tempfile(b"what is this\n")]);
    assert_eq!(code, 2);
    assert!(err.contains("--format") && out.contains("not recognised"), "{err}{out}");
    let (code, _, err) = run(&["--log", "/nowhere/access.log"]);
    assert!(code == 2 && err.contains("/nowhere/access.log"), "{err}");
    let (code, _, err) = run(&["--log", "x", "--format", "$status$request_time"]);
    assert!(code == 2 && err.contains("are adjacent"), "{err}");
    assert_eq!(run(&["1006", "--log", "x"]).0, 2);
}

#[test]
fn the_log_filter_of_the_program_is_a_separate_option() {
    let output = Command::new(env!("CARGO_BIN_EXE_undrop"))
        .args(["--log", "error", "explain", "1000"])
        .env("UNDROP_LOG", "debug")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Creates a file with the given content.
fn tempfile(content: &[u8]) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("explain-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}
