//! The clock of a run: microseconds since its epoch, the same in every worker process.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Converts between instants of this process and times of the run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// An instant whose time of the run is `at_zero_us`.
    zero: Instant,
    at_zero_us: u64,
}

/// Returns the microseconds since 1970, which are the epoch of a run that starts now.
pub(crate) fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Clock {
    /// Creates the clock of a run with this epoch.
    pub(crate) fn new(epoch_us: u64) -> Clock {
        Clock { zero: Instant::now(), at_zero_us: unix_us().saturating_sub(epoch_us) }
    }

    /// Returns the time of the run in microseconds.
    pub(crate) fn now_us(&self) -> u64 {
        self.at_zero_us + u64::try_from(self.zero.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Returns the time of the run in seconds.
    pub(crate) fn now_s(&self) -> f64 {
        self.now_us() as f64 / 1e6
    }

    /// Returns the instant of a time of the run.
    pub(crate) fn instant(&self, at_us: u64) -> Instant {
        self.zero + Duration::from_micros(at_us.saturating_sub(self.at_zero_us))
    }
}
