//! Tests of the program as scripts use it: exit codes, error messages, and the stream of each output.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
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

/// A running gateway with its embedded backend, which is killed when it is dropped.
struct Gateway {
    child: Child,
    url: String,
}

impl Gateway {
    fn start(arguments: &[&str]) -> Gateway {
        let mut all = vec!["gateway", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let mut child = undrop(&all).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("it says where it listens").to_owned();
        Gateway { child, url }
    }

    fn echo(&self) -> String {
        format!("{}/echo", self.url)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `undrop connect` with `input` on its standard input.
fn connect(url: &str, options: &[&str], input: &str) -> (i32, String, String) {
    let mut arguments = vec!["connect", url, "--linger", "200ms"];
    arguments.extend(options);
    let mut child = undrop(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that has already failed does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_closed_pipe_is_not_a_failure() {
    let mut child =
        undrop(&["demo", "--seconds", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!((child.wait().unwrap().code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn wrong_usage_is_reported_in_one_sentence_and_exits_with_2() {
    for (arguments, expected) in [
        (&["gatewy"][..], "gateway"),
        (&["gateway", "--upstream", "ftp://x"], "ws://HOST:PORT"),
        (&["gateway", "--listen", "nonsense"], "HOST:PORT"),
        (&["gateway", "--heartbeat", "soon"], "not a duration"),
        (&["gateway", "--listen", "127.0.0.1:0", "--node", "a.b"], "node name `a.b`"),
        (&["gateway", "--tls-cert", "c.pem"], "--tls-key"),
        (&["gateway", "--config", "/does/not/exist.toml"], "/does/not/exist.toml"),
        (&["connect", "http//x"], "not a WebSocket URL"),
        (&["connect", "ws://127.0.0.1:1", "--header", "nocolon"], "NAME: VALUE"),
        (&["demo", "--seconds", "0"], "--seconds"),
        (&["--log", "undrop=loud", "gateway"], "--log"),
    ] {
        let (code, out, error) = run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

#[test]
fn a_mistyped_key_is_reported_with_file_line_and_suggestion() {
    let file = std::env::temp_dir().join(format!("undrop-commands-{}.toml", std::process::id()));
    std::fs::write(&file, "workers = 1\n[session]\nheartbeet = \"5s\"\n").unwrap();
    let (code, _, error) = run(&["gateway", "--check", "--config", file.to_str().unwrap()]);
    std::fs::write(&file, "workers = 1\n[session]\nheartbeat = \"5s\"\n").unwrap();
    let (good, out, _) = run(&["gateway", "--check", "--config", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(code, 2);
    assert!(error.contains("line 3") && error.contains("did you mean `heartbeat`"), "{error}");
    assert!(error.contains(file.to_str().unwrap()), "{error}");
    assert_eq!(good, 0);
    assert!(out.contains("valid"));
}

#[test]
fn an_address_in_use_is_reported() {
    // Without SO_REUSEPORT, no other socket can listen on it.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, error) = run(&["gateway", "--listen", &address]);
    assert_eq!(code, 2);
    assert!(error.contains(&address), "{error}");
}

#[test]
fn lines_are_echoed_through_a_session() {
    let gateway = Gateway::start(&[]);
    let (code, out, error) = connect(&gateway.echo(), &["--session", "require"], "one\ntwo\nthree\n");
    assert_eq!((code, out.as_str()), (0, "one\ntwo\nthree\n"), "{error}");
    assert!(error.contains("open: session"), "{error}");
    let (code, out, error) = connect(&gateway.echo(), &["--session", "off", "--compress"], &"x".repeat(5000));
    assert_eq!((code, out.len()), (0, 5001), "{error}");
    assert!(error.contains("open: plain"), "{error}");
}

#[test]
fn a_server_without_sessions_is_reported() {
    let gateway = Gateway::start(&["--no-sessions"]);
    let (code, _, error) = connect(&gateway.echo(), &["--session", "require"], "one\n");
    assert_eq!(code, 3, "{error}");
    assert!(error.contains("does not speak the session protocol"), "{error}");
    let (code, out, _) = connect(&gateway.echo(), &[], "one\n");
    assert_eq!((code, out.as_str()), (0, "one\n"));
}

#[test]
fn every_ending_has_its_text_and_exit_code() {
    let gateway = Gateway::start(&[]);
    let (code, _, error) = connect(&format!("{}/nowhere", gateway.url), &["--once"], "");
    assert_eq!(code, 3);
    assert!(error.contains("answered 404"), "{error}");

    let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let (code, _, error) = connect(&format!("ws://{unused}/"), &["--once"], "");
    assert_eq!(code, 3);
    assert!(error.contains("refused"), "{error}");

    let (code, _, error) = connect(&gateway.echo().replace("ws://", "wss://"), &["--once"], "");
    assert_eq!(code, 4);
    assert!(error.contains("TLS"), "{error}");

    // A server that completes the handshake and then ends the connection without a Close frame.
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        stream.write_all(&undrop_frame::handshake::response_101(key, None, None, &[])).unwrap();
    });
    let (code, _, error) = connect(&url, &["--once", "--session", "off"], "");
    thread.join().unwrap();
    assert_eq!(code, 5, "{error}");
    assert!(error.contains("FIN without close frame") && error.contains("1006"), "{error}");
}

#[test]
fn the_demo_prints_one_json_object_and_loses_no_message() {
    let (code, out, error) = run(&["demo", "--seconds", "4", "--json", "--seed", "7"]);
    assert_eq!(code, 0, "{out}{error}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    for key in ["sent", "received", "lost", "doubled", "reordered"] {
        assert!(report["plain"][key].is_u64() && report["undrop"][key].is_u64(), "{key}: {out}");
    }
    assert!(report["undrop"]["sent"].as_u64() > Some(100), "{out}");
    assert_eq!(report["undrop"]["lost"], 0, "{out}");
    assert!(report["undrop"]["resumes"].as_u64() > Some(0), "{out}");
}
