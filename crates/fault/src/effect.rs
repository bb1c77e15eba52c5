//! What a fault may do to a link: the one interface between [`crate::Link`] and the file of each fault.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::Cut;

/// A fault at work. All hooks have a harmless default; a fault implements the ones it needs.
pub(crate) trait Effect: Debug + Send {
    /// Bytes enter the link. May shorten `bytes`, put off `due`, or end the link.
    fn pushed(&mut self, _push: &mut Push<'_, '_>) -> Verdict {
        Verdict::Pass
    }

    /// Something was sent on this link or on its opposite direction.
    fn activity(&mut self, _now: Instant) {}

    /// When [`Effect::expired`] wants to be called.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The deadline has come. Must move or clear the deadline.
    fn expired(&mut self) -> Verdict {
        Verdict::Pass
    }

    /// How much of `available` bytes leaves in one delivery, and how long the next one waits.
    fn release(&mut self, available: usize, _rng: &mut Rng) -> (usize, Duration) {
        (available, Duration::ZERO)
    }

    /// How much later than it would the end of the stream arrives.
    fn ending(&mut self, _rng: &mut Rng) -> Duration {
        Duration::ZERO
    }

    /// Whether anything leaves the link at `now`.
    fn gate(&self, _now: Instant) -> Gate {
        Gate::Open
    }

    /// Longest piece that travels as one (bytes).
    fn segment(&self) -> usize {
        usize::MAX
    }
}

/// Whether anything leaves a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// Nothing leaves; `until` `None`: until the effect is taken away. `ends_pass`: but an end does.
    Shut {
        until: Option<Instant>,
        ends_pass: bool,
    },
}

/// A piece on its way into the link.
pub(crate) struct Push<'r, 'b> {
    pub(crate) now: Instant,
    pub(crate) rng: &'r mut Rng,
    pub(crate) bytes: &'b [u8],
    /// Offset of `bytes` in the caller's push; 0 for the first piece.
    pub(crate) offset: usize,
    /// When the piece arrives at the other end.
    pub(crate) due: Instant,
}

/// What becomes of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Pass,
    /// The link ends. `both`: so does the opposite direction.
    Cut { how: Cut, both: bool },
    /// The bytes are discarded and the sender gets a RST; the receiver hears nothing.
    Reject,
}
