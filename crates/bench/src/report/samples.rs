//! Runs made up for tests.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use undrop_frame::{CloseCode, Ending, ProtocolFault};

use crate::connection::proof::StreamCounts;
use crate::metrics::tally::{EndingRecord, Tally};
use crate::plan::{Mode, Payload, Plan, Policy, ScenarioSource, Target, Trigger, Trust};
use undrop_session::SessionMode;
use undrop_transport::ConnectStage;

pub(crate) fn plan(mode: Mode, connections: u32, rate: f64) -> Plan {
    Plan {
        target: Target {
            url: "ws://127.0.0.1:8080/echo".to_owned(),
            headers: Vec::new(),
            protocols: Vec::new(),
            compress: false,
            trust: Trust::Native,
            server_name: None,
            source: Vec::new(),
            addresses: Vec::new(),
            timeout: Duration::from_secs(10),
            proxy: None,
            max_message: 64 << 20,
        },
        mode,
        connections,
        ramp_up: Duration::ZERO,
        concurrency: 200,
        rate,
        duration: Duration::from_secs(60),
        payload: Payload::of_size(64, false),
        verify: false,
        session: SessionMode::Off,
        reconnect: None,
        ping: None,
        dead_after: Duration::from_secs(10),
        settle: Duration::from_secs(5),
        seed: 42,
        first: 0,
        epoch_us: 0,
        workers: 1,
    }
}

pub(crate) fn ending(ending: &str, age_s: f64, at_s: f64) -> EndingRecord {
    let ending = match ending {
        "FIN without close frame" => Ending::Fin,
        "RST" => Ending::Reset,
        "black hole" => Ending::BlackHole,
        "clean 1000" => close(1000, ""),
        "going away 1001" => close(1001, ""),
        other => match other.strip_prefix("close ").and_then(|code| code.parse().ok()) {
            Some(code) => close(code, ""),
            None => ProtocolFault::InvalidData(other.to_owned()).into(),
        },
    };
    EndingRecord { ending, age_s, at_s }
}

pub(crate) fn closed_with(code: u16, reason: &str, age_s: f64, at_s: f64) -> EndingRecord {
    EndingRecord { ending: close(code, reason), age_s, at_s }
}

fn close(code: u16, reason: &str) -> Ending {
    Ending::Close { code: CloseCode::new(code), reason: reason.to_owned() }
}

/// Connections that were opened within the first second and, except for the endings noted, closed at the end.
fn opened(tally: &mut Tally, count: u64, seconds: f64) {
    tally.asked = count;
    tally.opened = count;
    tally.attempts = count;
    tally.sending = Duration::from_secs_f64(seconds);
    for i in 0..10 {
        let slot = tally.timeline.at(f64::from(i) / 10.0);
        let share = count / 10 + u64::from(i == 0) * (count % 10);
        slot.opened += share;
        slot.attempts += share;
    }
    for i in 0..count.min(5000) {
        tally.record_handshake(
            Duration::from_micros(180 + i % 97),
            None,
            Duration::from_micros(400 + i % 211 + if i % 500 == 499 { 30_000 } else { 0 }),
        );
    }
}

fn closed(tally: &mut Tally, at: f64) {
    tally.alive_at_end = tally.opened - tally.ended_count();
    let alive = tally.alive_at_end;
    tally.timeline.at(at).closed += alive;
}

/// Messages to a schedule, and their answers, with a tail: every thousandth is late, every 20,000th very late.
fn messages(tally: &mut Tally, count: u64, seconds: f64) {
    tally.intended = count;
    tally.sent = count;
    tally.received = count;
    tally.bytes_sent = count * 64;
    tally.bytes_received = count * 64;
    tally.cpu = Duration::from_micros(count * 8);
    tally.cpu_messages = count;
    let slots = (seconds * 10.0) as u64;
    for i in 0..slots {
        let slot = tally.timeline.at(1.0 + i as f64 / 10.0);
        // Not quite even, as in life.
        let share = count / slots + (i % 7) * count / slots / 200;
        slot.intended += count / slots;
        slot.sent += share;
        slot.received += share;
    }
    for i in 0..count.min(600_000) {
        let tail = match i {
            i if i % 20_000 == 19_999 => 40_000,
            i if i % 1000 == 999 => 2500,
            _ => 0,
        };
        let quick = 150 + (i * 7919 % 997) * (i * 104_729 % 499) / 1000;
        tally.uncorrected.record_us(quick + tail / 4);
        tally.corrected.record_us(quick + tail);
        tally.lag.record_us(20 + tail * 3 / 4);
    }
}

