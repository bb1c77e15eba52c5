//! The figures that belong to one mode, and a few small groups of figures.

use std::collections::BTreeMap;

use serde::Serialize;

use super::distribution::TimeDistribution;
use super::distribution::ratio;
use super::proof::copies;
use crate::metrics::tally::Tally;
use crate::plan::{Mode, Plan, Policy, Trigger};

/// The number of connections below which the memory of each is not stated, since most of it is that of the process.
const MANY_CONNECTIONS: u64 = 100;
/// The number of messages below which the CPU time of each is not stated.
const MANY_MESSAGES: u64 = 1000;

/// The durations of the phases of handshakes, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HandshakeTimes {
    /// The TCP connection, with the forward proxy if there is one.
    pub connect: Option<TimeDistribution>,
    /// The duration of the TLS handshake.
    pub tls: Option<TimeDistribution>,
    /// The time from the request to the 101 response.
    pub upgrade: Option<TimeDistribution>,
    /// The duration of all phases together.
    pub total: Option<TimeDistribution>,
}

/// The lost links that were restored, by resuming a session or by a new connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resumes {
    /// The number of links that were restored.
    pub count: u64,
    /// The number of sessions that could not be resumed and reported a gap.
    pub gaps: u64,
    /// The time from the loss until messages could be sent again, in milliseconds.
    pub away_ms: Option<TimeDistribution>,
}

/// The figures of mode `storm`: how connections were restored after all were lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StormReport {
    /// The cause of the loss: `cut` by the client, or `wait` for the loss by something else.
    pub trigger: &'static str,
    /// The backoff policy: full-jitter, classic or immediate.
    pub policy: &'static str,
    /// The number of links that were lost.
    pub lost: u64,
    /// The number of links that were restored.
    pub back: u64,
    /// The time from the first loss until the last link was restored, in seconds.
    pub last_back_s: Option<f64>,
    /// The number of handshakes started since the first loss.
    pub attempts: u64,
    /// The largest number of handshakes started within one second, or within one slot of the timeline if that is longer.
    pub peak_handshakes_per_s: f64,
}

/// The figures of mode `ramp`: the number of connections at which the target started to refuse new ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RampReport {
    /// The number of new connections per second.
    pub opened_per_s: f64,
    /// The number of connections that were open when the first one was refused; `null` if none was.
    pub plateau: Option<u64>,
}

/// The figures of mode `broadcast`: how many copies of the messages arrived.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BroadcastReport {
    /// The number of connections that send.
    pub senders: u32,
    /// The number of connections that were opened.
    pub receivers: u64,
    /// The number of messages sent.
    pub sent: u64,
    /// The number of copies that should have arrived: one for each connection, or one for each but the sender, depending on the
    /// target.
    pub copies_expected: u64,
    /// The number of copies that arrived.
    pub copies: u64,
    /// The completeness, which is `copies` / `copies_expected`; `null` if no copy was expected.
    pub completeness: Option<f64>,
}

/// The figures of mode `churn`: connections that are opened and closed at a constant rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChurnReport {
    /// The intended number of new connections per second.
    pub intended_per_s: f64,
    /// The number of new connections per second that were opened.
    pub achieved_per_s: Option<f64>,
    /// The intended lifetime of each connection, in seconds.
    pub lifetime_s: f64,
    /// The number of connections that were due but not attempted, because as many as the client allows were open.
    pub skipped: u64,
}

/// The figures of mode `scenario`: virtual users.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UsersReport {
    /// The number of users that arrived.
    pub arrived: u64,
    /// The number of users that were skipped because as many as allowed were active.
    pub skipped: u64,
    /// The number of users that completed their flow.
    pub completed: u64,
    /// The number of users that did not, by reason.
    pub failed: BTreeMap<String, u64>,
}

/// The resources that generating the load took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// The CPU time per message sent, including its reply, in microseconds; `null` if the system does not report it or too few
    /// messages were sent.
    pub cpu_us_per_message: Option<f64>,
    /// The memory per connection in bytes; `null` if the system does not report it or too few connections were open.
    pub memory_bytes_per_connection: Option<f64>,
}

impl HandshakeTimes {
    pub(super) fn new(tally: &Tally) -> HandshakeTimes {
        HandshakeTimes {
            connect: TimeDistribution::of(&tally.connect),
            tls: TimeDistribution::of(&tally.tls),
            upgrade: TimeDistribution::of(&tally.upgrade),
            total: TimeDistribution::of(&tally.handshake),
        }
    }
}

impl Resumes {
    pub(super) fn new(tally: &Tally) -> Resumes {
        Resumes { count: tally.resumes, gaps: tally.gaps, away_ms: TimeDistribution::of(&tally.away) }
    }
}

impl StormReport {
    pub(super) fn new(plan: &Plan, tally: &Tally) -> Option<StormReport> {
        let Mode::Storm { trigger, policy } = plan.mode else { return None };
        let timeline = &tally.timeline;
        let began =
            timeline.intervals.iter().position(|slot| slot.lost > 0).unwrap_or(timeline.intervals.len());
        let since = &timeline.intervals[began..];
        let window = ((1.0 / timeline.step).round() as usize).max(1);
        let most = since.windows(window.min(since.len()).max(1));
        let most = most.map(|slots| slots.iter().map(|slot| slot.attempts).sum::<u64>()).max().unwrap_or(0);
        Some(StormReport {
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

impl RampReport {
    pub(super) fn new(plan: &Plan, tally: &Tally) -> Option<RampReport> {
        let Mode::Ramp { rate } = plan.mode else { return None };
        Some(RampReport { opened_per_s: rate, plateau: tally.plateau })
    }
}

impl BroadcastReport {
    pub(super) fn new(plan: &Plan, tally: &Tally) -> Option<BroadcastReport> {
        let Mode::Broadcast { senders } = plan.mode else { return None };
        let copies_expected = copies(tally);
        Some(BroadcastReport {
            senders,
            receivers: tally.opened,
            sent: tally.sent,
            copies_expected,
            copies: tally.received,
            completeness: ratio(tally.received, copies_expected),
        })
    }
}

impl ChurnReport {
    pub(super) fn new(plan: &Plan, tally: &Tally) -> Option<ChurnReport> {
        let Mode::Churn { rate, lifetime } = plan.mode else { return None };
        let seconds = tally.sending.as_secs_f64();
        Some(ChurnReport {
            intended_per_s: rate,
            achieved_per_s: (seconds > 0.0).then(|| tally.opened as f64 / seconds),
            lifetime_s: lifetime.as_secs_f64(),
            skipped: skipped(tally),
        })
    }
}

/// Returns the number of connections of a churn that were not attempted.
pub(super) fn skipped(tally: &Tally) -> u64 {
    let own = tally.failures.iter().filter(|failure| failure.is_own_limit());
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

    /// Returns the number of users that did not complete their flow.
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
