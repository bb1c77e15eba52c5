//! The parts of a report that belong to one mode, and a few small ones.

use std::collections::BTreeMap;

use serde::Serialize;

use super::distribution::Distribution;
use super::proof::copies;
use super::{Raw, ratio};
use crate::metrics::tally::{Tally, Timeline};
use crate::plan::{Mode, Plan, Policy, Trigger};

/// Connections below which memory for each is not stated: what the process needs anyway would be most of it.
const MANY_CONNECTIONS: u64 = 100;
/// Messages below which processor time for each is not stated.
const MANY_MESSAGES: u64 = 1000;

/// How a churn notes a connection that was due while as many as allowed were open.
pub(crate) const TOO_FEW: &str = "local error (too few connections allowed)";

/// How long the phases of handshakes took, milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Handshake {
    /// TCP, with the forward proxy if there is one.
    pub connect: Option<Distribution>,
    /// TLS.
    pub tls: Option<Distribution>,
    /// From the request to the 101.
    pub upgrade: Option<Distribution>,
    /// All of it.
    pub total: Option<Distribution>,
}

/// Lost links that came back, by resume or by a new connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resumes {
    /// How many.
    pub count: u64,
    /// Sessions that could not be resumed, and stated a gap.
    pub gaps: u64,
    /// From the loss until messages could flow again, milliseconds.
    pub away_ms: Option<Distribution>,
}

/// How connections came back when all were lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Storm {
    /// `cut`: by us; `wait`: by something else.
    pub trigger: &'static str,
    /// full-jitter, classic or immediate.
    pub policy: &'static str,
    /// Links lost.
    pub lost: u64,
    /// Links that came back.
    pub back: u64,
    /// From the first loss until the last one was back, seconds.
    pub last_back_s: Option<f64>,
    /// Handshakes begun since the first loss.
    pub attempts: u64,
    /// Most handshakes begun within one second of the storm (or within one slot of the timeline, when that is longer).
    pub peak_handshakes_per_s: f64,
}

/// Where the target stopped to take connections.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ramp {
    /// New connections per second.
    pub opened_per_s: f64,
    /// Open when the first one was refused; `null`: none was.
    pub plateau: Option<u64>,
}

/// How complete copies of broadcast messages arrived.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broadcast {
    /// Connections that send.
    pub senders: u32,
    /// Connections that were opened.
    pub receivers: u64,
    /// Messages sent.
    pub sent: u64,
    /// Copies that should have arrived: to every connection, or to every one but the sender, whichever the target does.
    pub copies_expected: u64,
    /// Copies that arrived.
    pub copies: u64,
    /// `copies` / `copies_expected`.
    pub completeness: Option<f64>,
}

/// Connections that came and went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Churn {
    /// New connections per second that were asked for.
    pub intended_per_s: f64,
    /// New connections per second that were opened.
    pub achieved_per_s: Option<f64>,
    /// How long each should live, seconds.
    pub lifetime_s: f64,
    /// Connections that were due and not begun, since as many as allowed were open already: our limit, not the target's.
    pub skipped: u64,
}

/// Virtual users.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UsersReport {
    /// Arrived.
    pub arrived: u64,
    /// Turned away, since as many as allowed were there already.
    pub skipped: u64,
    /// Did all that their flow says.
    pub completed: u64,
    /// Did not, by reason.
    pub failed: BTreeMap<String, u64>,
}

/// What the load cost this machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// Processor time per message sent, with what came back for it, microseconds; `null` where the system does not tell, or
    /// with too few messages to say.
    pub cpu_us_per_message: Option<f64>,
    /// Memory per connection, bytes; `null` where the system does not tell, or with too few connections to say.
    pub memory_bytes_per_connection: Option<f64>,
}

impl Handshake {
    pub(super) fn new(tally: &Tally) -> Handshake {
        Handshake {
            connect: Distribution::of(&tally.connect),
            tls: Distribution::of(&tally.tls),
            upgrade: Distribution::of(&tally.upgrade),
            total: Distribution::of(&tally.handshake),
        }
    }
}

impl Resumes {
    pub(super) fn new(tally: &Tally) -> Resumes {
        Resumes { count: tally.resumes, gaps: tally.gaps, away_ms: Distribution::of(&tally.away) }
    }
}

