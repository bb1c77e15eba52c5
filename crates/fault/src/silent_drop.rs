//! Silent drops, as by NAT devices and balancers that forget a flow: a RST for the next packet, nothing else.

use std::time::{Duration, Instant};

use crate::effect::{Effect, EffectVerdict, Push};

/// After a silence, the path forgets the connection without notifying either side. The side that sends next receives a
/// RST; the other side learns nothing until it sends as well. In a pair, traffic in either direction counts; set the
/// fault on both links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SilentDrop {
    /// The longest silence after which the connection is still known.
    pub after: Duration,
}

impl SilentDrop {
    pub(crate) fn effect(self, now: Instant) -> Box<dyn Effect> {
        Box::new(SilentDropEffect { after: self.after, last_activity: now })
    }
}

#[derive(Debug)]
struct SilentDropEffect {
    after: Duration,
    last_activity: Instant,
}

impl SilentDropEffect {
    fn is_forgotten(&self, now: Instant) -> bool {
        now > self.last_activity + self.after
    }
}

impl Effect for SilentDropEffect {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> EffectVerdict {
        if self.is_forgotten(push.now) {
            return EffectVerdict::Reject;
        }
        self.last_activity = push.now;
        EffectVerdict::Pass
    }

    fn activity(&mut self, now: Instant) {
        // A rejected packet does not restore the flow.
        if !self.is_forgotten(now) {
            self.last_activity = now;
        }
    }
}
