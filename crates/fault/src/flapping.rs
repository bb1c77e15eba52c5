//! A path that alternates between working and failing.

use std::time::{Duration, Instant};

use crate::effect::{Effect, EffectVerdict, Push};

/// The path works for `up`, fails for `down`, and repeats this from the opening of the link. Data that would arrive
/// during a failure arrives all at once when the path works again, because TCP retransmits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flapping {
    /// The duration for which the path works.
    pub up: Duration,
    /// The duration for which the path then fails.
    pub down: Duration,
}

impl Flapping {
    pub(crate) fn effect(self, now: Instant) -> Box<dyn Effect> {
        Box::new(FlappingEffect { fault: self, opened: now })
    }
}

#[derive(Debug)]
struct FlappingEffect {
    fault: Flapping,
    opened: Instant,
}

impl Effect for FlappingEffect {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> EffectVerdict {
        let period = (self.fault.up + self.fault.down).as_nanos();
        if period > 0 {
            let into = (push.due - self.opened).as_nanos() % period;
            if into >= self.fault.up.as_nanos() {
                push.due += nanos(period - into);
            }
        }
        EffectVerdict::Pass
    }
}

fn nanos(n: u128) -> Duration {
    Duration::from_nanos(u64::try_from(n).unwrap_or(u64::MAX))
}
