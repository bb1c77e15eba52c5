//! Counters over time, in intervals of equal length.

use serde::{Deserialize, Serialize};

/// The maximum number of intervals; a longer run gets longer intervals.
const MAX_INTERVALS: usize = 4096;

/// Counters per interval of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// The length of an interval in seconds, 0.1 at first.
    pub step: f64,
    /// The intervals from the start of the run, in order.
    pub intervals: Vec<Interval>,
}

/// The events of one interval of a [`Timeline`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Connections opened, including those that were opened again.
    pub opened: u64,
    /// The number of connections that were lost.
    pub lost: u64,
    /// Connections closed by the load itself.
    pub closed: u64,
    /// The number of handshakes that failed.
    pub failed: u64,
    /// The number of handshakes that were started.
    pub attempts: u64,
    /// Messages that the schedule wanted sent.
    pub intended: u64,
    /// Messages that were sent.
    pub sent: u64,
    /// Messages that were received.
    pub received: u64,
}

impl Default for Timeline {
    fn default() -> Self {
        Timeline { step: 0.1, intervals: Vec::new() }
    }
}

impl Interval {
    fn add(&mut self, other: &Interval) {
        self.opened += other.opened;
        self.lost += other.lost;
        self.closed += other.closed;
        self.failed += other.failed;
        self.attempts += other.attempts;
        self.intended += other.intended;
        self.sent += other.sent;
        self.received += other.received;
    }
}

impl Timeline {
    /// Returns the interval that contains `seconds` since the start of the run. Doubles the length of all intervals when there
    /// would be too many.
    pub fn at(&mut self, seconds: f64) -> &mut Interval {
        let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
        while seconds / self.step >= MAX_INTERVALS as f64 {
            self.double_step();
        }
        let index = (seconds / self.step) as usize;
        if index >= self.intervals.len() {
            self.intervals.resize(index + 1, Interval::default());
        }
        &mut self.intervals[index]
    }

    /// Adds the counters of another worker.
    pub fn merge(&mut self, other: &Timeline) {
        let mut other = other.clone();
        while self.step < other.step * 0.99 {
            self.double_step();
        }
        while other.step < self.step * 0.99 {
            other.double_step();
        }
        if self.intervals.len() < other.intervals.len() {
            self.intervals.resize(other.intervals.len(), Interval::default());
        }
        for (mine, theirs) in self.intervals.iter_mut().zip(&other.intervals) {
            mine.add(theirs);
        }
    }

    fn double_step(&mut self) {
        let merged = self.intervals.chunks(2).map(|pair| {
            let mut interval = pair[0];
            if let Some(second) = pair.get(1) {
                interval.add(second);
            }
            interval
        });
        self.intervals = merged.collect();
        self.step *= 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_stays_bounded_and_loses_nothing() {
        let mut timeline = Timeline::default();
        for second in 0..10_000 {
            timeline.at(f64::from(second)).sent += 1;
        }
        assert!(timeline.intervals.len() <= MAX_INTERVALS);
        assert_eq!(timeline.intervals.iter().map(|interval| interval.sent).sum::<u64>(), 10_000);
        let mut short = Timeline::default();
        short.at(3.0).sent += 5;
        short.merge(&timeline);
        assert_eq!(short.step, timeline.step);
        assert_eq!(short.intervals.iter().map(|interval| interval.sent).sum::<u64>(), 10_005);
    }
}
