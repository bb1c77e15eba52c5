#![allow(clippy::unwrap_used)]

use serde_json::Value;
use undrop_report::{Style, layout};

use super::conditions::Condition;
use undrop_frame::{Ending, LocalFault};

use super::*;
use crate::ConnectStage;
use crate::connection::proof::StreamCounts;
use crate::metrics::tally::Tally;
use crate::plan::Plan;

fn plain(report: &LoadReport) -> String {
    text(report, &Style::plain())
}

/// The text on one line, so that a test does not depend on where lines are wrapped.
fn unwrapped(report: &LoadReport) -> String {
    plain(report).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn report((plan, tally): (Plan, Tally)) -> LoadReport {
    LoadReport::new(&plan, &tally)
}

fn judged(sample: (Plan, Tally), conditions: &[&str]) -> LoadReport {
    let mut report = report(sample);
    let conditions: Vec<Condition> = conditions.iter().map(|text| text.parse().unwrap()).collect();
    report.check(&conditions);
    report
}

#[test]
fn the_report_of_a_run() {
    let report = judged(samples::run(), &["p99<50ms", "survival>=99.9%", "rate>=99%", "lost=0"]);
    insta::assert_snapshot!(plain(&report));
}

#[test]
fn the_reports_of_other_modes() {
    for (name, sample) in [
        ("slow", samples::slow()),
        ("hold", samples::hold(1000)),
        ("quiet", samples::quiet(2)),
        ("refused", samples::refused()),
        ("storm", samples::storm()),
        ("sessions", samples::sessions()),
        ("sink", samples::sink()),
        ("flood", samples::flood()),
        ("broadcast", samples::broadcast()),
        ("ramp", samples::ramp()),
        ("churn", samples::churn()),
        ("scenario", samples::scenario()),
    ] {
        insta::assert_snapshot!(name, plain(&report(sample)));
    }
}

/// A sample of each mode.
fn all() -> Vec<(&'static str, (Plan, Tally))> {
    vec![
        ("run", samples::run()),
        ("slow", samples::slow()),
        ("hold", samples::hold(1000)),
        ("hold-100000", samples::hold(100_000)),
        ("one", samples::quiet(1)),
        ("two", samples::quiet(2)),
        ("refused", samples::refused()),
        ("storm", samples::storm()),
        ("sessions", samples::sessions()),
        ("sink", samples::sink()),
        ("flood", samples::flood()),
        ("broadcast", samples::broadcast()),
        ("ramp", samples::ramp()),
        ("churn", samples::churn()),
        ("scenario", samples::scenario()),
    ]
}

#[test]
fn all_lines_but_the_first_fit_the_terminal() {
    for (name, sample) in all() {
        let report = judged(sample, &["p99<50ms", "survival>=99.9%", "lost=0"]);
        for width in [40, 80, 120] {
            let text = text(&report, &Style { colour: false, width });
            if let Some(directory) = std::env::var_os("UNDROP_SAMPLE_PAGES") {
                let file = std::path::Path::new(&directory).join(format!("{name}-{width}.txt"));
                std::fs::write(file, &text).unwrap();
            }
            for line in text.lines().skip(1) {
                assert!(layout::width(line) <= width, "{name}: {line}");
                assert!(!line.ends_with(' ') && !line.contains('\u{1b}'), "{line:?}");
            }
        }
    }
}

#[test]
fn pages_are_deterministic_small_and_need_no_other_file() {
    for (name, sample) in all() {
        let report = judged(sample, &["p99<50ms", "survival>=99.9%"]);
        let page = html(&report);
        assert_eq!(page, html(&report), "{name}");
        assert!(page.len() < 120_000, "{name}: {}", page.len());
        for bad in ["<script", "src=", "href=", "@import", "url(", "NaN", "inf ", "\u{1b}"] {
            assert!(!page.contains(bad), "{name}: {bad}");
        }
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        if let Some(directory) = std::env::var_os("UNDROP_SAMPLE_PAGES") {
            let file = std::path::Path::new(&directory).join(format!("{name}.html"));
            std::fs::write(file, page).unwrap();
        }
    }
}

#[test]
fn text_of_a_target_stays_text_and_invisible_characters_are_shown() {
    let evil = "<script>alert(1)</script>\"'&\u{1b}\u{202e}";
    let (mut plan, mut tally) = samples::run();
    plan.target.url = evil.to_owned();
    plan.verify = true;
    tally.ended(samples::ending(evil, 1.0, 1.0));
    tally.ended(samples::closed_with(4000, evil, 1.0, 1.0));
    tally.failed(ConnectStage::Connect, &samples::ending(evil, 1.0, 1.0).ending, evil, 1.0);
    let (_, users) = samples::scenario();
    tally.users = users.users;
    tally.users.failed.insert(evil.to_owned(), 1);
    plan.mode = samples::scenario().0.mode;
    let report = LoadReport::new(&plan, &tally);
    let page = html(&report);
    for bad in ["<script", "alert(1)</", "\"'&", "\u{1b}", "\u{202e}"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(page.matches("&lt;script&gt;").count() >= 6, "{}", page.matches("&lt;script&gt;").count());
    for text in [page, plain(&report)] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
        assert!(text.contains("\\u{202e}"), "{text}");
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let report = report(samples::run());
    let coloured = text(&report, &Style { colour: true, width: 80 });
    assert!(coloured.contains("\u{1b}[1m"));
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        stripped.push_str(&rest[..at]);
        rest = &rest[at + rest[at..].find('m').unwrap() + 1..];
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain(&report));
}

#[test]
fn first_lines() {
    let line = |sample| report(sample).survival_line();
    assert_eq!(
        line(samples::run()),
        "998 of 1,000 alive at the end; 2 ended: 1 RST at 31.2 s, 1 close 1011 at 40.0 s"
    );
    assert_eq!(line(samples::quiet(1)), "1 of 1 alive at the end");
    assert_eq!(line(samples::refused()), "none of 1,000 connections could be opened: 1,000 refused");
    assert_eq!(
        line(samples::hold(1000)),
        "18 of 1,000 alive at the end; 982 ended: 980 FIN without close frame at 60.0 s (60.0–60.1), 2 RST at 20.0 s"
    );
    let (plan, mut tally) = samples::quiet(10);
    tally.asked = 12;
    tally.failed(ConnectStage::Handshake, &Ending::Refused, "403", 0.0);
    tally.failed(ConnectStage::Tls, &Ending::BlackHole, "no answer", 0.0);
    assert_eq!(
        LoadReport::new(&plan, &tally).survival_line(),
        "10 of 10 alive at the end; 2 of 12 could not be opened: 1 black hole, 1 refused"
    );
}

#[test]
fn many_kinds_of_endings_are_summed_up_in_the_first_line() {
    let (plan, mut tally) = samples::quiet(9);
    tally.alive_at_end = 0;
    for (i, kind) in
        ["RST", "RST", "RST", "close 1011", "close 1012", "close 1013", "close 1003"].iter().enumerate()
    {
        tally.ended(samples::ending(kind, i as f64, i as f64));
    }
    assert_eq!(
        LoadReport::new(&plan, &tally).survival_line(),
        "0 of 9 alive at the end; 7 ended: 3 RST at 1.0 s (0.0–2.0), 1 close 1003 at 6.0 s, 1 close 1011 at 3.0 s, \
         2 in other ways"
    );
}

/// Every key, with the type of its value; lists by their first entry.
fn keys(path: &str, value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                keys(&format!("{path}.{key}"), value, out);
            }
        }
        Value::Array(items) => match items.first() {
            Some(first) => keys(&format!("{path}[]"), first, out),
            None => out.push(format!("{path}[]")),
        },
        Value::Null => out.push(format!("{path}: null")),
        Value::Bool(_) => out.push(format!("{path}: bool")),
        Value::Number(_) => out.push(format!("{path}: number")),
        Value::String(_) => out.push(format!("{path}: string")),
    }
}

