//! A path that pauses: nothing arrives, nothing is lost.

use std::time::{Duration, Instant};

use crate::effect::{Effect, Gate};

/// From a given age on, nothing arrives in this direction. The link accepts bytes until it is full, and delivers them
/// when the pause is over. On both links of a pair and with a duration, this is a device that sleeps. Without a
/// duration, it is a black hole that can be removed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hold {
    /// The start of the pause, counted from the opening of the link or from when the fault was added to it.
    pub after: Duration,
    /// The duration of the pause; `None` if it lasts until the fault is removed.
    pub lasts: Option<Duration>,
    /// Lets the end of the stream pass while data waits; the waiting data is then lost. This is a process that hangs
    /// until it is killed.
    pub ends_pass: bool,
}

impl Hold {
    pub(crate) fn effect(self, now: Instant) -> Box<dyn Effect> {
        let from = now + self.after;
        let until = self.lasts.map(|lasts| from + lasts);
        Box::new(HoldEffect { from, until, ends_pass: self.ends_pass })
    }
}

#[derive(Debug)]
struct HoldEffect {
    from: Instant,
    until: Option<Instant>,
    ends_pass: bool,
}

impl Effect for HoldEffect {
    fn gate(&self, now: Instant) -> Gate {
        if now < self.from || self.until.is_some_and(|until| now >= until) {
            return Gate::Open;
        }
        Gate::Shut { until: self.until, ends_pass: self.ends_pass }
    }
}
