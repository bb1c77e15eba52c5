#![allow(clippy::unwrap_used)]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use undrop_report::{Confidence, Finding};

use super::*;

/// When the made-up logs begin: 2026-05-01 12:00:00 UTC.
const START_S: f64 = 1_777_636_800.0;

/// A made-up session.
#[derive(Clone, Copy)]
struct Made {
    start_s: f64,
    age_s: f64,
    bytes: u64,
}

impl Made {
    fn end_s(self) -> f64 {
        START_S + self.start_s + self.age_s
    }
}

/// Sessions of people over two hours, of which a part is changed.
fn sessions(count: usize, mut change: impl FnMut(usize, &mut Made)) -> Vec<Made> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut made: Vec<Made> = (0..count)
        .map(|i| {
            let age_s = 0.6 - 500.0 * (1.0 - random.f64()).ln();
            let mut one = Made { start_s: random.f64() * 7200.0, age_s, bytes: 9000 };
            change(i, &mut one);
            one
        })
        .collect();
    made.sort_by(|a, b| a.end_s().total_cmp(&b.end_s()));
    made
}

/// Six of ten are cut after so many seconds of silence.
fn cut(idle_s: f64) -> Vec<Made> {
    sessions(1000, |i, one| {
        if i % 10 < 6 {
            (one.age_s, one.bytes) = (idle_s + (i % 7) as f64 / 100.0, 0);
        }
    })
}

fn clock(s: f64) -> String {
    number::written(s as i64)
}

/// `01/May/2026:12:00:00`
fn common(s: f64) -> String {
    let text = clock(s);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months[text[5..7].parse::<usize>().unwrap() - 1];
    format!("{}/{month}/{}:{}", &text[8..10], &text[..4], &text[11..])
}

/// `2026-05-01T12:00:00.123Z`
fn iso(s: f64) -> String {
    let us = ((s - s.floor()) * 1e6) as u32;
    format!("{}.{us:06}Z", clock(s).replace(' ', "T"))
}

/// One line of each format.
type Writer = fn(&Made) -> String;

fn nginx(one: &Made) -> String {
    format!(
        "10.0.0.1 - - [{} +0000] \"GET /ws?t=1 HTTP/1.1\" 101 {} \"-\" \"Mozilla/5.0 (X11)\" {:.3}",
        common(one.end_s()),
        one.bytes,
        one.age_s
    )
}

fn nginx_named(one: &Made) -> String {
    format!(
        "10.0.0.1 - - [{} +0000] \"GET /ws HTTP/1.1\" 101 {} \"-\" \"Mozilla/5.0\" \"-\" rt={:.3} uct=\"0.001\" uht=\"0.002\" urt=\"{:.3}\"",
        common(one.end_s()),
        one.bytes,
        one.age_s,
        one.age_s - 0.001
    )
}

fn nginx_json(one: &Made) -> String {
    format!(
        "{{\"time_iso8601\":\"{}\",\"request_uri\":\"/ws?x\",\"status\":\"101\",\"body_bytes_sent\":\"{}\",\"request_time\":\"{:.3}\",\"http_upgrade\":\"websocket\"}}",
        iso(one.end_s()),
        one.bytes,
        one.age_s
    )
}

fn apache(one: &Made) -> String {
    format!(
        "10.0.0.1 - - [{} +0200] \"GET /ws HTTP/1.1\" 101 {} \"-\" \"Mozilla/5.0\" {}",
        common(one.end_s() - one.age_s + 7200.0),
        one.bytes,
        (one.age_s * 1e6) as u64
    )
}

fn apache_common(one: &Made) -> String {
    format!(
        "10.0.0.1 - - [{} +0000] \"GET /ws HTTP/1.1\" 101 {} {}",
        common(one.end_s() - one.age_s),
        one.bytes,
        (one.age_s * 1e6) as u64
    )
}

fn apache_seconds(one: &Made) -> String {
    format!(
        "10.0.0.1 - - [{} +0000] \"GET /ws HTTP/1.1\" 101 {} \"-\" \"x\" {}",
        common(one.end_s() - one.age_s),
        one.bytes,
        one.age_s as u64
    )
}

fn haproxy_state(one: &Made, state: &str) -> String {
    let start = one.end_s() - one.age_s;
    let ms = ((start - start.floor()) * 1e3) as u32;
    format!(
        "May  1 12:00:00 lb haproxy[814]: 10.0.1.2:33317 [{}.{ms:03}] fe~ be/srv1 0/0/1/2/{} 101 {} - - {state} 1/1/0/0/0 0/0 \"GET /ws HTTP/1.1\"",
        common(start),
        (one.age_s * 1e3) as u64,
        one.bytes + 129
    )
}

