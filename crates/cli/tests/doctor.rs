//! Tests of `undrop doctor` as a program: exit codes, reports, and the stream of each output.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn undrop(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_undrop"));
    command.args(arguments).stdin(Stdio::null()).env_remove("UNDROP_LOG").env("NO_COLOR", "1");
    for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(variable);
    }
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = undrop(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A program that prints its listen address; it is killed when it is dropped.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    fn gateway() -> Running {
        let arguments = ["gateway", "--listen", "127.0.0.1:0"];
        let mut child = undrop(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("it says where it listens").to_owned();
        Running { child, url }
    }

    fn echo(&self) -> String {
        format!("{}/echo", self.url)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_healthy_endpoint_exits_with_0_and_every_report_is_written() {
    let gateway = Running::gateway();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (html, document, saved) = (file("r.html"), file("r.md"), file("run.json"));
    let (code, stdout, stderr) = run(&[
        "doctor",
        &gateway.echo(),
        "--horizon",
        "3",
        "--every",
        "200ms",
        "--patience",
        "2s",
        "--largest",
        "64KiB",
        "--html",
        &html,
        "--document",
        &document,
        "--save",
        &saved,
    ]);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert!(stdout.contains("Nothing wrong was found") && stderr.contains("✓ upgrade"), "{stdout}\n{stderr}");
    assert!(!stdout.contains('\x1b') && !stderr.contains('\x1b'));
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap();
    assert!(read(&html).contains("<svg") && read(&document).starts_with("# undrop doctor"));

    let (code, first, _) = run(&["doctor", "--replay", &saved, "--json"]);
    let (_, second, _) = run(&["doctor", "--replay", &saved, "--json"]);
    assert_eq!((code, &first), (0, &second));
    let (_, again, _) = run(&["doctor", "--replay", &saved]);
    assert_eq!(again, stdout);
    let report: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(report["version"], 1);
}

#[test]
fn the_finding_determines_the_exit_code() {
    let gateway = Running::gateway();
    let (code, stdout, _) = run(&["doctor", &format!("{}/nothing", gateway.url), "--quick"]);
    assert_eq!(code, 3, "{stdout}");
    assert!(stdout.contains("path does not exist"), "{stdout}");

    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, stdout, _) = run(&["doctor", &format!("ws://{gone}/"), "--quick"]);
    assert_eq!(code, 3, "{stdout}");
    assert!(stdout.contains("No program listens on port"), "{stdout}");

    let (code, stdout, _) = run(&["doctor", &gateway.echo().replace("ws:", "wss:"), "--quick"]);
    assert_eq!(code, 4, "{stdout}");
}

#[test]
fn wrong_usage_is_reported_in_one_sentence_and_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, "{\"version\": 1").unwrap();
    let broken = broken.display().to_string();
    for (arguments, part) in [
        (&["doctor"][..], "required"),
        (&["doctor", "http://127.0.0.1/"], "did you mean ws://127.0.0.1/?"),
        (&["doctor", "ws://127.0.0.1/", "--horizon", "soon"], "--horizon"),
        (&["doctor", "ws://127.0.0.1/", "--via", "balancer"], "NAME=URL"),
        (&["doctor", "ws://127.0.0.1/", "--every", "0"], "--every: must be longer than 0"),
        (&["doctor", "--replay", &broken], "not a saved run"),
        (&["doctor", "--replay", "no-such-file"], "no-such-file"),
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    }
}

#[test]
#[cfg(unix)]
fn ctrl_c_reports_the_findings_so_far() {
    let gateway = Running::gateway();
    let mut child = undrop(&["doctor", &gateway.echo(), "--horizon", "10m", "--largest", "4KiB"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("watching ")));
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    // Further output must not fill the pipe.
    let rest = std::thread::spawn(move || lines.for_each(drop));
    let output = child.wait_with_output().unwrap();
    rest.join().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    assert!(stdout.contains("The run was stopped early"), "{stdout}");
}

/// Starts a server that receives one POST request. Returns its URL and a channel for the body.
fn webhook() -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/alert", listener.local_addr().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        // The body is one line, at the end of the request.
        while !bytes.ends_with(b"}") {
            let n = stream.read(&mut buffer).unwrap();
            assert!(n > 0, "the request ended early");
            bytes.extend_from_slice(&buffer[..n]);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
        sender.send(String::from_utf8(bytes).unwrap()).unwrap();
    });
    (url, receiver)
}

#[test]
fn watching_reports_drops_and_exits_with_5() {
    let gateway = Running::gateway();
    let upstream = gateway.url.trim_start_matches("ws://");
    let arguments = [
        "chaos",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        upstream,
        "--fault",
        "idle-cut after=700ms how=fin",
    ];
    let mut chaos = undrop(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(chaos.stdout.take().unwrap()).lines();
    let address = lines.next().expect("it says where it listens").unwrap();
    let address = address.split_whitespace().find(|word| word.contains("127.0.0.1:")).unwrap().to_owned();
    let address = address.trim_start_matches("ws://").trim_end_matches([',', '/']).to_owned();
    let chaos = Running { child: chaos, url: address };
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("drops.jsonl").display().to_string();
    let (hook, received) = webhook();
    let (code, stdout, stderr) = run(&[
        "doctor",
        &format!("ws://{}/echo", chaos.url),
        "--watch",
        "--every",
        "200ms",
        "--largest",
        "4KiB",
        "--drop-log",
        &log,
        "--webhook",
        &hook,
        "--fail-after",
        "3",
        "--metrics",
        "127.0.0.1:0",
    ]);
    assert_eq!(code, 5, "{stdout}\n{stderr}");
    assert!(stdout.contains("An idle timeout of 0.7 s"), "{stdout}");
    let written = std::fs::read_to_string(&log).unwrap();
    let drops: Vec<serde_json::Value> = written
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|incident: &serde_json::Value| incident["what"] == "dropped")
        .collect();
    assert_eq!(drops.len(), 3, "{written}");
    assert!(drops.iter().all(|drop| drop["sentinel"] == "silent" && drop["browser"] == 1006), "{written}");
    let alert = received.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
    assert!(
        alert.starts_with("POST /alert HTTP/1.1\r\n") && alert.contains("FIN without close frame"),
        "{alert}"
    );
}

#[test]
fn the_report_is_printed_even_if_a_file_cannot_be_written() {
    let gateway = Running::gateway();
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none").join("run.json").display().to_string();
    let (code, stdout, stderr) = run(&["doctor", &gateway.echo(), "--quick", "--save", &missing]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stdout.contains("Nothing wrong was found") && stderr.contains("run.json"), "{stdout}{stderr}");
}

#[test]
fn headers_that_cannot_be_sent_are_rejected() {
    for (option, value, says) in [
        ("--header", "X Y: a", "`X Y` is not the name"),
        ("--header", "X: a\r\nEvil: b", "line break"),
        ("--subprotocol", "a b", "`a b` is not a token"),
    ] {
        let (code, _, stderr) = run(&["doctor", "ws://127.0.0.1:1/", "--quick", option, value]);
        assert_eq!(code, 2);
        assert!(stderr.contains(says), "{stderr}");
    }
}
