//! Idle cuts: the proxy's read timeout.

use std::time::{Duration, Instant};

use crate::Cut;
use crate::effect::{Effect, Verdict};

/// Ends the connection, both directions of a pair, when nothing was sent for a while. In a pair traffic of either
/// direction counts, unless `own_direction_only`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdleCut {
    /// Longest silence that is survived.
    pub after: Duration,
    /// The manner.
    pub how: Cut,
    /// Only traffic of the direction that carries this fault counts (a proxy with one timer per direction).
    pub own_direction_only: bool,
}

impl IdleCut {
    pub(crate) fn effect(self, now: Instant) -> Box<dyn Effect> {
        Box::new(Running { fault: self, last: now, done: false })
    }
}

#[derive(Debug)]
struct Running {
    fault: IdleCut,
    last: Instant,
    done: bool,
}

impl Effect for Running {
    fn pushed(&mut self, push: &mut crate::effect::Push<'_, '_>) -> Verdict {
        self.last = push.now;
        Verdict::Pass
    }

    fn activity(&mut self, now: Instant) {
        if !self.fault.own_direction_only {
            self.last = now;
        }
    }

    fn deadline(&self) -> Option<Instant> {
        (!self.done).then(|| self.last + self.fault.after)
    }

    fn expired(&mut self) -> Verdict {
        self.done = true;
        Verdict::Cut { how: self.fault.how, both: true }
    }
}