fn haproxy(one: &Made) -> String {
    haproxy_state(one, if one.bytes == 0 { "cD--" } else { "----" })
}

fn haproxy_client(one: &Made) -> String {
    haproxy_state(one, if one.bytes == 0 { "CD--" } else { "----" })
}

fn haproxy_tcp(one: &Made) -> String {
    let start = one.end_s() - one.age_s;
    let state = if one.bytes == 0 { "sD" } else { "--" };
    format!(
        "10.0.1.2:33317 [{}.000] fnt bck/srv1 0/1/{} {} {state} 8/8/0/0/0 0/0",
        common(start),
        (one.age_s * 1e3) as u64,
        one.bytes + 129
    )
}

fn envoy(one: &Made) -> String {
    let flags = if one.bytes == 0 { "SI" } else { "DC" };
    format!(
        "[{}] \"GET /ws HTTP/1.1\" 101 {flags} 10 {} {} 1 \"-\" \"Mozilla/5.0\" \"9a3b\" \"chat.example.com\" \"10.0.0.9:8080\"",
        iso(one.end_s() - one.age_s),
        one.bytes,
        (one.age_s * 1e3) as u64
    )
}

fn envoy_json(one: &Made) -> String {
    let flags = if one.bytes == 0 { "UC" } else { "-" };
    format!(
        "{{\"start_time\":\"{}\",\"method\":\"GET\",\"path\":\"/ws\",\"protocol\":\"HTTP/1.1\",\"response_code\":101,\"response_flags\":\"{flags}\",\"bytes_received\":0,\"bytes_sent\":{},\"duration\":{},\"upstream_host\":\"10.0.0.9:80\"}}",
        iso(one.end_s() - one.age_s),
        one.bytes,
        (one.age_s * 1e3) as u64
    )
}

fn istio(one: &Made) -> String {
    format!(
        "[{}] \"GET /ws HTTP/1.1\" 101 - via_upstream - \"-\" 0 {} {} 1 \"-\" \"Mozilla/5.0\" \"9a3b\" \"chat\" \"10.0.0.9:8080\" outbound|80||chat - - - - -",
        iso(one.end_s() - one.age_s),
        one.bytes,
        (one.age_s * 1e3) as u64
    )
}

fn alb(one: &Made) -> String {
    format!(
        "wss {} app/lb/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 101 101 218 {} \"GET https://www.example.com:443/ws HTTP/1.1\" \"Mozilla/5.0\" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:eu-west-1:123:targetgroup/t/1 \"Root=1-58337364\" \"www.example.com\" \"arn:aws:acm:eu-west-1:123:certificate/1\" 0 {} \"forward\" \"-\" \"-\" \"10.0.0.1:80\" \"101\" \"-\" \"-\"",
        iso(one.end_s()),
        one.bytes + 150,
        iso(one.end_s() - one.age_s)
    )
}

fn caddy(one: &Made) -> String {
    format!(
        "{{\"level\":\"info\",\"ts\":{:.6},\"logger\":\"http.log.access\",\"msg\":\"handled request\",\"request\":{{\"remote_ip\":\"10.0.0.1\",\"proto\":\"HTTP/1.1\",\"method\":\"GET\",\"host\":\"a\",\"uri\":\"/ws\",\"headers\":{{\"Upgrade\":[\"websocket\"],\"User-Agent\":[\"x \\\"y\\\"\"]}}}},\"bytes_read\":0,\"user_id\":\"\",\"duration\":{:.9},\"size\":{},\"status\":101,\"resp_headers\":{{\"Upgrade\":[\"websocket\"]}}}}",
        one.end_s(),
        one.age_s,
        one.bytes
    )
}

fn text(made: &[Made], writer: Writer) -> String {
    made.iter().map(|one| writer(one) + "\n").collect()
}

fn judge(log: &[u8]) -> Report {
    let mut survey = Survey::new(None).unwrap();
    survey.read("access.log", log).unwrap();
    survey.conclude()
}

fn finding<'r>(report: &'r Report, id: &str) -> &'r Finding {
    report
        .findings
        .iter()
        .find(|finding| finding.id == id)
        .unwrap_or_else(|| panic!("no {id} in {report:#?}"))
}

