//! Limited bandwidth.

use std::time::{Duration, Instant};

use crate::effect::{Effect, Push, Verdict};

/// A full Ethernet frame's worth of TCP payload, so that a large write trickles instead of arriving at once.
const SEGMENT: usize = 1460;

/// The link carries this many bytes per second; what is faster queues up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bytes per second; 0 counts as 1.
    pub bytes_per_second: u64,
}

impl Bandwidth {
    pub(crate) fn effect(self) -> Box<dyn Effect> {
        Box::new(Running { rate: self.bytes_per_second.max(1), free_at: None })
    }
}

#[derive(Debug)]
struct Running {
    rate: u64,
    free_at: Option<Instant>,
}

impl Effect for Running {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> Verdict {
        let start = self.free_at.map_or(push.due, |free| free.max(push.due));
        let free = start + Duration::from_secs_f64(push.bytes.len() as f64 / self.rate as f64);
        self.free_at = Some(free);
        push.due = free;
        Verdict::Pass
    }

    fn segment(&self) -> usize {
        SEGMENT
    }
}
