//! What a run showed: one object for programs, and texts, a page and a histogram log made of it.
//!
//! [`Report`] serializes to JSON with stable keys: keys are added, never renamed or removed, while [`Report::schema`] stays.

mod chart;
mod distribution;
mod endings;
mod hdr;
mod html;
pub mod number;
mod proof;
mod sections;
mod style;
mod text;
mod url;

use std::collections::BTreeMap;

use serde::Serialize;

pub use distribution::Distribution;
pub(crate) use distribution::is_supported;
pub use endings::EndingGroup;
pub use hdr::hdr_log;
pub use html::html;
pub use proof::{Direction, Proof};
pub use sections::{Broadcast, Churn, Cost, Handshake, Ramp, Resumes, Storm, UsersReport};
pub use text::text;
pub use url::shown_url;

use crate::Times;
use crate::ensure::{self, Condition, Outcome};
use crate::metrics::tally::{Tally, Timeline};
use crate::plan::{Mode, Plan, Session};

/// Below this part of the intended rate, latency is not what was asked for.
pub const FULL_RATE: f64 = 0.99;

/// A run, judged.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of these keys: 1.
    pub schema: u32,
    /// Version of undrop.
    pub version: &'static str,
    /// The URL, without a password and with secrets of its query hidden.
    pub target: String,
    /// run, flood, hold, storm, churn, broadcast, ramp or scenario.
    pub mode: &'static str,
    /// off, prefer or require.
    pub session: &'static str,
    /// Everything random followed from it.
    pub seed: u64,
    /// Worker processes.
    pub workers: u32,
    /// Bytes of a message; `null` when none was to be sent or sizes differ.
    pub message_bytes: Option<usize>,
    /// Messages per second and connection that were asked for; `null` without a schedule.
    pub rate_per_connection: Option<f64>,
    /// How long the load was on, seconds.
    pub duration_s: f64,
    /// The run was ended early by hand.
    pub interrupted: bool,
    /// Survival.
    pub connections: Connections,
    /// How open connections ended against our will, the most frequent way first.
    pub endings: Vec<EndingGroup>,
    /// Connections that could not be opened, by kind, the most frequent first.
    pub failures: Vec<Failure>,
    /// What became of the messages.
    pub messages: Messages,
    /// Intended and achieved rate; `null` when nothing was to be sent.
    pub rate: Option<Rate>,
    /// Latency of answers, from when the message should have been sent, or was sent where there is no schedule.
    pub latency_ms: Option<Distribution>,
    /// `latency_ms` is corrected for coordinated omission.
    pub latency_is_corrected: bool,
    /// Latency of answers, from when the message was sent.
    pub latency_uncorrected_ms: Option<Distribution>,
    /// How late messages were sent.
    pub schedule_lag_ms: Option<Distribution>,
    /// The phases of handshakes.
    pub handshake_ms: Handshake,
    /// Lost links that came back.
    pub resumes: Resumes,
    /// Payload bytes.
    pub bytes: Bytes,
    /// Pings of ours.
    pub pings: Pings,
    /// Mode storm only.
    pub storm: Option<Storm>,
    /// Mode ramp only.
    pub ramp: Option<Ramp>,
    /// Mode broadcast only.
    pub broadcast: Option<Broadcast>,
    /// Mode churn only.
    pub churn: Option<Churn>,
    /// Mode scenario only.
    pub users: Option<UsersReport>,
    /// What the load cost this machine.
    pub cost: Cost,
    /// Conditions that were set, and whether they hold.
    pub thresholds: Vec<Outcome>,
    /// The histograms and the timeline, for charts and for percentiles that have no key.
    #[serde(skip)]
    pub(crate) raw: Raw,
}

/// What figures and charts are made of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Raw {
    pub(crate) latency: Times,
    pub(crate) uncorrected: Times,
    pub(crate) lag: Times,
    pub(crate) connect: Times,
    pub(crate) tls: Times,
    pub(crate) upgrade: Times,
    pub(crate) handshake: Times,
    pub(crate) away: Times,
    pub(crate) timeline: Timeline,
    /// When connections ended, seconds since the begin of the run, and which of the groups they belong to.
    pub(crate) instants: Vec<(f64, usize)>,
}