#[test]
fn a_known_timer_is_found_in_every_format() {
    for (writer, label, hop, idle_s, confidence) in [
        (
            nginx as Writer,
            "nginx, combined with a request time",
            Some("nginx (proxy_pass), proxy_read_timeout"),
            60.0,
            Confidence::Medium,
        ),
        (
            nginx_named,
            "nginx, combined with a request time",
            Some("nginx (proxy_pass), proxy_read_timeout"),
            60.0,
            Confidence::Medium,
        ),
        (nginx_json, "nginx, JSON", Some("nginx (proxy_pass), proxy_read_timeout"), 60.0, Confidence::Medium),
        (nginx, "nginx, combined with a request time", None, 137.0, Confidence::Medium),
        (
            apache,
            "Apache, combined with %D",
            Some("Apache httpd (mod_proxy_http, mod_proxy_wstunnel), Timeout"),
            60.0,
            Confidence::Medium,
        ),
        (apache_common, "Apache, common with %D", None, 9.0, Confidence::Medium),
        (
            apache_seconds,
            "Apache, combined with %T",
            Some("Apache httpd (mod_proxy_http, mod_proxy_wstunnel), Timeout"),
            60.0,
            Confidence::Medium,
        ),
        (haproxy, "HAProxy, HTTP", Some("HAProxy"), 4.0, Confidence::High),
        (haproxy, "HAProxy, HTTP", Some("HAProxy, timeout client"), 50.0, Confidence::High),
        (haproxy_client, "HAProxy, HTTP", Some("between the client and HAProxy"), 60.0, Confidence::Medium),
        (haproxy_tcp, "HAProxy, TCP", Some("HAProxy"), 7.0, Confidence::High),
        (envoy, "Envoy, default", Some("Envoy, stream_idle_timeout"), 300.0, Confidence::High),
        (envoy_json, "Envoy, JSON", Some("the server side of Envoy"), 60.0, Confidence::Medium),
        (istio, "Istio, default", None, 100.0, Confidence::Medium),
        (
            alb,
            "AWS Application Load Balancer",
            Some("AWS Application Load Balancer, idle_timeout.timeout_seconds"),
            60.0,
            Confidence::Medium,
        ),
        (caddy, "Caddy, JSON", None, 60.0, Confidence::Medium),
    ] {
        let report = judge(text(&cut(idle_s), writer).as_bytes());
        let logs = report.tables.iter().find(|table| table.title == "Logs").unwrap();
        assert_eq!(logs.rows, [["access.log", "1,000", "1,000", "0", label]], "{label}");
        let found = finding(&report, "idle-cut");
        let value = found.value.as_ref().unwrap();
        assert!(
            (value.value - idle_s).abs() <= 0.1 + if label.contains("%T") { 0.5 } else { 0.0 },
            "{label} {idle_s}: {value}"
        );
        assert!((600..640).contains(&value.samples), "{label}: {value}");
        assert_eq!(
            (found.hop.as_deref(), found.confidence),
            (hop, confidence),
            "{label} {idle_s}: {found:#?}"
        );
        assert!(
            report.verdict.starts_with(&found.cause)
                && !found.fixes.is_empty()
                && !found.refuted_by.is_empty()
        );
        assert_eq!(report.findings.len(), 1, "{label}: {:#?}", report.findings);
    }
}

#[test]
fn nothing_is_said_of_logs_in_which_nothing_is_wrong() {
    for writer in [nginx as Writer, apache, haproxy, envoy, alb, caddy] {
        let report = judge(text(&sessions(5000, |_, _| {}), writer).as_bytes());
        assert_eq!(report.findings, [], "{report:#?}");
        assert!(report.verdict.contains("without a pattern"), "{}", report.verdict);
    }
}

#[test]
fn a_cap_of_age_ends_busy_sessions_and_nobody_outlives_it() {
    let capped = sessions(1000, |_, one| one.age_s = one.age_s.min(300.02));
    let report = judge(text(&capped, nginx).as_bytes());
    let found = finding(&report, "lifetime-cap");
    assert_eq!(found.value.as_ref().unwrap().value.round(), 300.0);
    assert!(found.candidates.iter().any(|text| text.contains("Cloud Run")), "{:?}", found.candidates);
    // The same ages without a word on traffic: it could be either.
    let silent = text(&capped, nginx).replace(" 101 9000 ", " 101 - ");
    assert!(judge(silent.as_bytes()).findings.iter().all(|finding| finding.id != "lifetime-cap"));
}

