//! Silence: idle cuts, and flows that are forgotten.

use std::time::{Duration, Instant};

use undrop_fault::Side;

use super::{Act, Concern};
use crate::spec::{Counts, How};

pub(super) fn cut(began: Instant, after: Duration, how: How, counts: Counts) -> Box<dyn Concern> {
    Box::new(IdleCut { after, how, counts, last: began, done: false })
}

pub(super) fn forget_after(began: Instant, after: Duration) -> Box<dyn Concern> {
    Box::new(SilentDrop { at: began + after, after: Some(after), forgotten: false })
}

pub(super) fn forget_at(at: Instant) -> Box<dyn Concern> {
    Box::new(SilentDrop { at, after: None, forgotten: false })
}

#[derive(Debug)]
struct IdleCut {
    after: Duration,
    how: How,
    counts: Counts,
    last: Instant,
    done: bool,
}

impl Concern for IdleCut {
    fn heard(&mut self, now: Instant, from: Side, data: bool) -> bool {
        let counts = match self.counts {
            Counts::Any => true,
            Counts::Data => data,
            Counts::Up => from == Side::A,
            Counts::Down => from == Side::B,
        };
        if counts {
            self.last = now.max(self.last);
        }
        true
    }

    fn deadline(&self) -> Option<Instant> {
        (!self.done).then(|| self.last + self.after)
    }

    fn expired(&mut self) -> Option<Act> {
        self.done = true;
        Some(Act::End(self.how.clone()))
    }
}

#[derive(Debug)]
struct SilentDrop {
    at: Instant,
    /// `None`: at that time whatever is sent.
    after: Option<Duration>,
    forgotten: bool,
}

impl Concern for SilentDrop {
    fn heard(&mut self, now: Instant, _from: Side, _data: bool) -> bool {
        if let Some(after) = self.after
            && !self.forgotten
        {
            self.at = self.at.max(now + after);
        }
        !self.forgotten
    }

    fn deadline(&self) -> Option<Instant> {
        (!self.forgotten).then_some(self.at)
    }

    fn expired(&mut self) -> Option<Act> {
        self.forgotten = true;
        Some(Act::Forget)
    }
}