/// Connections, counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Connections {
    /// Connections that were to be opened.
    pub asked: u64,
    /// Opened at least once.
    pub opened: u64,
    /// Still there at the end and answering, or closed by us as planned.
    pub alive_at_end: u64,
    /// Endings against our will; with sessions and with reconnecting, one connection may have many.
    pub ended: u64,
    /// Handshakes that failed.
    pub failed: u64,
    /// Handshakes begun.
    pub attempts: u64,
    /// Connections that had a session.
    pub sessions: u64,
    /// From the first handshake until every connection was tried, seconds.
    pub opening_s: f64,
    /// `alive_at_end` / `opened`; `null` when none was opened.
    pub survival: Option<f64>,
}

/// Connections that could not be opened, of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// How far they got: connect, tls, handshake or session.
    pub stage: String,
    /// In the shared vocabulary of endings.
    pub ending: String,
    /// How many.
    pub count: u64,
    /// One of them in words.
    pub example: String,
    /// The first one, seconds since the begin of the run.
    pub first_at_s: f64,
}

/// Messages, counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Messages {
    /// Wanted by the schedule; `null` without one.
    pub intended: Option<u64>,
    /// Sent.
    pub sent: u64,
    /// Received.
    pub received: u64,
    /// Sent and never received intact, all directions together; `null` when not verified.
    pub lost: Option<u64>,
    /// Received again; `null` when not verified.
    pub doubled: Option<u64>,
    /// Received behind a later one; `null` when not verified.
    pub reordered: Option<u64>,
    /// Changed on the way, or sent by nobody; `null` when not verified.
    pub corrupted: Option<u64>,
    /// The same per direction; `null` when not verified.
    pub proof: Option<Proof>,
}

/// Messages per second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rate {
    /// Wanted by the schedule; `null` without one.
    pub intended_per_s: Option<f64>,
    /// Sent.
    pub achieved_per_s: f64,
    /// Received.
    pub received_per_s: f64,
    /// Sent / intended; `null` without a schedule.
    pub ratio: Option<f64>,
}

/// Payload bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// Sent.
    pub sent: u64,
    /// Received.
    pub received: u64,
}

/// Pings of ours, and the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pings {
    /// Sent.
    pub sent: u64,
    /// Answered.
    pub answered: u64,
}

