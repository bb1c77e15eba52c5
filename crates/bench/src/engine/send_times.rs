//! The times at which one connection sends.

/// The resolution of the schedule in microseconds: messages are scheduled on a grid of milliseconds.
pub(crate) const GRID_US: u64 = 1000;

/// The intended times of the messages of one connection: the first at `start_us`, then one every `interval_us`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SendTimes {
    start_us: u64,
    interval_us: f64,
}

impl SendTimes {
    pub(crate) fn new(start_us: u64, interval_us: f64) -> SendTimes {
        SendTimes { start_us, interval_us }
    }

    /// Returns the time on the grid at which message `number` (from 0) is intended to be sent.
    pub(crate) fn intended_us(&self, number: u64) -> u64 {
        let exact = self.start_us + (self.interval_us * number as f64) as u64;
        exact.div_ceil(GRID_US) * GRID_US
    }

    /// Returns how many messages are intended at `now` or earlier.
    pub(crate) fn due_by(&self, now: u64) -> u64 {
        let on_grid = now / GRID_US * GRID_US;
        let Some(since) = on_grid.checked_sub(self.start_us) else { return 0 };
        let mut due = (since as f64 / self.interval_us.max(1e-3)) as u64 + 1;
        // Floating point may be off by one in either direction.
        while due > 0 && self.intended_us(due - 1) > now {
            due -= 1;
        }
        while self.intended_us(due) <= now {
            due += 1;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_due_once_at_any_rate() {
        for (start_us, interval_us) in
            [(0, 100_000.0), (12_345, 1000.0), (999, 333.3), (5, 1.0), (7, 0.2), (3, 1e9 / 7.0)]
        {
            let times = SendTimes::new(start_us, interval_us);
            for now in [0, 1, 999, 1000, 12_345, 13_000, 1_000_000, 60_000_000] {
                let due = times.due_by(now);
                assert!(due == 0 || times.intended_us(due - 1) <= now, "{times:?} at {now}: {due}");
                assert!(times.intended_us(due) > now, "{times:?} at {now}: {due}");
            }
        }
    }
}
