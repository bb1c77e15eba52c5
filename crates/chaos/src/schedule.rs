//! Instants that all connections share.

use std::time::{Duration, Instant};

use crate::parameters::{DURATION, Form, Parameters};
use crate::spec_error::FaultSpecError;

/// Instants that all connections share, counted from when the fault was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// At regular intervals, the first time after one interval.
    Every(Duration),
    /// Once, after this time.
    At(Duration),
}

impl Schedule {
    /// Declares `every` and `at`.
    pub(crate) fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        let Form { name, .. } = DURATION;
        let variants =
            [("every", name, Schedule::Every(Duration::ZERO)), ("at", name, Schedule::At(Duration::ZERO))];
        parameters.one_of(self, &variants)?;
        match self {
            Schedule::Every(interval) => {
                parameters.required("every", &DURATION, interval)?;
                parameters.ensure(!interval.is_zero(), "every", "must be longer than 0")
            }
            Schedule::At(at) => parameters.required("at", &DURATION, at),
        }
    }

    /// Returns the first instant that is not before `from` (for an interval: after it), for a fault added at `since`.
    pub(crate) fn next(self, since: Instant, from: Instant) -> Option<Instant> {
        match self {
            Schedule::At(at) => Some(since + at).filter(|at| *at >= from),
            Schedule::Every(interval) => {
                nth(since, interval, elapsed_intervals(since, from, interval)?.checked_add(1)?)
            }
        }
    }

    /// Returns the last instant until `now` and the next one, for a fault added at `since`.
    pub(crate) fn around(self, since: Instant, now: Instant) -> [Option<Instant>; 2] {
        match self {
            Schedule::At(at) => [Some(since + at), None],
            Schedule::Every(interval) => match elapsed_intervals(since, now, interval) {
                // The addition of the fault is not an instant of the schedule.
                Some(0) => [None, nth(since, interval, 1)],
                Some(n) => [nth(since, interval, n), n.checked_add(1).and_then(|n| nth(since, interval, n))],
                None => [None, None],
            },
        }
    }
}

impl Default for Schedule {
    fn default() -> Schedule {
        Schedule::At(Duration::ZERO)
    }
}

fn elapsed_intervals(since: Instant, until: Instant, interval: Duration) -> Option<u32> {
    let elapsed = until.saturating_duration_since(since).as_nanos();
    u32::try_from(elapsed / interval.as_nanos().max(1)).ok()
}

/// Returns `None` if no clock can represent the instant: it never comes.
fn nth(since: Instant, interval: Duration, n: u32) -> Option<Instant> {
    since.checked_add(interval.checked_mul(n)?)
}