/// 1,000 connections, 10 messages a second each, two of them lost.
pub(crate) fn run() -> (Plan, Tally) {
    let mut tally = Tally { memory: 5_300_000, ..Tally::default() };
    opened(&mut tally, 1000, 60.0);
    messages(&mut tally, 600_000, 60.0);
    tally.ended(ending("RST", 31.2, 31.9));
    let reason = "internal error: \u{1b}[31mworker died".to_owned();
    tally.ended(closed_with(1011, &reason, 40.0, 40.6));
    closed(&mut tally, 61.2);
    (plan(Mode::Run, 1000, 10.0), tally)
}

/// The schedule was not kept.
pub(crate) fn slow() -> (Plan, Tally) {
    let mut tally = Tally::default();
    opened(&mut tally, 100, 12.0);
    messages(&mut tally, 85_464, 12.0);
    tally.intended = 120_000;
    closed(&mut tally, 13.2);
    (plan(Mode::Run, 100, 100.0), tally)
}

/// Nearly all are cut by an idle timer while they are opened over half a minute.
pub(crate) fn hold(count: u32) -> (Plan, Tally) {
    let mut tally = Tally { memory: u64::from(count) * 4200, ..Tally::default() };
    tally.asked = count.into();
    tally.opened = count.into();
    tally.attempts = count.into();
    tally.sending = Duration::from_secs(90);
    for i in 0..count {
        let at = 30.0 * f64::from(i) / f64::from(count);
        tally.timeline.at(at).opened += 1;
        tally.record_handshake(Duration::from_micros(300), None, Duration::from_micros(900));
        if i % 50 != 0 {
            let age = 60.0 + f64::from(i % 11) * 0.01;
            tally.ended(ending("FIN without close frame", age, at + age));
        } else if i % 500 == 0 {
            tally.ended(ending("RST", 20.0, at + 20.0));
        }
    }
    closed(&mut tally, 120.0);
    (plan(Mode::Hold, count, 0.0), tally)
}

/// A few connections without a message.
pub(crate) fn quiet(count: u64) -> (Plan, Tally) {
    let mut tally = Tally::default();
    opened(&mut tally, count, 10.0);
    closed(&mut tally, 10.9);
    (plan(Mode::Hold, count as u32, 0.0), tally)
}

/// A run against a port on which nothing listens.
pub(crate) fn refused() -> (Plan, Tally) {
    let mut tally = Tally { asked: 1000, attempts: 1000, ..Tally::default() };
    for i in 0..1000 {
        tally.failed(
            ConnectStage::Connect,
            &Ending::Refused,
            "cannot connect to 127.0.0.1:8080: connection refused",
            f64::from(i) / 1e3,
        );
    }
    (plan(Mode::Run, 1000, 10.0), tally)
}

pub(crate) fn storm() -> (Plan, Tally) {
    let mut tally = Tally::default();
    opened(&mut tally, 10_000, 9.0);
    tally.timeline.at(2.0).lost += 10_000;
    for i in 0..10_000_u32 {
        let after = f64::from(i % 100) * f64::from(i % 100) / 1250.0;
        let slot = tally.timeline.at(2.0 + after);
        slot.opened += 1;
        slot.attempts += 1;
        tally.away.record(Duration::from_secs_f64(after + 0.05));
    }
    tally.resumes = 10_000;
    tally.attempts += 10_412;
    tally.last_back = Some(Duration::from_secs_f64(7.89));
    tally.failed(ConnectStage::Handshake, &Ending::Refused, "the target answered 503", 2.5);
    closed(&mut tally, 11.0);
    let mode = Mode::Storm { trigger: Trigger::Cut, policy: Policy::FullJitter };
    (plan(mode, 10_000, 0.0), tally)
}