#[test]
fn reloads_are_moments_and_no_timers() {
    let reloaded = sessions(3000, |_, one| {
        for at in [1800.0, 3600.0, 5400.0] {
            if one.start_s < at && one.start_s + one.age_s > at {
                one.age_s = at - one.start_s + 0.2;
            }
        }
    });
    for writer in [nginx as Writer, apache, haproxy, envoy, caddy] {
        let report = judge(text(&reloaded, writer).as_bytes());
        let found = finding(&report, "reload");
        assert_eq!(report.findings.len(), 1, "{report:#?}");
        assert!(found.cause.contains("at 3 moments"), "{}", found.cause);
        assert!(found.evidence.iter().any(|text| text.contains("every 30 min")), "{:?}", found.evidence);
    }
    // Times are those that the log shows; Apache's, of the request, are cut to whole seconds.
    let report = judge(text(&reloaded, apache).as_bytes());
    assert!(finding(&report, "reload").evidence[0].starts_with("2026-05-01 14:29:59"), "{report:#?}");
}

#[test]
fn sessions_that_were_opened_together_are_judged_with_care() {
    let together = |writer: Writer| {
        let made: Vec<Made> = (0..200)
            .map(|i| Made { start_s: 5.0, age_s: 45.0 + f64::from(i % 5) / 100.0, bytes: 0 })
            .collect();
        judge(text(&made, writer).as_bytes())
    };
    let found = together(nginx);
    let found = finding(&found, "idle-cut");
    assert_eq!(found.confidence, Confidence::Low);
    assert!(found.candidates.iter().any(|text| text.contains("restart")), "{:?}", found.candidates);
    // HAProxy's log says itself that it was a timer.
    assert_eq!(finding(&together(haproxy), "idle-cut").confidence, Confidence::High);
}

#[test]
fn failed_handshakes_are_counted_where_websockets_are() {
    let mut log = text(&sessions(100, |_, _| {}), nginx);
    for _ in 0..40 {
        log.push_str(
            "10.0.0.1 - - [01/May/2026:15:00:00 +0000] \"GET /ws?t=2 HTTP/1.1\" 502 157 \"-\" \"x\" 0.001\n",
        );
        log.push_str("10.0.0.1 - - [01/May/2026:15:00:00 +0000] \"GET /index.html HTTP/1.1\" 404 157 \"-\" \"x\" 0.001\n");
    }
    let found = judge(log.as_bytes());
    assert_eq!(finding(&found, "handshakes-fail").cause, "40 of 140 handshakes on /ws failed: 40 × 502.");
    let never = "{\"ts\":1777636800.5,\"logger\":\"http.log.access\",\"request\":{\"uri\":\"/x\",\"headers\":{\"Upgrade\":[\"websocket\"]}},\"duration\":0.1,\"status\":426}\n";
    let report = judge(never.repeat(9).as_bytes());
    assert_eq!(finding(&report, "handshakes-fail").cause, "No WebSocket was opened on /x: 9 × 426.");
    assert_eq!(finding(&report, "handshakes-fail").confidence, Confidence::High);
}

#[test]
fn sessions_that_end_at_once_are_no_timer() {
    let log = text(
        &sessions(300, |i, one| {
            if i % 2 == 0 {
                one.age_s = 0.01 + (i % 40) as f64 / 100.0
            }
        }),
        nginx,
    );
    let report = judge(log.as_bytes());
    assert_eq!(
        report.findings.iter().map(|finding| finding.id.as_str()).collect::<Vec<_>>(),
        ["ends-at-once"]
    );
}

#[test]
fn a_log_without_durations_says_what_to_add() {
    let line = "10.0.0.1 - - [01/May/2026:12:00:00 +0000] \"GET /ws HTTP/1.1\" 101 0 \"-\" \"x\"\n";
    let report = judge(line.repeat(20).as_bytes());
    let found = finding(&report, "no-durations");
    assert!(found.fixes[0].text.contains("$request_time"), "{found:#?}");
    let early = text(&cut(60.0), haproxy).replace("0/0/1/2/", "0/0/1/2/+");
    let report = judge(early.as_bytes());
    assert!(
        report.findings.is_empty() && report.notes.iter().any(|note| note.contains("logasap")),
        "{report:#?}"
    );
}

#[test]
fn a_given_format_is_obeyed() {
    let log: String = cut(60.0)
        .iter()
        .map(|one| format!("{:.3}|{}|{}|101|/ws\n", one.age_s, iso(one.end_s()), one.bytes))
        .collect();
    let mut survey =
        Survey::new(Some("$request_time|$time_iso8601|$body_bytes_sent|$status|$request_uri")).unwrap();
    survey.read("a", log.as_bytes()).unwrap();
    assert!(survey.recognised());
    assert_eq!(
        finding(&survey.conclude(), "idle-cut").hop.as_deref(),
        Some("nginx (proxy_pass), proxy_read_timeout")
    );
    assert!(matches!(Survey::new(Some("$request_time")), Err(FormatError::NoStatus("$status"))));
    let mut survey = Survey::new(Some("%h %{%Y}t %>s %{ms}T")).unwrap();
    survey.read("a", "::1 2026 101 60000\n".repeat(30).as_bytes()).unwrap();
    assert_eq!(survey.conclude().findings[0].value.as_ref().unwrap().value.round(), 60.0);
}

