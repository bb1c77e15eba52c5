//! Tests of `undrop bench` as a program: output, exit codes and files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;

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

/// A running `undrop bench sink`, which ends when it is dropped.
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
fn wrong_usage_is_reported_in_one_sentence_and_exits_with_2() {
    for (arguments, says) in [
        (&["run", "ftp://127.0.0.1"][..], "the scheme is `ftp`, not ws or wss"),
        (&["run", "ws://127.0.0.1:1/", "-r", "fast"], "`fast` is not a number per second"),
        (&["run", "ws://127.0.0.1:1/", "-d", "ten"], "100ms, 1.5s or 2m"),
        (&["run", "ws://127.0.0.1:1/", "--verify", "--size", "10"], "--verify requires --size 42"),
        (&["run", "ws://127.0.0.1:1/", "--ensure", "p101<5ms"], "--ensure: "),
        (&["run", "ws://127.0.0.1:1/", "--ensure", "surviva>=5%"], "survival"),
        (&["run", "ws://127.0.0.1:1/", "-H", "nonsense"], "`nonsense` is not NAME: VALUE"),
        (&["run", "ws://127.0.0.1:1/", "--source-addr", "127.0.0.9-127.0.0.1"], "is not a range"),
        (&["run", "ws://127.0.0.1:1/", "-H", "bad name: x"], "bad name"),
        (&["run", "ws://127.0.0.1:1/", "-H", "Host: evil"], "Host"),
        (&["run", "ws://127.0.0.1:1/", "-s", "a b"], "`a b` is not a token"),
        (&["run", "ws://127.0.0.1:1/", "-d", "0"], "must be at least 1ms"),
        (&["run", "ws://127.0.0.1:1/", "-c", "1000", "-r", "1e6"], "messages per second in all"),
        (&["run", "ws://127.0.0.1:1/", "--html", "/nowhere/report.html"], "--html /nowhere/report.html"),
        (&["hold", "ws://127.0.0.1:1/", "-r", "5"], "unexpected argument '-r'"),
        (&["hold", "ws://127.0.0.1:1/", "--verify"], "unexpected argument '--verify'"),
        (&["run", "ws://127.0.0.1:1/", "--session", "require", "--ping-interval", "5s"], "--ping-interval"),
        (&["search", "ws://127.0.0.1:1/", "--ensure", "p99<5ms"], "unexpected argument '--ensure'"),
        (&["search", "ws://127.0.0.1:1/", "-d", "5"], "unexpected argument '-d'"),
        (&["search", "ws://127.0.0.1:1/", "--html", "x.html"], "unexpected argument '--html'"),
        (&["search", "ws://127.0.0.1:1/", "--step", "0"], "must be at least 1ms"),
        (&["flood", "ws://127.0.0.1:1/", "-r", "5"], "unexpected argument '-r'"),
        (&["ramp", "ws://127.0.0.1:1/", "--verify"], "unexpected argument '--verify'"),
        (&["churn", "ws://127.0.0.1:1/", "-r", "5"], "unexpected argument '-r'"),
        (&["storm", "ws://127.0.0.1:1/", "--reconnect"], "unexpected argument '--reconnect'"),
        (&["ramp", "ws://127.0.0.1:1/", "--open-rate", "0"], "--open-rate"),
        (&["run", "ftp://me:hush@127.0.0.1/?token=hush"], "`ftp://127.0.0.1/?token=…`"),
        (&["run", "-c", "101", "wss://example.com/ws"], "--i-own-this"),
        (&["flood", "wss://example.com/ws"], "--i-own-this"),
        (&["scenario", "nowhere.yml"], "nowhere.yml"),
        (&["sink", "--sabotage", "explode=3"], "lose=N"),
    ] {
        let (code, stdout, stderr) = bench(arguments);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert_eq!(stdout, "", "{arguments:?}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("hush"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn each_mode_has_only_the_options_it_takes() {
    let has = |mode: &str, option: &str| {
        let (code, help, _) = bench(&[mode, "--help"]);
        assert_eq!(code, 0);
        help.split_whitespace().any(|word| word == option)
    };
    for (mode, option, expected) in [
        ("run", "--rate", true),
        ("hold", "--rate", false),
        ("hold", "--verify", false),
        ("flood", "--rate", false),
        ("flood", "--window", true),
        ("storm", "--reconnect", false),
        ("churn", "--concurrency", false),
        ("ramp", "--ramp-up", false),
        ("search", "--duration", false),
        ("search", "--html", false),
        ("scenario", "--session", false),
        ("scenario", "--duration", true),
        ("sink", "--sabotage", false),
    ] {
        assert_eq!(has(mode, option), expected, "{mode} {option}");
    }
}

#[test]
fn the_former_name_of_ramp_up_still_works() {
    let sink = Sink::start(&[]);
    let (code, report) = json(&["hold", "-c", "2", "-d", "100ms", "--ramp", "10ms", &sink.url]);
    assert_eq!(code, 0, "{report:#}");
}

#[test]
fn connect_validates_headers_too() {
    for (arguments, says) in
        [(["-H", "bad header: x"], "is not the name of a header"), (["-s", "a b"], "`a b` is not a token")]
    {
        let all = [&["connect", "ws://127.0.0.1:1/"], &arguments[..]].concat();
        let output = undrop(&all).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && stderr.contains(says), "{stderr}");
    }
}

#[test]
fn more_connections_than_any_number_of_workers_can_hold_are_rejected() {
    let undrop = env!("CARGO_BIN_EXE_undrop");
    let line = format!("ulimit -n 200 && exec {undrop} bench hold -c 20000 ws://127.0.0.1:1/");
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("20,000 connections are more than 256 processes can have"), "{stderr}");
}

