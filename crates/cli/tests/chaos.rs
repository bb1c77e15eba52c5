//! Tests of `undrop chaos` as a program: output, exit codes, logs and the API.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

fn undrop(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_undrop"));
    command.args(arguments).stdin(Stdio::null()).env_remove("UNDROP_LOG").env("NO_COLOR", "1");
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = undrop(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Creates a directory for the files of one test.
fn directory(test: &str) -> PathBuf {
    let directory =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// Starts a backend that echoes bytes. Returns its address.
fn backend() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut echo = stream.try_clone().unwrap();
                // The manner of the end does not matter.
                let _ = std::io::copy(&mut stream, &mut echo);
            });
        }
    });
    address
}

/// A running `undrop chaos`, which is killed when it is dropped.
struct Chaos {
    child: Child,
    output: BufReader<ChildStdout>,
    first: String,
}

impl Chaos {
    fn start(arguments: &[&str]) -> Chaos {
        let mut all = vec!["chaos", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let mut child = undrop(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        Chaos { child, output, first: first.trim().to_owned() }
    }

    fn address(&self) -> &str {
        self.first.strip_prefix("listening on ws://").expect("the first line is the listen address")
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Reads lines up to the first one that matches.
    fn until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert!(
                self.output.read_line(&mut line).unwrap() > 0,
                "the output ended before the expected line:\n{all}"
            );
            all.push_str(&line);
            if wanted(&line) {
                return all;
            }
        }
    }

    /// Interrupts the proxy. Returns its exit code and the rest of its output.
    fn interrupt(mut self) -> (Option<i32>, String) {
        let signalled = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(signalled.success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_injected_fault_is_logged_and_counted_in_the_summary() {
    let backend = backend();
    let chaos =
        Chaos::start(&["--upstream", &backend, "--fault", "idle-cut after=60s how=rst", "--speed", "300x"]);
    let mut stream = chaos.connect();
    stream.write_all(b"hello").unwrap();
    let mut got = [0; 5];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(stream.read(&mut got).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let mut chaos = chaos;
    let lines = chaos.until(|line| line.contains("closed by fault"));
    assert!(lines.contains("fault f1: idle-cut after=200ms how=rst"), "{lines}");
    assert!(lines.contains("#1 idle-cut (f1): RST; age 0.2"), "{lines}");
    let (code, summary) = chaos.interrupt();
    assert_eq!(code, Some(0));
    assert!(
        summary.contains("1 connections in") && summary.contains("faults injected: idle-cut 1"),
        "{summary}"
    );
}

#[test]
fn events_are_json_and_a_log_is_replayed() {
    let directory = directory("replay");
    let log = directory.join("run.jsonl");
    let timeline = directory.join("t.toml");
    std::fs::write(&timeline, "seed = 5\n[[fault]]\nkind = \"cut\"\nbytes = 3\ndirection = \"down\"\n")
        .unwrap();
    let backend = backend();
    let play = |chaos: &Chaos| {
        let mut stream = chaos.connect();
        stream.write_all(b"0123456789").unwrap();
        let mut got = Vec::new();
        // The stream ends with a RST.
        let _ = stream.read_to_end(&mut got);
        got
    };
    let log_text = log.to_str().unwrap();
    let mut first = Chaos::start(&[
        "--upstream",
        &backend,
        "--timeline",
        timeline.to_str().unwrap(),
        "--log-file",
        log_text,
    ]);
    assert_eq!(play(&first), b"012");
    first.until(|line| line.contains("closed by"));
    assert_eq!(first.interrupt().0, Some(0));
    let events: Vec<Value> = std::fs::read_to_string(&log)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["listening", "fault-added", "opened", "injected", "closed", "summary"]);
    assert_eq!(
        (&events[0]["seed"], &events[3]["offset"], &events[3]["direction"]),
        (&5.into(), &3.into(), &"down".into())
    );

    let all = ["chaos", "--listen", "127.0.0.1:0", "--upstream", &backend, "--replay", log_text, "--json"];
    let mut child = undrop(&all).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&event["event"], &event["seed"]), (&"listening".into(), &5.into()));
    let first = format!("listening on ws://{}", event["address"].as_str().unwrap());
    let second = Chaos { child, output, first };
    assert_eq!(play(&second), b"012");
}

#[test]
fn faults_are_added_and_removed_while_it_runs() {
    let backend = backend();
    let mut chaos = Chaos::start(&["--upstream", &backend, "--api", "127.0.0.1:0"]);
    let lines = chaos.until(|line| line.starts_with("api "));
    let api = lines.trim().rsplit(' ').next().unwrap().to_owned();
    let ask = |arguments: &[&str]| {
        let (code, output, errors) = run(&[&["chaos"], arguments, &["--api", &api]].concat());
        assert_eq!((code, errors.as_str()), (0, ""), "{arguments:?}");
        output
    };
    assert_eq!(ask(&["list"]), "no faults\n");
    assert_eq!(ask(&["add", "--id", "no", "refuse"]), "chaos no: refuse\n");
    assert_eq!(TcpStream::connect(chaos.address()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(ask(&["remove", "no"]), "removed 1\n");
    let mut stream = chaos.connect();
    assert_eq!(ask(&["add", "idle-cut", "after=1h", "how=rst"]), "chaos f1: idle-cut after=3600s how=rst\n");
    assert!(ask(&["connections"]).starts_with("chaos #1  127.0.0.1:"));
    assert!(ask(&["status"]).contains("1 opened, 1 open, 0 cut by faults"));
    assert_eq!(ask(&["cut", "1"]), "reset 1\n");
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(ask(&["reset"]), "removed 1\n");
    let (code, _, error) = run(&["chaos", "remove", "nothing", "--api", &api]);
    assert_eq!((code, error.as_str()), (2, "error: no fault has the name `nothing`\n"));
}

/// A reader that reads only the first line must not stop the proxy.
#[test]
fn unread_output_does_not_stop_the_proxy() {
    let backend = backend();
    let chaos = Chaos::start(&["--upstream", &backend]);
    for _ in 0..3000 {
        let mut stream = chaos.connect();
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0; 1]).unwrap();
    }
}

#[test]
fn wrong_usage_is_reported_in_one_sentence_and_exits_with_2() {
    let directory = directory("usage");
    let timeline = directory.join("t.toml");
    std::fs::write(&timeline, "[[fault]]\nkind = \"latency\"\nbsae = 1\n").unwrap();
    let timeline = timeline.to_str().unwrap();
    let log = directory.join("log");
    std::fs::write(&log, "{}\n").unwrap();
    let log = log.to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let up = ["chaos", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9"];
    for (more, expected) in [
        (
            vec!["--fault", "idel-cut after=5s"],
            "error: --fault: unknown fault `idel-cut`; did you mean `idle-cut`?".to_owned(),
        ),
        (
            vec!["--fault", "cut ag=5"],
            "error: --fault: `cut` has no key `ag`; did you mean `age`?".to_owned(),
        ),
        (vec!["--preset", "abl"], "error: --preset: ".to_owned()),
        (
            vec!["--timeline", timeline],
            format!("error: {timeline}: line 3: `latency` has no key `bsae`; did you mean `base`?"),
        ),
        (vec!["--timeline", "/nowhere.toml"], "error: cannot read /nowhere.toml: ".to_owned()),
        (vec!["--replay", log], format!("error: {log}: line 1: not an event: ")),
        (vec!["--log-file", "/nowhere/log"], "error: cannot write /nowhere/log: ".to_owned()),
        (vec!["--api", &taken], format!("error: cannot listen on {taken}: ")),
        (vec!["--api", "here"], "error: --api: `here` is not a valid address; write".to_owned()),
    ] {
        let (code, _, error) = run(&[&up[..], &more].concat());
        assert_eq!(code, 2, "{error}");
        assert!(error.starts_with(&expected) && error.lines().count() == 1, "{error}");
    }
    for (arguments, expected) in [
        (vec!["chaos", "-u", "127.0.0.1:9", "-l", &taken], format!("error: cannot listen on {taken}: ")),
        (
            vec!["chaos", "-u", "nowhere", "-l", "127.0.0.1:0"],
            "error: --upstream: `nowhere` is not a valid upstream".to_owned(),
        ),
        (
            vec!["chaos", "add", "latncy", "base=1"],
            "error: unknown fault `latncy`; did you mean `latency`?".to_owned(),
        ),
        (vec!["chaos", "list", "--api", "127.0.0.1:9"], "error: no API at 127.0.0.1:9; ".to_owned()),
    ] {
        let (code, _, error) = run(&arguments);
        assert_eq!(code, 2, "{error}");
        assert!(error.starts_with(&expected) && error.lines().count() == 1, "{error}");
    }
    for arguments in
        [vec!["chaos"], vec!["chaos", "-u", "127.0.0.1:9", "--speed", "0x"], vec!["chaos", "add"]]
    {
        assert_eq!(run(&arguments).0, 2, "{arguments:?}");
    }
}

#[test]
fn an_unreachable_upstream_is_reported_when_it_is_needed() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap().to_string();
    drop(gone);
    let mut chaos = Chaos::start(&["--upstream", &address]);
    let mut stream = chaos.connect();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    chaos.until(|line| line.contains(&format!("cannot connect to upstream {address}: ")));
}

#[test]
fn presets_are_listed_with_their_sources() {
    let (code, text, _) = run(&["chaos", "--list-presets"]);
    assert_eq!(code, 0);
    for wanted in ["alb ", "AWS Application Load Balancer", "idle-cut after=60s how=fin", "source: https://"]
    {
        assert!(text.contains(wanted), "{wanted}");
    }
    let (_, json, _) = run(&["chaos", "--list-presets", "--json"]);
    let presets: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert!(presets.iter().any(|preset| preset["name"] == "train-tunnel"));
}
