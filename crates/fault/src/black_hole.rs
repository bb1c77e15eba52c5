//! Black holes: the path accepts bytes and delivers nothing.

use std::time::{Duration, Instant};

use crate::close_manner::CloseManner;
use crate::effect::{Effect, EffectVerdict, Push};
use crate::trigger::{Trigger, TriggerWatch};

/// From a trigger on, nothing arrives in this direction, and neither side is notified. For a black hole in both
/// directions, set it on both links of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlackHole {
    /// The trigger that opens the black hole.
    pub from: Trigger,
    /// The duration of the black hole; `None` if it is permanent. After a temporary black hole the lost bytes arrive
    /// late, because TCP retransmits them.
    pub lasts: Option<Duration>,
}

impl BlackHole {
    pub(crate) fn effect(self, now: Instant) -> Box<dyn Effect> {
        let opens = match self.from {
            Trigger::Age(age) => Some(now + age),
            Trigger::Bytes(_) | Trigger::Push { .. } => None,
        };
        Box::new(BlackHoleEffect { watch: TriggerWatch::new(now, self.from), lasts: self.lasts, opens })
    }
}

#[derive(Debug)]
struct BlackHoleEffect {
    watch: TriggerWatch,
    lasts: Option<Duration>,
    opens: Option<Instant>,
}

impl Effect for BlackHoleEffect {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> EffectVerdict {
        let passed = self.watch.passes(push);
        match (passed, self.lasts) {
            (Some(passed), None) => {
                push.bytes = &push.bytes[..passed];
                return EffectVerdict::Cut { how: CloseManner::Silent, both: false };
            }
            (Some(_), Some(_)) => self.opens = Some(push.now),
            (None, _) => {}
        }
        if let (Some(opens), Some(lasts)) = (self.opens, self.lasts)
            && push.due >= opens
        {
            push.due = push.due.max(opens + lasts);
        }
        EffectVerdict::Pass
    }

    fn deadline(&self) -> Option<Instant> {
        if self.lasts.is_none() { self.watch.deadline() } else { None }
    }

    fn expired(&mut self) -> EffectVerdict {
        self.watch.fire();
        EffectVerdict::Cut { how: CloseManner::Silent, both: false }
    }
}
