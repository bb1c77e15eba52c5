//! Latency with jitter.

use std::time::{Duration, Instant};

use crate::effect::{Effect, Push, Verdict};

/// Time that a piece of data is under way. Order is kept: a late piece holds up the ones behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// Least time under way.
    pub base: Duration,
    /// Up to this much is added, uniformly, per push.
    pub jitter: Duration,
}

impl Latency {
    /// Draws the time under way of one piece.
    pub(crate) fn draw(&self, rng: &mut fastrand::Rng) -> Duration {
        self.base + self.jitter.mul_f64(rng.f64())
    }
}

impl Effect for Latency {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> Verdict {
        push.due += self.draw(push.rng);
        Verdict::Pass
    }
}

/// Keeps deliveries in order whatever was drawn.
pub(crate) fn in_order(due: Instant, last: &mut Option<Instant>) -> Instant {
    let due = last.map_or(due, |last| due.max(last));
    *last = Some(due);
    due
}
