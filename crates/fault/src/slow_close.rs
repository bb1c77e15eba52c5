//! Ends that take their time.

use std::time::Duration;

use fastrand::Rng;

use crate::effect::Effect;

/// The FIN or RST of an end arrives this much later than it would. Data is not delayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlowClose {
    /// The delay.
    pub delay: Duration,
}

impl Effect for SlowClose {
    fn ending(&mut self, _rng: &mut Rng) -> Duration {
        self.delay
    }
}