impl Storm {
    pub(super) fn new(plan: &Plan, tally: &Tally) -> Option<Storm> {
        let Mode::Storm { trigger, policy } = plan.mode else { return None };
        let timeline = &tally.timeline;
        let began = timeline.slots.iter().position(|slot| slot.lost > 0).unwrap_or(timeline.slots.len());
        let since = &timeline.slots[began..];
        let window = ((1.0 / timeline.step).round() as usize).max(1);
        let most = since.windows(window.min(since.len()).max(1));
        let most = most.map(|slots| slots.iter().map(|slot| slot.attempts).sum::<u64>()).max().unwrap_or(0);
        Some(Storm {
            trigger: match trigger {
                Trigger::Cut => "cut",
                Trigger::Wait => "wait",
            },
            policy: match policy {
                Policy::FullJitter => "full-jitter",
                Policy::Classic => "classic",
                Policy::Immediate => "immediate",
            },
            lost: since.iter().map(|slot| slot.lost).sum(),
            back: tally.resumes,
            last_back_s: tally.last_back.map(|last| last.as_secs_f64()),
            attempts: since.iter().map(|slot| slot.attempts).sum(),
            peak_handshakes_per_s: most as f64 / timeline.step.max(1.0),
        })
    }
}

impl Ramp {
    pub(super) fn new(plan: &Plan, tally: &Tally) -> Option<Ramp> {
        let Mode::Ramp { rate } = plan.mode else { return None };
        Some(Ramp { opened_per_s: rate, plateau: tally.plateau })
    }
}

impl Broadcast {
    pub(super) fn new(plan: &Plan, tally: &Tally) -> Option<Broadcast> {
        let Mode::Broadcast { senders } = plan.mode else { return None };
        let copies_expected = copies(tally);
        Some(Broadcast {
            senders,
            receivers: tally.opened,
            sent: tally.sent,
            copies_expected,
            copies: tally.received,
            completeness: ratio(tally.received, copies_expected),
        })
    }
}

impl Churn {
    pub(super) fn new(plan: &Plan, tally: &Tally) -> Option<Churn> {
        let Mode::Churn { rate, lifetime } = plan.mode else { return None };
        let seconds = tally.sending.as_secs_f64();
        Some(Churn {
            intended_per_s: rate,
            achieved_per_s: (seconds > 0.0).then(|| tally.opened as f64 / seconds),
            lifetime_s: lifetime.as_secs_f64(),
            skipped: skipped(tally),
        })
    }
}

/// Connections of a churn that were not begun.
pub(super) fn skipped(tally: &Tally) -> u64 {
    let own = tally.failures.values().filter(|failures| failures.ending == TOO_FEW);
    own.map(|failures| failures.count).sum()
}

impl UsersReport {
    pub(super) fn new(plan: &Plan, tally: &Tally) -> Option<UsersReport> {
        let Mode::Scenario(_) = plan.mode else { return None };
        let users = &tally.users;
        Some(UsersReport {
            arrived: users.arrived,
            skipped: users.skipped,
            completed: users.completed,
            failed: users.failed.clone(),
        })
    }

    /// Users that did not do all that their flow says.
    pub fn failed_count(&self) -> u64 {
        self.failed.values().sum()
    }
}

impl Cost {
    pub(super) fn new(tally: &Tally) -> Cost {
        let cpu = tally.cpu_messages >= MANY_MESSAGES && !tally.cpu.is_zero();
        let memory = tally.opened >= MANY_CONNECTIONS && tally.memory > 0;
        Cost {
            cpu_us_per_message: cpu.then(|| tally.cpu.as_secs_f64() * 1e6 / tally.cpu_messages as f64),
            memory_bytes_per_connection: memory.then(|| tally.memory as f64 / tally.opened as f64),
        }
    }
}

impl Raw {
    /// Connections alive at the end of each slot. Those that we closed count as gone only where closing is a part of the
    /// load: at the end of a run everything is closed.
    pub(super) fn alive(timeline: &Timeline, with_closed: bool) -> Vec<u64> {
        let mut alive: u64 = 0;
        let mut curve = Vec::with_capacity(timeline.slots.len());
        for slot in &timeline.slots {
            let closed = if with_closed { slot.closed } else { 0 };
            alive = (alive + slot.opened).saturating_sub(slot.lost + closed);
            curve.push(alive);
        }
        curve
    }
}