#[test]
fn compressed_cut_and_spoilt_logs_count_as_far_as_they_go() {
    let log = text(&cut(60.0), nginx);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(log.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(judge(&packed).findings, judge(log.as_bytes()).findings);
    let report = judge(&packed[..packed.len() * 3 / 4]);
    assert!(report.notes.iter().any(|note| note.contains("cannot be read after line")), "{:?}", report.notes);
    finding(&report, "idle-cut");
    // Binary garbage, a line that breaks off, a line without an end.
    let mut spoilt = log.clone().into_bytes();
    spoilt.extend_from_slice(b"\x00\xff\xfe\x1b[31m garbage\n10.0.0.1 - - [01/May/2026:12:0");
    let report = judge(&spoilt);
    finding(&report, "idle-cut");
    let note = report.notes.iter().find(|note| note.starts_with("Lines that could not be read: 2.")).unwrap();
    assert!(
        note.contains("access.log:1001: ") && note.contains("access.log:1002: ") && !note.contains('\x1b'),
        "{note}"
    );
}

#[test]
fn what_is_no_log_is_said_to_be_none() {
    for junk in [&b""[..], b"\n\n\n", b"hello\nworld\n", &[0u8; 5000], b"{\"a\":1}\n", b"\x1f\x8b"] {
        let mut survey = Survey::new(None).unwrap();
        // A gzip file of two bytes cannot be read at all.
        if survey.read("junk", junk).is_ok() {
            assert!(survey.conclude().findings.is_empty());
        }
    }
    let mut survey = Survey::new(None).unwrap();
    survey.read("junk", &b"hello\nworld\n"[..]).unwrap();
    assert!(!survey.recognised());
    assert!(survey.conclude().verdict.contains("not known"));
    let plain = "10.0.0.1 - - [01/May/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"x\" 0.001\n";
    assert!(judge(plain.repeat(9).as_bytes()).verdict.contains("no WebSocket session"));
}

#[test]
fn several_logs_are_judged_together_by_format() {
    let made = cut(60.0);
    let (one, other) = made.split_at(500);
    let mut survey = Survey::new(None).unwrap();
    // The newer one first, as the shell sorts them.
    survey.read("access.log", text(other, nginx).as_bytes()).unwrap();
    survey.read("access.log.1", text(one, nginx).as_bytes()).unwrap();
    assert_eq!(survey.conclude().findings, judge(text(&made, nginx).as_bytes()).findings);
    let mut survey = Survey::new(None).unwrap();
    survey.read("a", text(&made, nginx).as_bytes()).unwrap();
    survey.read("b", text(&made, haproxy).as_bytes()).unwrap();
    let report = survey.conclude();
    assert_eq!(report.findings.len(), 2, "{report:#?}");
    assert!(report.findings.iter().any(|finding| finding.cause.starts_with("HAProxy, HTTP: ")));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut survey = Survey::new(None).unwrap();
        let _ = survey.read("x", bytes.as_slice());
        survey.conclude();
    }

    #[test]
    fn no_spoilt_line_panics(writer in 0usize..12, at in 0usize..200, with in proptest::collection::vec(any::<u8>(), 0..20), more in any::<bool>()) {
        let writers = [nginx as Writer, nginx_named, nginx_json, apache, apache_common, haproxy, haproxy_tcp, envoy, envoy_json, istio, alb, caddy];
        let made = Made { start_s: 1.0, age_s: 60.0, bytes: 5 };
        let good = text(&[made; 20], writers[writer]).into_bytes();
        let mut log = good.clone();
        let at = at.min(log.len());
        log.splice(at..(at + if more { 0 } else { with.len() }).min(good.len()), with);
        log.extend_from_slice(&good);
        let mut survey = Survey::new(None).unwrap();
        survey.read("x", log.as_slice()).unwrap();
        survey.conclude();
    }

    #[test]
    fn no_format_panics(format in "[$%{}\\[\\]a-zA-Z:>()^ \"]{0,40}", line in "\\PC{0,80}") {
        if let Ok(mut survey) = Survey::new(Some(&format)) {
            survey.read("x", line.as_bytes()).unwrap();
            survey.conclude();
        }
    }
}
