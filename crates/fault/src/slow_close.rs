//! Ends of the stream that arrive late.

use std::time::Duration;

use fastrand::Rng;

use crate::effect::Effect;

/// Delays the FIN or RST that ends the stream. Data is not delayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SlowClose {
    /// The additional delay of the end.
    pub delay: Duration,
}

impl Effect for SlowClose {
    fn ending(&mut self, _rng: &mut Rng) -> Duration {
        self.delay
    }
}