/// Sessions through faults: links end and come back, nothing is lost.
pub(crate) fn sessions() -> (Plan, Tally) {
    let mut tally = Tally { sessions: 500, ..Tally::default() };
    opened(&mut tally, 500, 60.0);
    messages(&mut tally, 60_000, 60.0);
    for i in 0..1200_u32 {
        let at = 5.0 + f64::from(i % 60) * 0.9;
        let kind = if i % 3 == 0 { "FIN without close frame" } else { "RST" };
        tally.ended(ending(kind, f64::from(i % 17) * 0.7, at));
        tally.timeline.at(at + 0.2).opened += 1;
        tally.away.record(Duration::from_millis(120 + u64::from(i % 200)));
    }
    tally.resumes = 1200;
    tally.alive_at_end = 500;
    tally.timeline.at(61.5).closed += 500;
    tally.proven = 500;
    tally.echoed = StreamCounts { received: 60_000, ..StreamCounts::default() };
    let mut plan = plan(Mode::Run, 500, 2.0);
    plan.verify = true;
    plan.session = SessionMode::Require;
    (plan, tally)
}

/// A sink that got one message twice and lost two that it sent.
pub(crate) fn sink() -> (Plan, Tally) {
    let mut tally = Tally { proven: 100, ..Tally::default() };
    opened(&mut tally, 100, 10.0);
    messages(&mut tally, 10_000, 10.0);
    closed(&mut tally, 11.1);
    tally.up_sent = 10_000;
    tally.up = StreamCounts { received: 10_000, doubled: 1, ..StreamCounts::default() };
    tally.down_sent = 10_000;
    tally.down = StreamCounts { received: 9_998, reordered: 3, ..StreamCounts::default() };
    let mut plan = plan(Mode::Run, 100, 10.0);
    plan.verify = true;
    (plan, tally)
}

pub(crate) fn flood() -> (Plan, Tally) {
    let mut tally = Tally::default();
    opened(&mut tally, 10, 5.0);
    messages(&mut tally, 500_000, 5.0);
    tally.intended = 0;
    tally.corrected = crate::Times::default();
    tally.lag = crate::Times::default();
    closed(&mut tally, 6.1);
    (plan(Mode::Flood { window: 1 }, 10, 0.0), tally)
}

pub(crate) fn broadcast() -> (Plan, Tally) {
    let mut tally = Tally::default();
    opened(&mut tally, 1000, 10.0);
    messages(&mut tally, 100, 10.0);
    tally.received = 99_897;
    closed(&mut tally, 11.1);
    (plan(Mode::Broadcast { senders: 1 }, 1000, 10.0), tally)
}

pub(crate) fn ramp() -> (Plan, Tally) {
    let mut tally = Tally { plateau: Some(1019), ..Tally::default() };
    opened(&mut tally, 1021, 10.0);
    tally.asked = 1031;
    for i in 0..10 {
        let why = "the target answered 500 Internal Server Error";
        tally.failed(ConnectStage::Handshake, &Ending::Refused, why, 5.1 + f64::from(i) / 100.0);
    }
    closed(&mut tally, 16.0);
    (plan(Mode::Ramp { rate: 200.0 }, 5000, 0.0), tally)
}

pub(crate) fn churn() -> (Plan, Tally) {
    let mut tally = Tally::default();
    opened(&mut tally, 999, 10.0);
    tally.ended(ending("close 1013", 0.2, 3.3));
    closed(&mut tally, 11.0);
    (plan(Mode::Churn { rate: 100.0, lifetime: Duration::from_secs(1) }, 200, 0.0), tally)
}

pub(crate) fn scenario() -> (Plan, Tally) {
    let mut tally = Tally::default();
    opened(&mut tally, 50, 20.0);
    tally.users.arrived = 52;
    tally.users.skipped = 2;
    tally.users.completed = 49;
    tally.users.failed.insert("line 12: no answer within 2 s, wanted “pong”".to_owned(), 1);
    closed(&mut tally, 21.0);
    let source = ScenarioSource {
        path: "chat.yml".to_owned(),
        target: None,
        variables: std::collections::BTreeMap::new(),
        part: 0,
    };
    (plan(Mode::Scenario(Box::new(source)), 100_000, 0.0), tally)
}
