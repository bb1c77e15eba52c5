//! Cuts: after an age, a number of bytes, or inside a frame.

use std::time::{Duration, Instant};

use crate::effect::{Effect, Push, Verdict};

/// How a link ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// Orderly end of the stream, behind all data. No close frame: that would be the application's business.
    Fin,
    /// Reset. What is in flight is lost from a random point on.
    Rst,
    /// No sign at all: what is in flight is lost from a random point on, and nothing ever arrives again. The end that
    /// still believes in the link is half open.
    Silent,
}

/// When something happens to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// This long after the link was opened, traffic or not (a lifetime limit).
    Age(Duration),
    /// Behind exactly this many bytes, counted on this direction from its start.
    Bytes(u64),
    /// Inside the `nth` push (from 1), behind `offset` of its bytes: a cut in the middle of a frame when each frame is
    /// pushed by itself. An offset beyond the push's end means its end.
    Push {
        /// Which push, from 1.
        nth: u64,
        /// How many of its bytes still pass.
        offset: usize,
    },
}

/// Ends the connection, both directions of a pair, at a given moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CutAfter {
    /// The moment.
    pub when: Trigger,
    /// The manner.
    pub how: Cut,
}

impl CutAfter {
    pub(crate) fn effect(self, now: Instant) -> Box<dyn Effect> {
        Box::new(Running { watch: Watch::new(now, self.when), how: self.how })
    }
}

#[derive(Debug)]
struct Running {
    watch: Watch,
    how: Cut,
}

impl Effect for Running {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> Verdict {
        match self.watch.passes(push) {
            Some(passed) => {
                push.bytes = &push.bytes[..passed];
                Verdict::Cut { how: self.how, both: true }
            }
            None => Verdict::Pass,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.watch.deadline()
    }

    fn expired(&mut self) -> Verdict {
        self.watch.fire();
        Verdict::Cut { how: self.how, both: true }
    }
}

/// A trigger being waited for. Fires once.
#[derive(Debug)]
pub(crate) struct Watch {
    trigger: Trigger,
    opened: Instant,
    bytes: u64,
    pushes: u64,
    fired: bool,
}

impl Watch {
    pub(crate) fn new(opened: Instant, trigger: Trigger) -> Watch {
        Watch { trigger, opened, bytes: 0, pushes: 0, fired: false }
    }

    /// `Some(n)`: the trigger fires behind `n` bytes of this piece.
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
            // The offset lay beyond the push: it ended whole, so the cut comes before the next one.
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
