//! `undrop bench` as a script sees it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

fn undrop(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_undrop"));
    command.args(arguments).stdin(Stdio::null()).env_remove("UNDROP_LOG").env("NO_COLOR", "1");
    command
}

fn bench(arguments: &[&str]) -> (i32, String, String) {
    let all: Vec<&str> = ["bench"].iter().chain(arguments).copied().collect();
    let Output { status, stdout, stderr } = undrop(&all).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn json(arguments: &[&str]) -> (i32, serde_json::Value) {
    let all: Vec<&str> = arguments.iter().chain(&["--json", "--quiet"]).copied().collect();
    let (code, stdout, stderr) = bench(&all);
    (code, serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{code}: no report, but {stderr}")))
}

/// `undrop bench sink`; ended when dropped.
struct Sink {
    child: Child,
    url: String,
}

impl Sink {
    fn start(arguments: &[&str]) -> Sink {
        let all: Vec<&str> =
            ["bench", "sink", "--listen", "127.0.0.1:0"].iter().chain(arguments).copied().collect();
        let mut child = undrop(&all).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("it says where it listens").to_owned();
        Sink { child, url }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn wrong_use_is_told_in_one_sentence_and_ends_with_2() {
    for (arguments, says) in [
        (&["run", "ftp://127.0.0.1"][..], "the scheme is `ftp`, not ws or wss"),
        (&["run", "ws://127.0.0.1:1/", "-r", "fast"], "`fast` is not a number per second"),
        (&["run", "ws://127.0.0.1:1/", "-d", "ten"], "100ms, 1.5s or 2m"),
        (&["run", "ws://127.0.0.1:1/", "--verify", "--size", "10"], "--size 42 at least"),
        (&["run", "ws://127.0.0.1:1/", "--ensure", "p101<5ms"], "--ensure: "),
        (&["run", "ws://127.0.0.1:1/", "--ensure", "surviva>=5%"], "survival"),
        (&["run", "ws://127.0.0.1:1/", "-H", "nonsense"], "`nonsense` is not NAME: VALUE"),
        (&["run", "ws://127.0.0.1:1/", "--source-addr", "127.0.0.9-127.0.0.1"], "is not a range"),
        (&["run", "-c", "101", "wss://example.com/ws"], "--i-own-this"),
        (&["flood", "wss://example.com/ws"], "--i-own-this"),
        (&["scenario", "nowhere.yml"], "nowhere.yml"),
        (&["sink", "--sabotage", "explode=3"], "lose=N"),
    ] {
        let (code, stdout, stderr) = bench(arguments);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert_eq!(stdout, "", "{arguments:?}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    }
}

#[test]
fn nobody_there_is_a_failed_handshake() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    drop(listener);
    let (code, stdout, stderr) = bench(&["-d", "1", &url]);
    assert_eq!(code, 3, "{stdout}{stderr}");
    assert!(stdout.contains("refused"), "{stdout}");
}

#[test]
fn the_report_begins_with_survival_and_proves_both_directions() {
    let sink = Sink::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("report.html");
    let log = directory.path().join("report.hlog");
    let arguments = [
        "-c",
        "4",
        "-d",
        "1",
        "-r",
        "50",
        "--verify",
        "--quiet",
        "--html",
        page.to_str().unwrap(),
        "--hdr-log",
        log.to_str().unwrap(),
        "--ensure",
        "survival>=100%",
        "--ensure",
        "lost=0",
        &sink.url,
    ];
    let (code, stdout, stderr) = bench(&arguments);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.starts_with("4 of 4 alive at the end"), "{stdout}");
    assert!(stdout.contains("exactly once"), "{stdout}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg") && page.ends_with("</html>\n") && !page.contains("<script"));
    assert!(std::fs::read_to_string(log).unwrap().starts_with("#[Histogram log format version 1.3]"));
}

#[test]
fn a_backend_that_loses_a_message_is_found_out() {
    let sink = Sink::start(&["--sabotage", "lose=150"]);
    let (code, report) = json(&["-c", "4", "-d", "1", "-r", "50", "--verify", "--settle", "1", &sink.url]);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(
        (report["messages"]["lost"].clone(), report["messages"]["doubled"].clone()),
        (1.into(), 0.into())
    );
    assert_eq!(report["connections"]["alive_at_end"], 4);
}

#[test]
fn several_workers_are_one_run() {
    let sink = Sink::start(&[]);
    let (code, report) = json(&["-c", "10", "-d", "1", "-r", "20", "-w", "3", "--verify", &sink.url]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(
        (report["workers"].clone(), report["connections"]["alive_at_end"].clone()),
        (3.into(), 10.into())
    );
    let (sent, lost) = (report["messages"]["sent"].as_u64().unwrap(), report["messages"]["lost"].clone());
    assert!((180..=2000).contains(&sent), "{sent}");
    assert_eq!(lost, 0);
}

#[test]
fn each_mode_says_what_it_is_for() {
    let sink = Sink::start(&[]);
    for (arguments, mode) in [
        (&["flood", "-c", "2", "--window", "4"][..], "flood"),
        (&["hold", "-c", "2"], "hold"),
        (&["storm", "-c", "2"], "storm"),
        (&["churn", "-c", "10", "--churn-rate", "20", "--lifetime", "100ms"], "churn"),
        (&["ramp", "-c", "5"], "ramp"),
    ] {
        let duration = if mode == "storm" { "30" } else { "1" };
        let all: Vec<&str> = arguments.iter().chain(&["-d", duration, &sink.url]).copied().collect();
        let (code, report) = json(&all);
        assert_eq!((code, report["mode"].as_str()), (0, Some(mode)), "{report:#}");
    }
    let (code, stdout, stderr) =
        bench(&["search", "-c", "2", "-r", "10", "--step", "1", "--p99", "1us", &sink.url]);
    assert_eq!(code, 6, "nothing answers within a microsecond: {stdout}{stderr}");
}

#[test]
fn scenario_files_run_as_they_stand() {
    let sink = Sink::start(&["--echo"]);
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let file = directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let artillery = write(
        "artillery.yml",
        &format!(
            "config:\n  target: \"{}\"\n  phases:\n    - duration: 1\n      arrivalRate: 5\nscenarios:\n  - engine: ws\n    \
             flow:\n      - send: hello\n      - think: 0.1\n      - send: {{ \"kind\": \"ping\" }}\n",
            sink.url
        ),
    );
    let (code, report) = json(&["scenario", artillery.to_str().unwrap()]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(
        (report["users"]["completed"].clone(), report["messages"]["sent"].clone()),
        (5.into(), 10.into())
    );
    let guide = write(
        "guide.yml",
        &format!(
            "config:\n  target: \"{}\"\n  phases:\n    - duration: 1\n      arrivalRate: 3\nscenarios:\n  - name: chat\n    \
             flow:\n      - send: hello\n      - expect: nothing of that kind\n",
            sink.url
        ),
    );
    let (code, report) = json(&["scenario", guide.to_str().unwrap()]);
    assert_eq!(code, 1, "the answer is another one: {report:#}");
    assert_eq!(report["users"]["completed"], 0);
}