impl Report {
    /// Judges what was counted.
    pub fn new(plan: &Plan, tally: &Tally) -> Report {
        let open = plan.is_open_workload();
        let latency = if open { &tally.corrected } else { &tally.uncorrected };
        let endings = endings::group(&tally.endings, load_of(plan));
        let place: BTreeMap<&str, usize> =
            endings.iter().enumerate().map(|(at, group)| (group.ending.as_str(), at)).collect();
        let instants = tally.endings.iter().map(|record| {
            let others = || place.get("others").copied().unwrap_or_default();
            (record.at_s, place.get(record.ending.as_str()).copied().unwrap_or_else(others))
        });
        let instants: Vec<(f64, usize)> = instants.collect();
        let proof = plan.verify.then(|| Proof::new(plan, tally));
        let mut failures: Vec<Failure> = tally.failures.values().map(Failure::new).collect();
        failures.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.ending.cmp(&b.ending)));
        Report {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            target: shown_url(&plan.target.url),
            mode: mode_name(&plan.mode),
            session: match plan.session {
                Session::Off => "off",
                Session::Prefer => "prefer",
                Session::Require => "require",
            },
            seed: plan.seed,
            workers: plan.workers,
            message_bytes: sends(&plan.mode).then(|| plan.payload.size()),
            rate_per_connection: open.then_some(plan.rate),
            duration_s: tally.sending.as_secs_f64(),
            interrupted: tally.interrupted,
            connections: Connections {
                asked: tally.asked,
                opened: tally.opened,
                alive_at_end: tally.alive_at_end,
                ended: tally.ended_count(),
                failed: tally.failed_count(),
                attempts: tally.attempts,
                sessions: tally.sessions,
                opening_s: tally.opening.as_secs_f64(),
                survival: ratio(tally.alive_at_end, tally.opened),
            },
            endings,
            failures,
            messages: Messages {
                intended: open.then_some(tally.intended),
                sent: tally.sent,
                received: tally.received,
                lost: proof.as_ref().map(|proof| proof.sum(|direction| direction.lost)),
                doubled: proof.as_ref().map(|proof| proof.sum(|direction| direction.doubled)),
                reordered: proof.as_ref().map(|proof| proof.sum(|direction| direction.reordered)),
                corrupted: proof.as_ref().map(|proof| proof.sum(|direction| direction.corrupted)),
                proof,
            },
            rate: Rate::new(plan, tally),
            latency_ms: Distribution::of(latency),
            latency_is_corrected: open,
            latency_uncorrected_ms: Distribution::of(&tally.uncorrected),
            schedule_lag_ms: Distribution::of(&tally.lag),
            handshake_ms: Handshake::new(tally),
            resumes: Resumes::new(tally),
            bytes: Bytes { sent: tally.bytes_sent, received: tally.bytes_received },
            pings: Pings { sent: tally.pings, answered: tally.pongs },
            storm: Storm::new(plan, tally),
            ramp: Ramp::new(plan, tally),
            broadcast: Broadcast::new(plan, tally),
            churn: Churn::new(plan, tally),
            users: UsersReport::new(plan, tally),
            cost: Cost::new(tally),
            thresholds: Vec::new(),
            raw: Raw {
                latency: latency.clone(),
                uncorrected: tally.uncorrected.clone(),
                lag: tally.lag.clone(),
                connect: tally.connect.clone(),
                tls: tally.tls.clone(),
                upgrade: tally.upgrade.clone(),
                handshake: tally.handshake.clone(),
                away: tally.away.clone(),
                timeline: tally.timeline.clone(),
                instants,
            },
        }
    }

    /// Judges conditions and keeps the outcomes in `thresholds`.
    pub fn check(&mut self, conditions: &[Condition]) {
        self.thresholds = ensure::check(conditions, self);
    }

    /// Less was sent than asked for, by more than 1 %: latency is of another load than the one that was meant. In a churn: fewer
    /// connections were begun, for want of room (not since the target refused them).
    pub fn is_slow(&self) -> bool {
        let skipped = self.churn.as_ref().and_then(|churn| ratio(churn.skipped, self.connections.asked));
        self.rate.as_ref().and_then(|rate| rate.ratio).is_some_and(|ratio| ratio < FULL_RATE)
            || skipped.is_some_and(|part| part > 1.0 - FULL_RATE)
    }

    /// Connections that were to be opened and could not, where opening them all was the aim; as a part of those asked for.
    pub fn unopened(&self) -> f64 {
        let Connections { asked, opened, failed, .. } = self.connections;
        let never = match self.mode {
            // A ramp ends in refusals, a user's failure is told with the users, and a churn's own limit is no failure.
            "ramp" | "scenario" => 0,
            "churn" => failed.saturating_sub(self.churn.as_ref().map_or(0, |churn| churn.skipped)),
            // Those that were not tried any more have not failed.
            _ => asked.saturating_sub(opened).min(failed),
        };
        ratio(never, asked).unwrap_or_default()
    }

    /// Nothing was lost, doubled, reordered or corrupted, and no stream is without an answer; also when nothing was to be
    /// verified.
    pub fn is_exactly_once(&self) -> bool {
        self.messages.proof.as_ref().is_none_or(Proof::holds)
    }

    /// The first line of a report: how many connections survived, and how the others ended.
    pub fn survival_line(&self) -> String {
        text::survival(self)
    }
}

impl Failure {
    fn new(failures: &crate::Failures) -> Failure {
        Failure {
            stage: failures.stage.clone(),
            ending: failures.ending.clone(),
            count: failures.count,
            example: failures.example.clone(),
            first_at_s: failures.first_s,
        }
    }
}

impl Rate {
    fn new(plan: &Plan, tally: &Tally) -> Option<Rate> {
        let seconds = tally.sending.as_secs_f64();
        if seconds <= 0.0 || (tally.sent == 0 && tally.intended == 0 && tally.received == 0) {
            return None;
        }
        let open = plan.is_open_workload();
        Some(Rate {
            intended_per_s: open.then_some(tally.intended as f64 / seconds),
            achieved_per_s: tally.sent as f64 / seconds,
            received_per_s: tally.received as f64 / seconds,
            ratio: ratio(tally.sent, tally.intended).filter(|_| open),
        })
    }
}

fn load_of(plan: &Plan) -> endings::Load {
    endings::Load {
        quiet_s: plan.is_open_workload().then(|| 1.0 / plan.rate),
        losses_wanted: matches!(plan.mode, Mode::Storm { trigger: crate::Trigger::Cut, .. }),
    }
}

fn sends(mode: &Mode) -> bool {
    matches!(mode, Mode::Run | Mode::Flood { .. } | Mode::Storm { .. } | Mode::Broadcast { .. })
}

fn mode_name(mode: &Mode) -> &'static str {
    match mode {
        Mode::Run => "run",
        Mode::Flood { .. } => "flood",
        Mode::Hold => "hold",
        Mode::Storm { .. } => "storm",
        Mode::Churn { .. } => "churn",
        Mode::Broadcast { .. } => "broadcast",
        Mode::Ramp { .. } => "ramp",
        Mode::Scenario(_) => "scenario",
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
