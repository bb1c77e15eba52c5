//! The figures of a run.
//!
//! [`LoadReport`] serializes to JSON with stable keys: keys are added, never renamed or removed, while [`LoadReport::schema`] stays.

use std::collections::BTreeMap;

use serde::Serialize;
use undrop_session::SessionMode;

use super::distribution::TimeDistribution;
use super::distribution::ratio;
use super::endings::{self, EndingGroup};
use super::proof::Proof;
use super::sections::{
    BroadcastReport, ChurnReport, Cost, HandshakeTimes, RampReport, Resumes, StormReport, UsersReport,
};
use super::url::shown_url;
use crate::metrics::failure::{FailureCount, ending_kind};
use crate::metrics::histogram::Times;
use crate::metrics::tally::Tally;
use crate::metrics::timeline::Timeline;
use crate::plan::{Mode, Plan, Trigger};

/// The part of the intended rate below which the latency is not that of the intended load.
pub const FULL_RATE: f64 = 0.99;

/// The figures of a run.
#[derive(Debug, Clone, Serialize)]
pub struct LoadReport {
    /// The version of these keys, which is 1.
    pub schema: u32,
    /// The version of undrop that wrote the report.
    pub version: &'static str,
    /// The URL, without a password and with secrets of its query hidden.
    pub target: String,
    /// The mode of the run.
    pub mode: ModeName,
    /// The use of sessions: off, prefer or require.
    pub session: SessionMode,
    /// The seed of all randomness.
    pub seed: u64,
    /// The number of worker processes.
    pub workers: u32,
    /// The size of a message in bytes; `null` if the mode sends none or sizes differ.
    pub message_bytes: Option<usize>,
    /// The intended number of messages per second per connection; `null` without a schedule.
    pub rate_per_connection: Option<f64>,
    /// The duration of the load, in seconds.
    pub duration_s: f64,
    /// Whether the user stopped the run early.
    pub interrupted: bool,
    /// The counts of connections.
    pub connections: Connections,
    /// The unplanned endings of open connections, grouped by kind, the most frequent first.
    pub endings: Vec<EndingGroup>,
    /// The connections that could not be opened, grouped by kind, the most frequent first.
    pub failures: Vec<FailureGroup>,
    /// The counts of messages.
    pub messages: Messages,
    /// The intended and the achieved rate; `null` if the mode sends nothing.
    pub rate: Option<Rate>,
    /// The latency of replies, counted from the time at which the message should have been sent; without a schedule, from the
    /// time at which it was sent.
    pub latency_ms: Option<TimeDistribution>,
    /// Whether `latency_ms` is corrected for coordinated omission.
    pub latency_is_corrected: bool,
    /// The latency of replies, counted from the time at which the message was sent.
    pub latency_uncorrected_ms: Option<TimeDistribution>,
    /// The delay of sending against the schedule.
    pub schedule_lag_ms: Option<TimeDistribution>,
    /// The durations of the phases of handshakes.
    pub handshake_ms: HandshakeTimes,
    /// The lost links that were restored.
    pub resumes: Resumes,
    /// The counts of payload bytes.
    pub bytes: Bytes,
    /// The counts of pings that were sent.
    pub pings: Pings,
    /// The figures of mode `storm`; `null` in other modes.
    pub storm: Option<StormReport>,
    /// The figures of mode `ramp`; `null` in other modes.
    pub ramp: Option<RampReport>,
    /// The figures of mode `broadcast`; `null` in other modes.
    pub broadcast: Option<BroadcastReport>,
    /// The figures of mode `churn`; `null` in other modes.
    pub churn: Option<ChurnReport>,
    /// The figures of mode `scenario`; `null` in other modes.
    pub users: Option<UsersReport>,
    /// The resources that generating the load took.
    pub cost: Cost,
    /// The conditions on the run, and whether they were met.
    pub thresholds: Vec<ConditionResult>,
    /// The histograms and the timeline, for charts and for percentiles that have no key.
    #[serde(skip)]
    pub(crate) raw: Recorded,
}

/// The histograms and the timeline from which figures and charts are made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorded {
    pub(crate) latency: Times,
    pub(crate) uncorrected: Times,
    pub(crate) lag: Times,
    pub(crate) connect: Times,
    pub(crate) tls: Times,
    pub(crate) upgrade: Times,
    pub(crate) handshake: Times,
    pub(crate) away: Times,
    pub(crate) timeline: Timeline,
    /// The times at which connections ended, in seconds since the start of the run, each with the index of its group.
    pub(crate) instants: Vec<(f64, usize)>,
}

