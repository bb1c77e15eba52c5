//! Restarts that end all connections at once.

use std::time::{Duration, Instant};

use undrop_fault::CloseManner;

use crate::close_frame::CloseFrame;
use crate::declaration::{ClosedPeriod, FaultBehavior, FaultDeclaration};
use crate::injector::{FaultAction, Injector, FaultStart, timed};
use crate::parameters::{DURATION, Parameters};
use crate::schedule::Schedule;
use crate::spec_error::FaultSpecError;

/// Ends all connections at an instant, and refuses connections for a while.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestartFault {
    /// The instants of the fault.
    pub when: Schedule,
    /// The duration for which connections are then refused.
    pub down: Duration,
    /// The manner of the end.
    pub how: CloseManner<CloseFrame>,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "restart",
    summary: "All connections end at once, and none are accepted for a while.",
    description: "At one instant (`at`), or at regular intervals (`every`), all open connections end, and connections are refused for `down`.",
    examples: &["restart down=20s every=600s how=rst", "restart at=10s code=1012 how=close reason=restart"],
};

impl FaultBehavior for RestartFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        self.when.parameters(parameters)?;
        parameters.with_default("down", &DURATION, &mut self.down, Duration::ZERO)?;
        parameters.close_manner(&mut self.how, CloseManner::Rst, 1001)
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let at = self.when.next(start.since, start.opened);
        Some(timed::at(at, FaultAction::End(self.how.clone())))
    }

    fn needs_websocket(&self) -> bool {
        matches!(self.how, CloseManner::Close(_))
    }

    fn concerns_opening_only(&self) -> bool {
        true
    }

    fn closed_periods(&self, since: Instant, now: Instant) -> [Option<ClosedPeriod>; 2] {
        let period = |from: Instant| (from, Some(from + self.down));
        self.when.around(since, now).map(|instant| instant.map(period))
    }
}
