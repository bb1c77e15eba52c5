//! Idle timeouts: the read timeout of a proxy.

use std::time::{Duration, Instant};

use crate::close_manner::CloseManner;
use crate::effect::{Effect, EffectVerdict, Push};

/// Ends the connection, in both directions of a pair, when nothing was sent for a while. In a pair, traffic in either
/// direction counts, unless `own_direction_only` is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdleTimeout {
    /// The longest silence that does not end the connection.
    pub after: Duration,
    /// The manner of the end.
    pub how: CloseManner,
    /// Counts only traffic in the direction that carries this fault, as a proxy with one timer per direction does.
    pub own_direction_only: bool,
}

impl IdleTimeout {
    pub(crate) fn effect(self, now: Instant) -> Box<dyn Effect> {
        Box::new(IdleTimeoutEffect { fault: self, last_activity: now, done: false })
    }
}

#[derive(Debug)]
struct IdleTimeoutEffect {
    fault: IdleTimeout,
    last_activity: Instant,
    done: bool,
}

impl Effect for IdleTimeoutEffect {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> EffectVerdict {
        self.last_activity = push.now;
        EffectVerdict::Pass
    }

    fn activity(&mut self, now: Instant) {
        if !self.fault.own_direction_only {
            self.last_activity = now;
        }
    }

    fn deadline(&self) -> Option<Instant> {
        (!self.done).then(|| self.last_activity + self.fault.after)
    }

    fn expired(&mut self) -> EffectVerdict {
        self.done = true;
        EffectVerdict::Cut { how: self.fault.how, both: true }
    }
}