/// A mode without its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModeName {
    /// [`Mode::Run`], which sends on a fixed schedule.
    Run,
    /// [`Mode::Flood`], which sends as fast as replies arrive.
    Flood,
    /// [`Mode::Hold`], which sends nothing.
    Hold,
    /// [`Mode::Storm`], which loses all connections at once.
    Storm,
    /// [`Mode::Churn`], which opens and closes at a rate.
    Churn,
    /// [`Mode::Broadcast`], in which few send and all receive.
    Broadcast,
    /// [`Mode::Ramp`], which opens until the target refuses.
    Ramp,
    /// [`Mode::Scenario`], in which virtual users follow a file.
    Scenario,
}

impl ModeName {
    fn of(mode: &Mode) -> ModeName {
        match mode {
            Mode::Run => ModeName::Run,
            Mode::Flood { .. } => ModeName::Flood,
            Mode::Hold => ModeName::Hold,
            Mode::Storm { .. } => ModeName::Storm,
            Mode::Churn { .. } => ModeName::Churn,
            Mode::Broadcast { .. } => ModeName::Broadcast,
            Mode::Ramp { .. } => ModeName::Ramp,
            Mode::Scenario(_) => ModeName::Scenario,
        }
    }

    /// Returns the name as the command line and the report write it.
    pub fn as_str(self) -> &'static str {
        match self {
            ModeName::Run => "run",
            ModeName::Flood => "flood",
            ModeName::Hold => "hold",
            ModeName::Storm => "storm",
            ModeName::Churn => "churn",
            ModeName::Broadcast => "broadcast",
            ModeName::Ramp => "ramp",
            ModeName::Scenario => "scenario",
        }
    }

    /// Returns whether the client closes connections as a part of the load and not only at the end.
    pub(super) fn closes_connections(self) -> bool {
        matches!(self, ModeName::Churn | ModeName::Scenario)
    }
}

/// The counts of connections.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Connections {
    /// The number of connections to open.
    pub asked: u64,
    /// The number of connections that were opened at least once.
    pub opened: u64,
    /// The number of connections that were open and responsive at the end, or that the client closed as planned.
    pub alive_at_end: u64,
    /// The number of unplanned endings; with sessions or reconnecting, one connection can have several.
    pub ended: u64,
    /// The number of handshakes that failed.
    pub failed: u64,
    /// The number of handshakes that were started.
    pub attempts: u64,
    /// The number of connections that had a session.
    pub sessions: u64,
    /// The time from the first handshake until every connection had been attempted, in seconds.
    pub opening_s: f64,
    /// `alive_at_end` / `opened`; `null` if none was opened.
    pub survival: Option<f64>,
}

/// Connections that failed to open in the same way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailureGroup {
    /// The stage at which they failed: connect, tls, handshake or session.
    pub stage: String,
    /// The kind of failure, in the shared vocabulary of endings.
    pub ending: String,
    /// The number of failures of this kind.
    pub count: u64,
    /// The error message of one of them.
    pub example: String,
    /// The time of the first one, in seconds since the start of the run.
    pub first_at_s: f64,
    /// Whether these connections were not attempted, because the load itself had no room for them.
    #[serde(skip)]
    pub(crate) is_own_limit: bool,
}

/// The counts of messages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Messages {
    /// The number of messages that were due by the schedule; `null` without one.
    pub intended: Option<u64>,
    /// The number of messages sent.
    pub sent: u64,
    /// The number of messages received.
    pub received: u64,
    /// The number of messages that were sent and never received intact, in all directions; `null` without verification.
    pub lost: Option<u64>,
    /// The number of messages that were received again; `null` without verification.
    pub doubled: Option<u64>,
    /// The number of messages that were received after a later one; `null` without verification.
    pub reordered: Option<u64>,
    /// The number of messages that were changed on the way or never sent; `null` without verification.
    pub corrupted: Option<u64>,
    /// The same counts for each direction; `null` without verification.
    pub proof: Option<Proof>,
}

/// The rates of messages, per second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rate {
    /// The rate by the schedule; `null` without one.
    pub intended_per_s: Option<f64>,
    /// The rate of messages sent.
    pub achieved_per_s: f64,
    /// The rate of messages received.
    pub received_per_s: f64,
    /// The number of messages sent / intended; `null` without a schedule.
    pub ratio: Option<f64>,
}

/// The counts of payload bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// The number of payload bytes sent.
    pub sent: u64,
    /// The number of payload bytes received.
    pub received: u64,
}

/// The counts of pings and their pongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pings {
    /// The number of pings sent.
    pub sent: u64,
    /// The number of pings that were answered.
    pub answered: u64,
}

/// A condition on the run, and the value that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConditionResult {
    /// The condition, such as `p99 < 50ms`.
    pub condition: String,
    /// The metric, such as `p99`.
    pub metric: String,
    /// Whether the condition is met.
    pub passed: bool,
    /// The value of the metric in `unit`; `null` if it was not measured.
    pub actual: Option<f64>,
    /// The unit: `ms`, `ratio` (1 is 100 %), `per second`, `bytes` or `count`.
    pub unit: &'static str,
    /// The value as text.
    pub text: String,
    /// The reason why there is no value, or a remark about it.
    pub reason: Option<String>,
}

