//! Triggers: an age, a number of bytes, or a position in a push.

use std::time::{Duration, Instant};

use crate::effect::Push;

/// The condition on which something happens to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The link reaches this age, whether it is busy or not (a maximum connection age).
    Age(Duration),
    /// Exactly this many bytes have passed in this direction since the link was opened.
    Bytes(u64),
    /// The `nth` push (counted from 1), after `offset` of its bytes: a cut inside a frame, if each frame is pushed
    /// separately. An offset past the end of the push means its end.
    Push {
        /// The number of the push, counted from 1.
        nth: u64,
        /// The number of its bytes that still pass.
        offset: usize,
    },
}

/// Watches for a trigger, which fires once.
#[derive(Debug)]
pub(crate) struct TriggerWatch {
    trigger: Trigger,
    opened: Instant,
    bytes: u64,
    pushes: u64,
    fired: bool,
}

impl TriggerWatch {
    pub(crate) fn new(opened: Instant, trigger: Trigger) -> TriggerWatch {
        TriggerWatch { trigger, opened, bytes: 0, pushes: 0, fired: false }
    }

    /// Returns `Some(n)` if the trigger fires after `n` bytes of this piece.
    pub(crate) fn passes(&mut self, push: &Push<'_, '_>) -> Option<usize> {
        let before = self.bytes;
        self.bytes += push.bytes.len() as u64;
        if push.offset == 0 {
            self.pushes += 1;
        }
        if self.fired {
            return None;
        }
        let passed = match self.trigger {
            Trigger::Age(_) => None,
            Trigger::Bytes(limit) => (self.bytes >= limit).then(|| (limit - before) as usize),
            Trigger::Push { nth, offset } if self.pushes == nth => {
                (offset < push.offset + push.bytes.len()).then(|| offset.saturating_sub(push.offset))
            }
            // The offset was past the end of the push, which passed whole: the cut comes before the next one.
            Trigger::Push { nth, .. } => (self.pushes > nth).then_some(0),
        };
        self.fired = passed.is_some();
        passed
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.trigger {
            Trigger::Age(age) if !self.fired => Some(self.opened + age),
            _ => None,
        }
    }

    pub(crate) fn fire(&mut self) {
        self.fired = true;
    }
}
