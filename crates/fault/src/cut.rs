//! Cuts after an age, after a number of bytes, or inside a push.

use std::time::Instant;

use crate::close_manner::CloseManner;
use crate::effect::{Effect, EffectVerdict, Push};
use crate::trigger::{Trigger, TriggerWatch};

/// Ends the connection, in both directions of a pair, when a trigger fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CutAfter {
    /// The trigger of the cut.
    pub when: Trigger,
    /// The manner of the end.
    pub how: CloseManner,
}

impl CutAfter {
    pub(crate) fn effect(self, now: Instant) -> Box<dyn Effect> {
        Box::new(CutEffect { watch: TriggerWatch::new(now, self.when), how: self.how })
    }
}

#[derive(Debug)]
struct CutEffect {
    watch: TriggerWatch,
    how: CloseManner,
}

impl Effect for CutEffect {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> EffectVerdict {
        match self.watch.passes(push) {
            Some(passed) => {
                push.bytes = &push.bytes[..passed];
                EffectVerdict::Cut { how: self.how, both: true }
            }
            None => EffectVerdict::Pass,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.watch.deadline()
    }

    fn expired(&mut self) -> EffectVerdict {
        self.watch.fire();
        EffectVerdict::Cut { how: self.how, both: true }
    }
}
