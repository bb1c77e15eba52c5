//! Silent drop, then RST on the next packet: NAT boxes and balancers that forget a flow.

use std::time::{Duration, Instant};

use crate::effect::{Effect, Push, Verdict};

/// After a silence the middle forgets the connection without a word. Whoever sends next gets a RST; the other end
/// learns nothing until it sends itself. In a pair traffic of either direction counts; put it on both links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SilentDrop {
    /// Longest silence that is survived.
    pub after: Duration,
}

impl SilentDrop {
    pub(crate) fn effect(self, now: Instant) -> Box<dyn Effect> {
        Box::new(Running { after: self.after, last: now })
    }
}

#[derive(Debug)]
struct Running {
    after: Duration,
    last: Instant,
}

impl Running {
    fn forgotten(&self, now: Instant) -> bool {
        now > self.last + self.after
    }
}

impl Effect for Running {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> Verdict {
        if self.forgotten(push.now) {
            return Verdict::Reject;
        }
        self.last = push.now;
        Verdict::Pass
    }

    fn activity(&mut self, now: Instant) {
        // A packet that was itself rejected does not bring the flow back.
        if !self.forgotten(now) {
            self.last = now;
        }
    }
}
