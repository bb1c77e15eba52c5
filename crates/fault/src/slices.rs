//! Delivery in small pieces.

use std::time::Duration;

use fastrand::Rng;

use crate::effect::Effect;

/// Data arrives in pieces of `min..=max` bytes, whatever the sender wrote at once. `Slices { min: 1, max: 1, .. }` shows
/// a parser every possible split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slices {
    /// Smallest piece, bytes; 0 counts as 1.
    pub min: usize,
    /// Largest piece, bytes; less than `min` counts as `min`.
    pub max: usize,
    /// Time between two pieces of one segment.
    pub gap: Duration,
}

impl Effect for Slices {
    fn release(&mut self, available: usize, rng: &mut Rng) -> (usize, Duration) {
        let min = self.min.max(1);
        (rng.usize(min..=self.max.max(min)).min(available), self.gap)
    }
}