#[test]
fn json_keys_are_stable() {
    let (mut plan, mut tally) = samples::run();
    plan.verify = true;
    tally.echoed = StreamCounts { received: 599_999, ..StreamCounts::default() };
    tally.failed(ConnectStage::Connect, &Ending::Refused, "no", 1.0);
    let mut report = LoadReport::new(&plan, &tally);
    report.check(&["p99<50ms".parse().unwrap()]);
    let mut all = Vec::new();
    keys("", &serde_json::to_value(&report).unwrap(), &mut all);
    insta::assert_snapshot!("json_keys", all.join("\n"));
    for (name, sample) in [
        ("storm", samples::storm()),
        ("ramp", samples::ramp()),
        ("broadcast", samples::broadcast()),
        ("churn", samples::churn()),
        ("users", samples::scenario()),
    ] {
        let value = serde_json::to_value(LoadReport::new(&sample.0, &sample.1)).unwrap();
        let mut all = Vec::new();
        keys("", &value[name], &mut all);
        insta::assert_snapshot!(format!("json_keys_{name}"), all.join("\n"));
    }
}

#[test]
fn what_is_not_known_is_null_in_json() {
    let value = serde_json::to_value(report(samples::quiet(1))).unwrap();
    for key in ["lost", "doubled", "reordered", "corrupted", "intended", "proof"] {
        assert_eq!(value["messages"][key], Value::Null, "{key}");
    }
    assert_eq!(value["latency_ms"], Value::Null);
    assert_eq!(value["rate"], Value::Null);
    assert_eq!(value["handshake_ms"]["total"]["p99"], Value::Null);
    assert_eq!(value["handshake_ms"]["total"]["count"], 1);
}

