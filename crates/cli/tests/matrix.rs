//! The same faults with each command: all commands report an ending with the same words and the same exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

fn undrop(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_undrop"));
    command.args(arguments).stdin(Stdio::null()).env_remove("UNDROP_LOG").env("NO_COLOR", "1");
    command
}

/// A server command, which runs until it is dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Server {
        let mut child = undrop(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        // A child blocks when its output is not read.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let address = line.split_once("listening on ").expect("it says where it listens").1;
        let address = address.split_whitespace().next().unwrap();
        Server { child, address: address.trim_start_matches("ws://").to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An echo server behind a chaos proxy with a fault.
struct Bench {
    _gateway: Server,
    chaos: Server,
}

impl Bench {
    fn with(faults: &[&str]) -> Bench {
        let gateway = Server::start(&["gateway", "--listen", "127.0.0.1:0"]);
        let mut arguments =
            vec!["chaos", "--listen", "127.0.0.1:0", "--seed", "7", "--upstream", &gateway.address];
        for fault in faults {
            arguments.extend(["--fault", fault]);
        }
        let chaos = Server::start(&arguments);
        Bench { _gateway: gateway, chaos }
    }

    fn url(&self) -> String {
        format!("ws://{}/echo", self.chaos.address)
    }

    /// Returns the exit code and the report of a load of five connections for three seconds.
    fn load(&self, more: &[&str]) -> (i32, serde_json::Value) {
        let url = self.url();
        let mut arguments =
            vec!["bench", "run", "-c", "5", "-r", "20", "-d", "3", "--dead-after", "1", "--json", "--quiet"];
        arguments.extend(more);
        arguments.push(&url);
        let Output { status, stdout, stderr } = undrop(&arguments).output().unwrap();
        let report = serde_json::from_slice(&stdout)
            .unwrap_or_else(|_| panic!("no report, but {}", String::from_utf8_lossy(&stderr)));
        (status.code().unwrap(), report)
    }

    /// Returns the exit code and the report of `doctor`, which expects connections to live for three seconds.
    fn doctor(&self) -> (i32, serde_json::Value) {
        let url = self.url();
        let arguments = ["doctor", "--horizon", "3s", "--expect-alive", "3s", "--json", &url];
        let Output { status, stdout, stderr } = undrop(&arguments).output().unwrap();
        let report = serde_json::from_slice(&stdout)
            .unwrap_or_else(|_| panic!("no report, but {}", String::from_utf8_lossy(&stderr)));
        (status.code().unwrap(), report)
    }

    /// Asserts that the doctor reports early ends with this ending as evidence.
    fn assert_doctor_sees(&self, ending: &str) {
        let (code, report) = self.doctor();
        assert_eq!(code, 5, "{report:#}");
        let evidence = report["findings"][0]["evidence"].to_string();
        assert!(evidence.contains(ending), "{report:#}");
    }

    /// Returns the exit code and the standard error of `connect`, which sends until the connection ends.
    fn connect(&self, more: &[&str]) -> (i32, String) {
        let url = self.url();
        let mut arguments = vec!["connect", &url, "--once"];
        arguments.extend(more);
        let mut child = undrop(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let (over, is_over) = mpsc::channel::<()>();
        // Ten lines per second are sent until the command has ended.
        let talk = std::thread::spawn(move || {
            while is_over.recv_timeout(Duration::from_millis(100)) == Err(mpsc::RecvTimeoutError::Timeout) {
                if writeln!(input, "hello").is_err() {
                    return;
                }
            }
        });
        let output = child.wait_with_output().unwrap();
        drop(over);
        talk.join().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

/// Asserts that all five connections ended with this ending, at this age.
fn assert_dropped(bench: &Bench, ending: &str, browser: u64, age: std::ops::Range<f64>) {
    let (code, report) = bench.load(&[]);
    assert_eq!(code, 5, "{report:#}");
    assert_eq!(report["connections"]["alive_at_end"], 0, "{report:#}");
    let endings = report["endings"].as_array().unwrap();
    assert_eq!(endings.len(), 1, "{report:#}");
    assert_eq!(endings[0]["ending"], ending);
    assert_eq!(endings[0]["browser"], browser);
    assert_eq!(endings[0]["count"], 5);
    for at in endings[0]["ages_s"].as_array().unwrap() {
        assert!(age.contains(&at.as_f64().unwrap()), "{ending} at {at}, expected in {age:?}");
    }
}

#[test]
fn rst() {
    let bench = Bench::with(&["cut age=1s how=rst"]);
    assert_dropped(&bench, "RST", 1006, 0.8..3.0);
    bench.assert_doctor_sees("RST");
    let (code, said) = bench.connect(&[]);
    assert!(code == 5 && said.contains("connection lost: RST"), "{code}: {said}");
}

#[test]
fn fin() {
    let bench = Bench::with(&["cut age=1s how=fin"]);
    assert_dropped(&bench, "FIN without close frame", 1006, 0.8..3.0);
    bench.assert_doctor_sees("FIN without close frame");
    let (code, said) = bench.connect(&[]);
    assert!(code == 5 && said.contains("connection lost: FIN without close frame"), "{code}: {said}");
}

#[test]
fn close_1011() {
    let bench = Bench::with(&["close-frame after=1s code=1011"]);
    assert_dropped(&bench, "close 1011", 1011, 0.8..3.0);
    bench.assert_doctor_sees("close 1011");
    let (code, said) = bench.connect(&["--session", "off"]);
    assert!(code == 5 && said.contains("close 1011"), "{code}: {said}");
}

#[test]
fn black_hole() {
    let bench = Bench::with(&["black-hole after=1s"]);
    assert_dropped(&bench, "black hole", 1006, 0.3..2.0);
    bench.assert_doctor_sees("black hole");
    let (code, report) = bench.load(&["--ensure", "survival>=100%"]);
    assert_eq!(code, 6, "{report:#}");
}

#[test]
fn slow() {
    let bench = Bench::with(&["latency base=100ms"]);
    let (code, report) = bench.load(&[]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["connections"]["alive_at_end"], 5);
    let p50 = report["latency_ms"]["p50"].as_f64().unwrap();
    assert!((200.0..800.0).contains(&p50), "{p50} ms");
    let (code, report) = bench.load(&["--ensure", "p50<50ms", "--ensure", "survival>=100%"]);
    assert_eq!(code, 6, "{report:#}");
    let passed: Vec<_> =
        report["thresholds"].as_array().unwrap().iter().map(|one| one["passed"].clone()).collect();
    assert_eq!(passed, [false, true]);
    let (code, report) = bench.doctor();
    assert_eq!(code, 0, "a slow server is not a fault: {report:#}");
    let (code, said) = undrop_connect_once(&bench);
    assert_eq!(code, 0, "{said}");
}

/// Sends one line with `undrop connect` and waits for its echo.
fn undrop_connect_once(bench: &Bench) -> (i32, String) {
    let url = bench.url();
    let mut child = undrop(&["connect", &url, "--once", "--linger", "1s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "hello").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\n");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn in_the_middle_of_a_frame() {
    let bench = Bench::with(&["cut mid-frame=20 direction=down how=rst"]);
    let (code, report) = bench.load(&[]);
    assert_eq!(code, 5, "{report:#}");
    assert_eq!(report["endings"][0]["ending"], "RST");
    assert_eq!(report["connections"]["alive_at_end"], 0);
    // The cut frame is not counted as received.
    assert_eq!(report["messages"]["received"], 5 * 19);
    let (code, said) = bench.connect(&["--session", "off"]);
    assert!(code == 5 && said.contains("connection lost: RST"), "{code}: {said}");
}

#[test]
fn refused() {
    let bench = Bench::with(&["refuse"]);
    let (code, report) = bench.load(&[]);
    assert_eq!(code, 3, "{report:#}");
    assert_eq!((report["connections"]["opened"].clone(), report["failures"][0]["ending"].clone()), {
        (0.into(), "refused".into())
    });
    let (code, report) = bench.doctor();
    assert_eq!((code, report["findings"][0]["id"].as_str()), (3, Some("cannot-connect")), "{report:#}");
    let (code, said) = bench.connect(&[]);
    assert!(code == 3 && said.contains("refused"), "{code}: {said}");
}
