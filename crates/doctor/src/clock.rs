//! The clock of a run.

use std::time::Duration;

use tokio::time::Instant;

use undrop_diagnosis::observations::micros;

/// A clock that counts from the start of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Returns the seconds since the start of the run.
    pub(crate) fn now_s(self) -> f64 {
        self.at_s(Instant::now())
    }

    /// Returns the seconds from the start of the run to `instant`.
    pub(crate) fn at_s(self, instant: Instant) -> f64 {
        between_s(self.0, instant)
    }
}

/// Returns the seconds from one instant to another.
pub(crate) fn between_s(from: Instant, to: Instant) -> f64 {
    seconds(to.saturating_duration_since(from))
}

/// Returns a duration in seconds, rounded as it is saved.
pub(crate) fn seconds(duration: Duration) -> f64 {
    micros(duration.as_secs_f64())
}
