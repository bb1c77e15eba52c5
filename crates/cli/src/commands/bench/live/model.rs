//! What the live view knows: the newest snapshot, and how things went.

use std::collections::VecDeque;
use std::time::Duration;

use undrop_bench::{Mode, Phase, Plan, Snapshot, Times};
use undrop_text::number::{milliseconds, percent, rate, seconds, thousands};
use undrop_text::printable::truncated;

/// Points of history that are kept: four minutes at two a second.
const HISTORY: usize = 480;
/// Kinds of endings in a line.
const KINDS: usize = 3;
/// Rates are of at least this long, or they would jump.
const WINDOW: f64 = 0.9;

/// A run as far as it has come.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) target: String,
    pub(super) mode: &'static str,
    duration_s: f64,
    pub(super) scheduled: bool,
    pub(super) now: Snapshot,
    pub(super) history: VecDeque<Point>,
    /// When the load began, seconds since the begin of the run.
    running_s: Option<f64>,
    /// Latency since the last line.
    since_line: Times,
    at_line: Option<Mark>,
}

/// One moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Point {
    mark: Mark,
    pub(super) alive: u64,
    /// Messages per second.
    pub(super) sent_per_s: f64,
    pub(super) p50: Option<Duration>,
    pub(super) p99: Option<Duration>,
}

/// Counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    at_s: f64,
    intended: u64,
    sent: u64,
    received: u64,
}

/// Messages per second between two moments.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rates {
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
            at_line: None,
        }
    }

    /// Takes note of a snapshot.
    pub(super) fn take(&mut self, snapshot: &Snapshot) {
        if self.running_s.is_none() && snapshot.phase >= Phase::Running {
            self.running_s = Some(snapshot.at_s);
        }
        self.since_line.merge(&snapshot.recent);
        self.now = snapshot.clone();
        let mark = Mark::of(snapshot);
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        let mut point = Point {
            mark,
            alive: snapshot.alive,
            sent_per_s: 0.0,
            p50: snapshot.recent.quantile(0.5),
            p99: snapshot.recent.quantile(0.99),
        };
        if let Some(before) = self.history.back() {
            point.sent_per_s = mark.since(before.mark).sent;
        }
        self.history.push_back(point);
    }

    /// The state in one line, with rates and latency since the line before.
    pub(super) fn line(&mut self) -> String {
        let mark = Mark::of(&self.now);
        let rates = mark.since(self.at_line.replace(mark).unwrap_or_default());
        let p99 = self.since_line.quantile(0.99);
        self.since_line.reset();
        self.state(rates, p99)
    }

    /// The state in one line, as of now.
    pub(super) fn glance(&self) -> String {
        let newest = self.history.iter().rev().find_map(|point| point.p99);
        self.state(self.rates(), newest)
    }

    fn state(&self, rates: Rates, p99: Option<Duration>) -> String {
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
            parts.push(format!("{} came back", thousands(self.now.resumes)));
        }
        for (what, kinds) in [("ended", &self.now.endings), ("failed", &self.now.failures)] {
            let all: u64 = kinds.values().sum();
            if all > 0 {
                parts.push(format!("{} {what}: {}", thousands(all), in_short(&sorted(kinds), KINDS)));
            }
        }
        parts.join("  ")
    }

    /// No message is a part of this load.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.mode, "hold" | "ramp" | "churn") && self.now.sent == 0 && self.now.received == 0
    }

    /// `99,870/s sent (99.9 %)`.
    fn sent(&self, rates: Rates) -> String {
        let sent = format!("{}/s sent", rate(rates.sent));
        if self.scheduled && rates.intended > 0.0 {
            // A beat more or less within a short while is not what the figure is about.
            let part = rates.sent / rates.intended;
            let part = if (part - 1.0).abs() < 0.000_5 { 1.0 } else { (part * 1e3).round() / 1e3 };
            format!("{sent} ({})", percent(part))
        } else {
            sent
        }
    }

    /// Messages per second over the last second.
    pub(super) fn rates(&self) -> Rates {
        let now = Mark::of(&self.now);
        let before = self.history.iter().rev().find(|point| now.at_s - point.mark.at_s >= WINDOW);
        now.since(before.map(|point| point.mark).unwrap_or_default())
    }

    pub(super) fn phase(&self) -> &'static str {
        match self.now.phase {
            Phase::Opening => "opening",
            Phase::Running => "running",
            Phase::Settling => "settling",
            Phase::Closing => "closing",
        }
    }

    /// Seconds of the load that are over, and all of them; `None` before it began.
    pub(super) fn progress(&self) -> Option<(f64, f64)> {
        let over = (self.now.at_s - self.running_s?).clamp(0.0, self.duration_s.max(0.0));
        Some((if self.now.phase > Phase::Running { self.duration_s } else { over }, self.duration_s))
    }
}

impl Mark {
    fn of(snapshot: &Snapshot) -> Mark {
        let Snapshot { at_s, intended, sent, received, .. } = *snapshot;
        Mark { at_s, intended, sent, received }
    }

    fn since(&self, before: Mark) -> Rates {
        let seconds = self.at_s - before.at_s;
        if seconds <= 0.0 {
            return Rates::default();
        }
        let per_s = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        Rates {
            intended: per_s(self.intended, before.intended),
            sent: per_s(self.sent, before.sent),
            received: per_s(self.received, before.received),
        }
    }
}

/// Kinds by count, the most frequent first.
pub(super) fn sorted(kinds: &std::collections::BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut sorted: Vec<(String, u64)> =
        kinds.iter().map(|(kind, count)| (truncated(kind, 60), *count)).collect();
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
