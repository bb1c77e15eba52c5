//! The interface between [`Link`](crate::Link) and the file of each fault.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::close_manner::CloseManner;

/// The effect of a fault on one link. Every hook has a default that does nothing; a fault overrides those it needs.
pub(crate) trait Effect: Debug + Send {
    /// Handles bytes that enter the link. May shorten `bytes`, postpone `due`, or end the link.
    fn pushed(&mut self, _push: &mut Push<'_, '_>) -> EffectVerdict {
        EffectVerdict::Pass
    }

    /// Handles traffic on this link or in the opposite direction.
    fn activity(&mut self, _now: Instant) {}

    /// Returns the time at which [`Effect::expired`] must be called.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Handles the expiry of the deadline. Must move or clear the deadline.
    fn expired(&mut self) -> EffectVerdict {
        EffectVerdict::Pass
    }

    /// Returns how many of `available` bytes one delivery carries, and the delay before the next delivery.
    fn release(&mut self, available: usize, _rng: &mut Rng) -> (usize, Duration) {
        (available, Duration::ZERO)
    }

    /// Returns the additional delay of the end of the stream.
    fn ending(&mut self, _rng: &mut Rng) -> Duration {
        Duration::ZERO
    }

    /// Returns whether deliveries leave the link at `now`.
    fn gate(&self, _now: Instant) -> Gate {
        Gate::Open
    }

    /// Returns the size in bytes of the longest piece that travels as one.
    fn segment(&self) -> usize {
        usize::MAX
    }
}

/// Whether deliveries leave a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// Nothing leaves until `until`, or until the effect is removed. With `ends_pass`, the end of the stream does.
    Shut {
        until: Option<Instant>,
        ends_pass: bool,
    },
}

/// A piece of data that enters the link.
pub(crate) struct Push<'r, 'b> {
    pub(crate) now: Instant,
    pub(crate) rng: &'r mut Rng,
    pub(crate) bytes: &'b [u8],
    /// The offset of `bytes` in the caller's push; 0 for the first piece.
    pub(crate) offset: usize,
    /// The time at which the piece arrives at the other side.
    pub(crate) due: Instant,
}

/// The effect of a piece or a deadline on the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EffectVerdict {
    /// The link continues to work.
    Pass,
    /// The link ends; with `both`, so does the opposite direction.
    Cut { how: CloseManner, both: bool },
    /// The bytes are discarded and the sender receives a RST; the receiver is not notified.
    Reject,
}
