//! The ack that waits for data to travel with.

use std::time::{Duration, Instant};

/// The maximum delay of an ack. Alone it costs a write, a packet and a wake-up at both ends; a backend reply, which can
/// carry the ack for free, usually follows within a millisecond.
const ACK_DELAY: Duration = Duration::from_millis(50);

/// The number of units after which an ack is no longer delayed.
const DELAYED_UNITS: u64 = 128;

/// A delayed ack (PROTOCOL §5), and what arrived since it was due.
#[derive(Debug, Default)]
pub(super) struct DelayedAck {
    /// When the ack was due; `None` while there is none.
    since: Option<Instant>,
    units: u64,
    bytes: usize,
    /// The client asked for the ack.
    requested: bool,
}

impl DelayedAck {
    /// Counts a unit of `len` payload bytes from the client.
    pub(super) fn on_unit(&mut self, len: usize) {
        self.units += 1;
        self.bytes += len;
    }

    /// The client asked for an ack, which is therefore not delayed.
    pub(super) fn on_request(&mut self) {
        self.requested = true;
    }

    /// Forgets the ack: it was sent, or other data carries it.
    pub(super) fn reset(&mut self) {
        if self.since.is_some() || self.units > 0 {
            *self = DelayedAck::default();
        }
    }

    /// Returns whether an ack that is due may still wait. `window`: the bytes that a client may have unacked.
    pub(super) fn may_wait(&mut self, now: Instant, window: usize) -> bool {
        let since = *self.since.get_or_insert(now);
        let few = self.units < DELAYED_UNITS && self.bytes < window / 4;
        few && !self.requested && now < since + ACK_DELAY
    }

    /// Returns when the ack has to be sent, if that is still to come. An ack that waits for longer waits for room in the
    /// socket, which wakes the task by itself.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.since.map(|since| since + ACK_DELAY).filter(|at| *at > now)
    }
}
