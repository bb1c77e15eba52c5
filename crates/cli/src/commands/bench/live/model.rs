//! The state of the live view: the newest snapshot, and the history of the run.

use std::collections::VecDeque;
use std::time::Duration;

use undrop_bench::{KindCounts, Mode, Plan, RunPhase, Snapshot, Times};
use undrop_text::number::{milliseconds, percent, rate, seconds, thousands};
use undrop_text::printable;

/// The number of snapshots that are kept: four minutes, with two snapshots per second.
const MAX_HISTORY: usize = 480;
/// The maximum number of kinds of endings in a line.
const MAX_KINDS: usize = 3;
/// The minimum time in seconds over which rates are averaged, so that they do not fluctuate.
const RATE_WINDOW_S: f64 = 0.9;

/// The progress of a run.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) target: String,
    pub(super) mode: &'static str,
    duration_s: f64,
    pub(super) scheduled: bool,
    pub(super) now: Snapshot,
    pub(super) history: VecDeque<HistoryPoint>,
    /// The start of the load, in seconds since the start of the run.
    running_s: Option<f64>,
    /// The latency since the last line.
    since_line: Times,
    counts_at_line: Option<MessageCounts>,
}

/// The state at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HistoryPoint {
    counts: MessageCounts,
    pub(super) alive: u64,
    /// The number of messages sent per second since the previous point.
    pub(super) sent_per_s: f64,
    pub(super) p50: Option<Duration>,
    pub(super) p99: Option<Duration>,
}

/// The message counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct MessageCounts {
    at_s: f64,
    intended: u64,
    sent: u64,
    received: u64,
}

/// The numbers of messages per second between two moments.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MessageRates {
    pub(super) intended: f64,
    pub(super) sent: f64,
    pub(super) received: f64,
}

impl Live {
    pub(super) fn new(plan: &Plan) -> Live {
        let mode = match &plan.mode {
            Mode::Run => "run",
            Mode::Flood { .. } => "flood",
            Mode::Hold => "hold",
            Mode::Storm { .. } => "storm",
            Mode::Churn { .. } => "churn",
            Mode::Broadcast { .. } => "broadcast",
            Mode::Ramp { .. } => "ramp",
            Mode::Scenario(_) => "scenario",
        };
        Live {
            target: undrop_bench::report::shown_url(&plan.target.url),
            mode,
            duration_s: plan.duration.as_secs_f64(),
            scheduled: plan.is_open_workload(),
            now: Snapshot { asked: plan.connections.into(), ..Snapshot::default() },
            history: VecDeque::new(),
            running_s: None,
            since_line: Times::default(),
            counts_at_line: None,
        }
    }

    /// Adds a snapshot of the run.
    pub(super) fn update(&mut self, snapshot: &Snapshot) {
        if self.running_s.is_none() && snapshot.phase >= RunPhase::Running {
            self.running_s = Some(snapshot.at_s);
        }
        self.since_line.merge(&snapshot.recent);
        self.now = snapshot.clone();
        let counts = MessageCounts::of(snapshot);
        if self.history.len() == MAX_HISTORY {
            self.history.pop_front();
        }
        let mut point = HistoryPoint {
            counts,
            alive: snapshot.alive,
            sent_per_s: 0.0,
            p50: snapshot.recent.quantile(0.5),
            p99: snapshot.recent.quantile(0.99),
        };
        if let Some(before) = self.history.back() {
            point.sent_per_s = counts.since(before.counts).sent;
        }
        self.history.push_back(point);
    }

    /// Returns the state in one line, with rates and latency since the previous line.
    pub(super) fn line(&mut self) -> String {
        let counts = MessageCounts::of(&self.now);
        let rates = counts.since(self.counts_at_line.replace(counts).unwrap_or_default());
        let p99 = self.since_line.quantile(0.99);
        self.since_line.reset();
        self.state(rates, p99)
    }

    /// Returns the current state in one line.
    pub(super) fn summary(&self) -> String {
        let newest = self.history.iter().rev().find_map(|point| point.p99);
        self.state(self.rates(), newest)
    }

