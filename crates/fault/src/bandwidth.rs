//! Bandwidth that is limited to a rate.

use std::time::{Duration, Instant};

use crate::effect::{Effect, EffectVerdict, Push};

/// The TCP payload of a full Ethernet frame, so that a large write arrives gradually instead of all at once.
const SEGMENT: usize = 1460;

/// Limits the link to a number of bytes per second. Excess data is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bandwidth {
    /// Bytes per second; 0 counts as 1.
    pub bytes_per_second: u64,
}

impl Bandwidth {
    pub(crate) fn effect(self) -> Box<dyn Effect> {
        Box::new(BandwidthEffect { rate: self.bytes_per_second.max(1), free_at: None })
    }
}

#[derive(Debug)]
struct BandwidthEffect {
    rate: u64,
    free_at: Option<Instant>,
}

impl Effect for BandwidthEffect {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> EffectVerdict {
        let start = self.free_at.map_or(push.due, |free| free.max(push.due));
        let free = start + Duration::from_secs_f64(push.bytes.len() as f64 / self.rate as f64);
        self.free_at = Some(free);
        push.due = free;
        EffectVerdict::Pass
    }

    fn segment(&self) -> usize {
        SEGMENT
    }
}