#[test]
fn a_proof_is_judged_per_direction() {
    let sink = report(samples::sink());
    assert!(!sink.is_exactly_once());
    assert_eq!(
        (sink.messages.lost, sink.messages.doubled, sink.messages.reordered, sink.messages.corrupted),
        (Some(2), Some(1), Some(3), Some(0))
    );
    let sessions = report(samples::sessions());
    assert!(sessions.is_exactly_once());
    let (plan, mut tally) = samples::sessions();
    tally.echoed.received -= 1;
    assert!(!LoadReport::new(&plan, &tally).is_exactly_once());
    let (plan, mut tally) = samples::sink();
    (tally.up.doubled, tally.down.reordered, tally.down.received) = (0, 0, 10_000);
    assert!(LoadReport::new(&plan, &tally).is_exactly_once());
    (tally.unanswered, tally.unproven) = (1, 1200);
    let unproven = LoadReport::new(&plan, &tally);
    assert!(!unproven.is_exactly_once());
    let said = unwrapped(&unproven);
    assert!(
        said.contains("1 of 100 streams and the 1,200 messages sent on them could not be verified"),
        "{said}"
    );
    assert!(report(samples::run()).is_exactly_once(), "nothing was to be verified");
}

#[test]
fn more_than_was_sent_proves_nothing() {
    let (plan, mut tally) = samples::sink();
    (tally.up.doubled, tally.down.reordered, tally.down.received) = (0, 0, 10_001);
    let report = LoadReport::new(&plan, &tally);
    assert!(!report.is_exactly_once());
    assert!(unwrapped(&report).contains("from the sink: 10,001 messages received, more than were sent"));
}

#[test]
fn what_no_sink_was_asked_about_went_to_a_target_that_echoes() {
    let (plan, mut tally) = samples::sink();
    (tally.up.doubled, tally.down.reordered, tally.down.received) = (0, 0, 10_000);
    tally.sent += 500;
    tally.echoed = StreamCounts { received: 500, ..StreamCounts::default() };
    assert!(LoadReport::new(&plan, &tally).is_exactly_once());
    tally.echoed.received = 499;
    let report = LoadReport::new(&plan, &tally);
    assert_eq!((report.is_exactly_once(), report.messages.lost), (false, Some(1)));
}

#[test]
fn answers_that_are_not_ours_are_said_to_be() {
    let (mut plan, mut tally) = samples::run();
    plan.verify = true;
    (tally.corrected, tally.uncorrected) = (crate::Times::default(), crate::Times::default());
    let said = |tally: &Tally| unwrapped(&LoadReport::new(&plan, tally));
    let other = said(&tally);
    assert!(other.contains("Latency Not measured: the messages received differ from those sent"), "{other}");
    assert!(
        other.contains("no message that was received carries a number: the target may neither echo"),
        "{other}"
    );
    tally.received = 0;
    let silent = said(&tally);
    assert!(silent.contains("Latency Not measured: no reply was received"), "{silent}");
    assert!(silent.contains("nothing was received: the target may neither echo"), "{silent}");
}

