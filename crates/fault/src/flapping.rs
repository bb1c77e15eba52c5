//! A path that comes and goes.

use std::time::{Duration, Instant};

use crate::effect::{Effect, Push, Verdict};

/// The path works for `up`, fails for `down`, and so on from the opening of the link. What would arrive while it is
/// down arrives when it is up again (TCP repeats it), all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flapping {
    /// How long the path works.
    pub up: Duration,
    /// How long it then fails.
    pub down: Duration,
}

impl Flapping {
    pub(crate) fn effect(self, now: Instant) -> Box<dyn Effect> {
        Box::new(Running { fault: self, opened: now })
    }
}

#[derive(Debug)]
struct Running {
    fault: Flapping,
    opened: Instant,
}

impl Effect for Running {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> Verdict {
        let period = (self.fault.up + self.fault.down).as_nanos();
        if period > 0 {
            let into = (push.due - self.opened).as_nanos() % period;
            if into >= self.fault.up.as_nanos() {
                push.due += nanos(period - into);
            }
        }
        Verdict::Pass
    }
}

fn nanos(n: u128) -> Duration {
    Duration::from_nanos(u64::try_from(n).unwrap_or(u64::MAX))
}