impl ConditionResult {
    /// Returns the value with the remark: `3.140 ms`, `not measured (no reply was received)`.
    pub fn found(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{} ({reason})", self.text),
            None => self.text.clone(),
        }
    }
}

impl LoadReport {
    /// Computes the figures of a run from what the workers counted.
    pub fn new(plan: &Plan, tally: &Tally) -> LoadReport {
        let open = plan.is_open_workload();
        let latency = if open { &tally.corrected } else { &tally.uncorrected };
        let endings = endings::group(&tally.endings, load_of(plan));
        let place: BTreeMap<&str, usize> =
            endings.iter().enumerate().map(|(at, group)| (group.ending.as_str(), at)).collect();
        let instants = tally.endings.iter().map(|record| {
            let others = || place.get(endings::OTHERS).copied().unwrap_or_default();
            (
                record.at_s,
                place.get(ending_kind(&record.ending).to_string().as_str()).copied().unwrap_or_else(others),
            )
        });
        let instants: Vec<(f64, usize)> = instants.collect();
        let proof = plan.verify.then(|| Proof::new(plan, tally));
        let mut failures: Vec<FailureGroup> = tally.failures.iter().map(FailureGroup::new).collect();
        failures.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.ending.cmp(&b.ending)));
        LoadReport {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            target: shown_url(&plan.target.url),
            mode: ModeName::of(&plan.mode),
            session: plan.session,
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
            latency_ms: TimeDistribution::of(latency),
            latency_is_corrected: open,
            latency_uncorrected_ms: TimeDistribution::of(&tally.uncorrected),
            schedule_lag_ms: TimeDistribution::of(&tally.lag),
            handshake_ms: HandshakeTimes::new(tally),
            resumes: Resumes::new(tally),
            bytes: Bytes { sent: tally.bytes_sent, received: tally.bytes_received },
            pings: Pings { sent: tally.pings, answered: tally.pongs },
            storm: StormReport::new(plan, tally),
            ramp: RampReport::new(plan, tally),
            broadcast: BroadcastReport::new(plan, tally),
            churn: ChurnReport::new(plan, tally),
            users: UsersReport::new(plan, tally),
            cost: Cost::new(tally),
            thresholds: Vec::new(),
            raw: Recorded {
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

    /// Returns whether the load generator fell short of the intended rate by more than 1 %, so the latency is not that of the
    /// intended load. In mode `churn`: whether connections were not attempted because as many as allowed were open.
    pub fn is_slow(&self) -> bool {
        let skipped = self.churn.as_ref().and_then(|churn| ratio(churn.skipped, self.connections.asked));
        self.rate.as_ref().and_then(|rate| rate.ratio).is_some_and(|ratio| ratio < FULL_RATE)
            || skipped.is_some_and(|part| part > 1.0 - FULL_RATE)
    }

    /// Returns the part of the connections that could not be opened, from 0 to 1; 0 in modes that do not aim to open all.
    pub fn unopened(&self) -> f64 {
        let Connections { asked, opened, failed, .. } = self.connections;
        let never = match self.mode {
            // A ramp ends with refusals, and failures of users are counted with the users.
            ModeName::Ramp | ModeName::Scenario => 0,
            // Connections that exceeded our own limit were not attempted.
            ModeName::Churn => failed.saturating_sub(self.churn.as_ref().map_or(0, |churn| churn.skipped)),
            // Connections that were not attempted because the run was stopped have not failed.
            _ => asked.saturating_sub(opened).min(failed),
        };
        ratio(never, asked).unwrap_or_default()
    }

    /// Returns whether no message was lost, duplicated, reordered or corrupted and every stream was verified; `true` without
    /// verification.
    pub fn is_exactly_once(&self) -> bool {
        self.messages.proof.as_ref().is_none_or(Proof::holds)
    }
}

impl FailureGroup {
    fn new(failures: &FailureCount) -> FailureGroup {
        FailureGroup {
            stage: failures.kind.as_ref().map_or_else(String::new, |kind| kind.stage.to_string()),
            ending: failures
                .kind
                .as_ref()
                .map_or_else(|| endings::OTHERS.to_owned(), |kind| kind.ending.to_string()),
            is_own_limit: failures.is_own_limit(),
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
        losses_wanted: matches!(plan.mode, Mode::Storm { trigger: Trigger::Cut, .. }),
    }
}

fn sends(mode: &Mode) -> bool {
    matches!(mode, Mode::Run | Mode::Flood { .. } | Mode::Storm { .. } | Mode::Broadcast { .. })
}