#[test]
fn a_churn_that_had_no_room_did_not_keep_its_rate() {
    let (plan, mut tally) = samples::churn();
    assert!(!LoadReport::new(&plan, &tally).is_slow());
    for _ in 0..500 {
        tally.failed(ConnectStage::Connect, &LocalFault::ConnectionLimit.into(), "too few", 1.0);
    }
    tally.asked = 1499;
    let report = LoadReport::new(&plan, &tally);
    assert!(report.is_slow());
    assert!(!report.survival_line().contains("failed"), "{}", report.survival_line());
    assert_eq!(report.unopened(), 0.0, "the client's own limit is not a failure of the target");
    assert!(unwrapped(&report).contains("500 of 1,499 connections were not attempted"), "{}", plain(&report));
}

#[test]
fn connections_that_could_not_be_opened_are_a_part_of_those_asked_for() {
    let (plan, mut tally) = samples::quiet(98);
    tally.asked = 100;
    assert_eq!(LoadReport::new(&plan, &tally).unopened(), 0.0, "ended before they were tried");
    tally.failed(ConnectStage::Handshake, &Ending::Refused, "503", 0.1);
    tally.failed(ConnectStage::Handshake, &Ending::Refused, "503", 0.1);
    assert_eq!(LoadReport::new(&plan, &tally).unopened(), 0.02);
    assert_eq!(report(samples::ramp()).unopened(), 0.0, "a ramp is for that");
    assert_eq!(report(samples::storm()).unopened(), 0.0, "all came back in the end");
}

#[test]
fn a_rate_that_was_not_kept_is_said_before_latency() {
    let slow = report(samples::slow());
    assert!(slow.is_slow());
    let text = unwrapped(&slow);
    let warning = text.find("Only 85,464 of 120,000 intended messages (71.2 %) were sent").unwrap();
    assert!(warning < text.find(" Latency ").unwrap());
    assert!(!report(samples::run()).is_slow());
    assert!(!report(samples::flood()).is_slow(), "a closed workload has no rate to keep");
}

#[test]
fn a_storm_counts_handshakes_since_the_first_loss() {
    let report = report(samples::storm());
    let storm = report.storm.unwrap();
    assert_eq!((storm.lost, storm.back, storm.attempts), (10_000, 10_000, 10_000));
    // The first second of the sample: 36 of 100 steps.
    assert!((3500.0..=3700.0).contains(&storm.peak_handshakes_per_s), "{storm:?}");
}

#[test]
fn a_broadcast_is_complete_with_or_without_the_senders_own_copy() {
    let (plan, mut tally) = samples::broadcast();
    for (received, expected) in [(99_900, 99_900), (100_000, 100_000), (99_950, 100_000), (99_000, 99_900)] {
        tally.received = received;
        assert_eq!(LoadReport::new(&plan, &tally).broadcast.unwrap().copies_expected, expected);
    }
}

#[test]
fn the_guide_names_every_key() {
    let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bench.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (mut plan, mut tally) = samples::run();
    plan.verify = true;
    tally.failed(ConnectStage::Connect, &Ending::Refused, "no", 1.0);
    let mut full = LoadReport::new(&plan, &tally);
    full.check(&["p99<50ms".parse().unwrap()]);
    let mut all = Vec::new();
    for report in [
        full,
        report(samples::storm()),
        report(samples::ramp()),
        report(samples::broadcast()),
        report(samples::churn()),
        report(samples::scenario()),
    ] {
        let mut value = serde_json::to_value(report).unwrap();
        // Its keys are reasons, not ours.
        value["users"]["failed"].take();
        keys("", &value, &mut all);
    }
    for path in all {
        let path = path.split(": ").next().unwrap().replace("[]", "");
        for key in path.split('.').filter(|key| !key.is_empty() && !key.chars().all(|c| c.is_ascii_digit())) {
            let whole = [format!("`{key}`"), format!("`{key}[]`"), format!(".{key}`"), format!("`{key}[")];
            assert!(whole.iter().any(|form| guide.contains(form.as_str())), "{path}: {key}");
        }
    }
}
