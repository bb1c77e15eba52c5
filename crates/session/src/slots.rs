//! Drain slots, which spread the reconnections of a deploy over time.

use std::time::Duration;

use crate::packet::GoAway;

/// The shortest time over which a drain is spread.
const MIN_SPREAD: Duration = Duration::from_secs(10);

/// Assigns each of `sessions` its own slot, spread over max(10 s, sessions / rate), but at most three quarters of the time
/// until the deadline.
#[derive(Debug, Clone)]
pub struct Slots {
    slot: Duration,
    next: u32,
    sessions: u32,
    deadline: Duration,
}

impl Slots {
    /// Creates the slots. `rate`: the number of sessions per second that the other nodes can accept. `deadline`: the time
    /// after which the last link is closed.
    pub fn new(sessions: u32, rate: u32, deadline: Duration) -> Self {
        let needed = Duration::from_secs_f64(f64::from(sessions) / f64::from(rate.max(1)));
        // The last quarter of the time is reserved for clients whose first attempt fails.
        let spread = needed.max(MIN_SPREAD).min(deadline.mul_f64(0.75));
        Self { slot: spread / sessions.max(1), next: 0, sessions, deadline }
    }

    /// Returns the length of a slot.
    pub const fn slot(&self) -> Duration {
        self.slot
    }

    /// Returns the slot of the next session. After `sessions` calls it starts again with the first slot.
    pub fn assign(&mut self, why: &str) -> GoAway {
        let at = self.slot * (self.next % self.sessions.max(1));
        self.next = self.next.wrapping_add(1);
        GoAway {
            wait: millis(at),
            slot: millis(self.slot),
            until: millis(self.deadline),
            why: why.to_owned(),
        }
    }
}

/// Returns the delay until a client moves inside its slot. `random` is in 0..1.
pub fn moment(slot: &GoAway, random: f64) -> Duration {
    Duration::from_millis(slot.wait) + Duration::from_millis(slot.slot).mul_f64(random.clamp(0.0, 1.0))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(crate::number::COUNTER_LIMIT - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_over_the_rate_or_ten_seconds() {
        assert_eq!(Slots::new(5000, 100, Duration::from_secs(600)).slot(), Duration::from_millis(10));
        assert_eq!(Slots::new(10, 100, Duration::from_secs(600)).slot(), Duration::from_secs(1));
        assert_eq!(Slots::new(0, 0, Duration::from_secs(600)).slot(), MIN_SPREAD);
    }

    #[test]
    fn slots_follow_each_other_and_end_before_the_deadline() {
        let mut slots = Slots::new(100, 1, Duration::from_secs(20));
        let all: Vec<_> = (0..100).map(|_| slots.assign("drain")).collect();
        assert!(all.windows(2).all(|w| w[1].wait == w[0].wait + w[0].slot));
        let last = &all[99];
        assert!(last.wait + last.slot <= 15_000 && last.until == 20_000);
        assert_eq!(slots.assign("drain").wait, 0);
        assert_eq!(moment(last, 0.0), Duration::from_millis(last.wait));
        assert_eq!(moment(last, 1.0), Duration::from_millis(last.wait + last.slot));
    }
}
