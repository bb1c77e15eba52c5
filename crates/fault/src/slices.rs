//! Delivery in small pieces.

use std::time::Duration;

use fastrand::Rng;

use crate::effect::Effect;

/// Delivers data in pieces of `min..=max` bytes, however it was written. `Slices { min: 1, max: 1, .. }` exposes a
/// parser to every possible split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slices {
    /// The smallest piece in bytes; 0 counts as 1.
    pub min: usize,
    /// The largest piece in bytes; less than `min` counts as `min`.
    pub max: usize,
    /// The time between two pieces of one segment.
    pub gap: Duration,
}

impl Effect for Slices {
    fn release(&mut self, available: usize, rng: &mut Rng) -> (usize, Duration) {
        let min = self.min.max(1);
        (rng.usize(min..=self.max.max(min)).min(available), self.gap)
    }
}
