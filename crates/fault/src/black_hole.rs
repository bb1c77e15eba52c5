//! Black holes: the path takes bytes and gives nothing.

use std::time::{Duration, Instant};

use crate::cut::Watch;
use crate::effect::{Effect, Push, Verdict};
use crate::{Cut, Trigger};

/// From a given moment on nothing arrives in this direction, and neither end is told. Put one on both links of a pair
/// for a hole in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlackHole {
    /// When it opens.
    pub from: Trigger,
    /// How long it stays; TCP repeats what it swallowed, so the bytes then arrive late. `None`: for ever.
    pub lasts: Option<Duration>,
}

impl BlackHole {
    pub(crate) fn effect(self, now: Instant) -> Box<dyn Effect> {
        let opens = match self.from {
            Trigger::Age(age) => Some(now + age),
            _ => None,
        };
        Box::new(Running { watch: Watch::new(now, self.from), lasts: self.lasts, opens })
    }
}

#[derive(Debug)]
struct Running {
    watch: Watch,
    lasts: Option<Duration>,
    opens: Option<Instant>,
}

impl Effect for Running {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> Verdict {
        let passed = self.watch.passes(push);
        match (passed, self.lasts) {
            (Some(passed), None) => {
                push.bytes = &push.bytes[..passed];
                return Verdict::Cut { how: Cut::Silent, both: false };
            }
            (Some(_), Some(_)) => self.opens = Some(push.now),
            (None, _) => {}
        }
        if let (Some(opens), Some(lasts)) = (self.opens, self.lasts)
            && push.due >= opens
        {
            push.due = push.due.max(opens + lasts);
        }
        Verdict::Pass
    }

    fn deadline(&self) -> Option<Instant> {
        if self.lasts.is_none() { self.watch.deadline() } else { None }
    }

    fn expired(&mut self) -> Verdict {
        self.watch.fire();
        Verdict::Cut { how: Cut::Silent, both: false }
    }
}