    fn state(&self, rates: MessageRates, p99: Option<Duration>) -> String {
        let mut parts = vec![
            seconds(self.now.at_s),
            self.phase().to_owned(),
            format!("{}/{} alive", thousands(self.now.alive), thousands(self.now.asked)),
        ];
        if self.now.sent > 0 {
            parts.push(self.sent(rates));
        }
        if let Some(p99) = p99 {
            parts.push(format!("p99 {}", milliseconds(p99.as_secs_f64() * 1e3)));
        }
        if self.now.resumes > 0 {
            parts.push(format!("{} reconnected", thousands(self.now.resumes)));
        }
        for (what, kinds) in [("ended", sorted(&self.now.endings)), ("failed", sorted(&self.now.failures))] {
            let all: u64 = kinds.iter().map(|(_, count)| count).sum();
            if all > 0 {
                parts.push(format!("{} {what}: {}", thousands(all), in_short(&kinds, MAX_KINDS)));
            }
        }
        parts.join("  ")
    }

    /// Returns whether this load has no messages.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.mode, "hold" | "ramp" | "churn") && self.now.sent == 0 && self.now.received == 0
    }

    /// Formats the rate, as in `99,870/s sent (99.9 %)`.
    fn sent(&self, rates: MessageRates) -> String {
        let sent = format!("{}/s sent", rate(rates.sent));
        if self.scheduled && rates.intended > 0.0 {
            // One message more or less within a short time is not significant.
            let part = rates.sent / rates.intended;
            let part = if (part - 1.0).abs() < 0.000_5 { 1.0 } else { (part * 1e3).round() / 1e3 };
            format!("{sent} ({})", percent(part))
        } else {
            sent
        }
    }

    /// Returns the numbers of messages per second over the last second.
    pub(super) fn rates(&self) -> MessageRates {
        let now = MessageCounts::of(&self.now);
        let before = self.history.iter().rev().find(|point| now.at_s - point.counts.at_s >= RATE_WINDOW_S);
        now.since(before.map(|point| point.counts).unwrap_or_default())
    }

    pub(super) fn phase(&self) -> &'static str {
        match self.now.phase {
            RunPhase::Opening => "opening",
            RunPhase::Running => "running",
            RunPhase::Settling => "settling",
            RunPhase::Closing => "closing",
        }
    }

    /// Returns the elapsed and the total duration of the load in seconds, or `None` before it has started.
    pub(super) fn progress(&self) -> Option<(f64, f64)> {
        let over = (self.now.at_s - self.running_s?).clamp(0.0, self.duration_s.max(0.0));
        Some((if self.now.phase > RunPhase::Running { self.duration_s } else { over }, self.duration_s))
    }
}

impl MessageCounts {
    fn of(snapshot: &Snapshot) -> MessageCounts {
        let Snapshot { at_s, intended, sent, received, .. } = *snapshot;
        MessageCounts { at_s, intended, sent, received }
    }

    fn since(&self, before: MessageCounts) -> MessageRates {
        let seconds = self.at_s - before.at_s;
        if seconds <= 0.0 {
            return MessageRates::default();
        }
        let per_s = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        MessageRates {
            intended: per_s(self.intended, before.intended),
            sent: per_s(self.sent, before.sent),
            received: per_s(self.received, before.received),
        }
    }
}

/// Returns the kinds as text with their counts, the most frequent first.
pub(super) fn sorted<K: Ord + ToString>(kinds: &KindCounts<K>) -> Vec<(String, u64)> {
    let text = |kind: &K| printable::truncated(&kind.to_string(), 60);
    let mut sorted: Vec<(String, u64)> = kinds.iter().map(|(kind, count)| (text(kind), count)).collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    sorted
}

fn in_short(kinds: &[(String, u64)], most: usize) -> String {
    let mut parts: Vec<String> =
        kinds.iter().take(most).map(|(kind, count)| format!("{} {kind}", thousands(*count))).collect();
    let rest: u64 = kinds.iter().skip(most).map(|(_, count)| count).sum();
    if rest > 0 {
        parts.push(format!("{} others", thousands(rest)));
    }
    parts.join(", ")
}