#[test]
fn a_closed_port_is_a_failed_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    drop(listener);
    let (code, stdout, stderr) = bench(&["-d", "1", &url]);
    assert_eq!(code, 3, "{stdout}{stderr}");
    assert!(stdout.contains("refused"), "{stdout}");
}

#[test]
fn an_unknown_host_name_is_a_failed_handshake() {
    let (code, _, stderr) = bench(&["-d", "1", "ws://unknown.invalid/"]);
    assert!(code == 3 && stderr.contains("unknown.invalid"), "{code}: {stderr}");
}

#[test]
fn a_report_that_does_not_fit_on_the_disk_is_a_failure() {
    let sink = Sink::start(&[]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = undrop(&["bench", "-d", "100ms", "-q", &sink.url]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn errors_are_reported_when_standard_error_is_closed() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = undrop(&["bench", "scenario", "nowhere.yml"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_page_that_cannot_be_written_does_not_hide_a_worse_result() {
    for (arguments, code) in [(&[][..], 2), (&["--ensure", "sent>=1000000"], 6)] {
        let sink = Sink::start(&[]);
        let all = [&["-d", "100ms", "-q", "--html", "/dev/full", &sink.url], arguments].concat();
        let (got, stdout, stderr) = bench(&all);
        assert_eq!(got, code, "{stdout}{stderr}");
        assert!(stdout.contains("1 of 1 alive") && stderr.contains("--html /dev/full: "), "{stdout}{stderr}");
    }
}

#[test]
fn an_earlier_report_is_kept_until_the_new_one_is_complete() {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("report.html");
    std::fs::write(&page, "x".repeat(1 << 20)).unwrap();
    let path = page.to_str().unwrap();
    assert_eq!(bench(&["-d", "1", "--html", path, "ws://unknown.invalid/"]).0, 3);
    assert_eq!(std::fs::metadata(&page).unwrap().len(), 1 << 20);
    let sink = Sink::start(&[]);
    assert_eq!(bench(&["-d", "100ms", "-q", "--html", path, &sink.url]).0, 0);
    assert!(std::fs::read_to_string(&page).unwrap().ends_with("</html>\n"));
}

/// Starts a proxy that forwards the connections that `admits` accepts and closes the others. It reports every read from
/// a client on the channel.
fn proxy(sink: &Sink, admits: fn(usize) -> bool) -> (String, mpsc::Receiver<usize>) {
    let address = sink.url.strip_prefix("ws://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().map_while(Result::ok).enumerate() {
            if !admits(number) {
                continue;
            }
            let server = TcpStream::connect(&address).unwrap();
            for (mut from, mut to, tell) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap(), Some(sender.clone())),
                (server, client, None),
            ] {
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(count @ 1..) = from.read(&mut bytes) {
                        // The test may have dropped the receiver.
                        tell.as_ref().map(|tell| tell.send(count));
                        if to.write_all(&bytes[..count]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    (url, receiver)
}

fn signal(name: &str, process: &Child) {
    assert!(Command::new("kill").args([name, &process.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_second_interrupt_exits_at_once() {
    // The server accepts connections and never responds, so the program waits for the end of the run.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", silent.local_addr().unwrap());
    let mut load = undrop(&["bench", "-d", "600", "--timeout", "600s", &url])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _held = silent.accept().unwrap();
    signal("-INT", &load);
    // A line is printed every five seconds: after the next one, the first interrupt has been handled.
    let mut lines = BufReader::new(load.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.next().is_some() && lines.next().is_some(), "the handshake is waited for");
    signal("-INT", &load);
    assert_eq!(load.wait().unwrap().code(), Some(130));
}

#[test]
fn an_interrupted_search_reports_its_result_so_far() {
    let sink = Sink::start(&[]);
    let (url, read) = proxy(&sink, |_| true);
    let mut search =
        undrop(&["bench", "search", "--step", "600", &url]).stdout(Stdio::piped()).spawn().unwrap();
    // The first reads are the handshake and the first message.
    read.recv().unwrap();
    read.recv().unwrap();
    signal("-TERM", &search);
    let lines: Vec<String> =
        BufReader::new(search.stdout.take().unwrap()).lines().map_while(Result::ok).collect();
    assert!(lines[1].ends_with("ended early"), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "ended early, before any rate was good");
    assert_eq!(search.wait().unwrap().code(), Some(6));
}

#[test]
fn a_target_that_refuses_some_connections_is_a_failure() {
    let sink = Sink::start(&[]);
    let (url, _) = proxy(&sink, |number| number % 2 == 0);
    let (code, report) = json(&["hold", "-c", "10", "-d", "100ms", &url]);
    assert_eq!((code, &report["connections"]["opened"]), (3, &5.into()), "{report:#}");
    let (code, report) = json(&["hold", "-c", "10", "-d", "100ms", "--ensure", "opened>=50%", &url]);
    assert_eq!(code, 0, "{report:#}");
}

#[test]
fn a_churn_has_enough_connections_for_its_rate_by_default() {
    let sink = Sink::start(&[]);
    let churn = ["churn", "--churn-rate", "100", "--lifetime", "500ms", "-d", "1", "-q", &sink.url];
    let (code, stdout, stderr) = bench(&churn);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (code, stdout, stderr) = bench(&[&churn[..], &["-c", "10"]].concat());
    assert_eq!(code, 7, "{stdout}{stderr}");
    assert!(stdout.contains("were not attempted"), "{stdout}");
}

#[test]
fn a_worker_that_dies_loses_only_its_own_connections() {
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
    load.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let code = load.wait().unwrap().code();
    let report: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{code:?}: {text}"));
    assert_eq!((report["connections"]["opened"].clone(), report["connections"]["alive_at_end"].clone()), {
        (10.into(), 5.into())
    });
    assert_eq!(report["interrupted"], true);
}

#[test]
fn the_report_starts_with_survival_and_proves_both_directions() {
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
fn a_backend_that_loses_a_message_is_detected() {
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
fn the_results_of_several_workers_are_combined() {
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
fn the_help_of_each_mode_describes_its_purpose() {
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
    assert_eq!(code, 6, "no reply arrives within a microsecond: {stdout}{stderr}");
}

#[test]
fn scenario_files_run_unchanged() {
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
    let alone = write(
        "alone.yml",
        &format!("target: {}\nphases:\n  - count: 3\nsteps:\n  - send: hello\n  - think: 300ms\n", sink.url),
    );
    let (code, report) = json(&["scenario", alone.to_str().unwrap(), "-c", "1"]);
    assert_eq!((code, &report["users"]["skipped"]), (0, &2.into()), "one user at once: {report:#}");
    for (options, says) in [
        (&["--verify"][..], "unexpected argument '--verify'"),
        (&["-r", "1"], "unexpected argument '-r'"),
        (&["--session", "require"], "unexpected argument '--session'"),
        (&["--reconnect"], "unexpected argument '--reconnect'"),
        (&["--ping-interval", "1s"], "unexpected argument '--ping-interval'"),
        (&["--dead-after", "1s"], "unexpected argument '--dead-after'"),
    ] {
        let (code, _, stderr) = bench(&[&["scenario", alone.to_str().unwrap()], options].concat());
        assert!(code == 2 && stderr.contains(says), "{options:?}: {stderr}");
    }
    let text = std::fs::read_to_string(&artillery).unwrap();
    let endless = write("endless.yml", &text.replace("arrivalRate: 5", "arrivalRate: 1000000000000"));
    let (code, _, stderr) = bench(&["scenario", endless.to_str().unwrap()]);
    assert!(
        code == 2 && stderr.contains("endless.yml:4: with this phase 1,000,000,000,000 users"),
        "{stderr}"
    );
}
