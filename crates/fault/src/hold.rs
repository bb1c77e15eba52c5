//! A path that stands still: nothing arrives, nothing is lost.

use std::time::{Duration, Instant};

use crate::effect::{Effect, Gate};

/// From a given age on nothing arrives in this direction. The link goes on taking bytes until it is full, and gives
/// them up when the path moves again. On both links of a pair with an end: a device that sleeps. Without an end: a black
/// hole that may be taken away again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hold {
    /// When it begins, counted from the opening of the link (or from when the fault was added to it).
    pub after: Duration,
    /// How long it lasts; `None`: until the fault is removed.
    pub lasts: Option<Duration>,
    /// Data waits, but the end of the stream passes, and what waited is then lost: a process that hangs until it is
    /// killed.
    pub ends_pass: bool,
}

impl Hold {
    pub(crate) fn effect(self, now: Instant) -> Box<dyn Effect> {
        let from = now + self.after;
        let until = self.lasts.map(|lasts| from + lasts);
        Box::new(Running { from, until, ends_pass: self.ends_pass })
    }
}

#[derive(Debug)]
struct Running {
    from: Instant,
    until: Option<Instant>,
    ends_pass: bool,
}

impl Effect for Running {
    fn gate(&self, now: Instant) -> Gate {
        if now < self.from || self.until.is_some_and(|until| now >= until) {
            return Gate::Open;
        }
        Gate::Shut { until: self.until, ends_pass: self.ends_pass }
    }
}
