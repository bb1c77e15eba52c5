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
        (&["run", "ws://127.0.0.1:1/", "-H", "bad name: x"], "bad name"),
        (&["run", "ws://127.0.0.1:1/", "-H", "Host: evil"], "Host"),
        (&["run", "ws://127.0.0.1:1/", "-s", "a b"], "`a b` is not a token"),
        (&["run", "ws://127.0.0.1:1/", "-d", "0"], "-d: at least 1ms"),
        (&["run", "ws://127.0.0.1:1/", "-c", "1000", "-r", "1e6"], "messages per second in all"),
        (&["run", "ws://127.0.0.1:1/", "--html", "/nowhere/report.html"], "--html /nowhere/report.html"),
        (&["hold", "ws://127.0.0.1:1/", "-r", "5"], "-r: this mode sends at no fixed rate"),
        (&["hold", "ws://127.0.0.1:1/", "--verify"], "--verify: this mode sends nothing"),
        (&["run", "ws://127.0.0.1:1/", "--session", "require", "--ping-interval", "5s"], "--ping-interval"),
        (&["search", "ws://127.0.0.1:1/", "--ensure", "p99<5ms"], "--ensure"),
        (&["ramp", "ws://127.0.0.1:1/", "--open-rate", "0"], "--open-rate"),
        (&["scenario", "x.yml", "--session", "require"], "--session: the users of a scenario"),
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
fn a_name_that_nobody_knows_is_a_failed_handshake() {
    let (code, _, stderr) = bench(&["-d", "1", "ws://nobody.invalid/"]);
    assert!(code == 3 && stderr.contains("nobody.invalid"), "{code}: {stderr}");
}

#[test]
fn a_report_that_does_not_fit_on_the_disk_is_no_success() {
    let sink = Sink::start(&[]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = undrop(&["bench", "-d", "100ms", "-q", &sink.url]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_worker_that_dies_costs_its_own_connections_only() {
    let sink = Sink::start(&[]);
    let mut load = undrop(&["bench", "-c", "10", "-w", "2", "-d", "60", "--json", &sink.url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A line every five seconds.
    let mut lines = BufReader::new(load.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut until = |words: &str| assert!(lines.any(|line| line.contains(words)), "never said `{words}`");
    let kill = |signal: &str, pid: &str| Command::new("kill").args([signal, pid]).status().unwrap();
    until("10/10 alive");
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", load.id())).unwrap();
    assert!(kill("-KILL", children.split_whitespace().next().unwrap()).success());
    until("5/10 alive");
    assert!(kill("-TERM", &load.id().to_string()).success());
    let mut text = String::new();
    std::io::Read::read_to_string(&mut load.stdout.take().unwrap(), &mut text).unwrap();
    let code = load.wait().unwrap().code();
    let report: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{code:?}: {text}"));
    assert_eq!((report["connections"]["opened"].clone(), report["connections"]["alive_at_end"].clone()), {
        (10.into(), 5.into())
    });
    assert_eq!(report["interrupted"], true);
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
