//! Reloads that end the connections of old workers.

use std::time::Duration;

use undrop_fault::CloseManner;

use crate::close_frame::CloseFrame;
use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::{FaultAction, Injector, FaultStart, timed};
use crate::parameters::{DURATION, Parameters};
use crate::schedule::Schedule;
use crate::spec_error::FaultSpecError;

/// Ends all connections that are open at an instant, after a grace period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReloadFault {
    /// The instants of the fault.
    pub when: Schedule,
    /// The time between the instant and the end.
    pub grace: Duration,
    /// The manner of the end.
    pub how: CloseManner<CloseFrame>,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "reload",
    summary: "All connections that are open at an instant end some time later.",
    description: "At one instant (`at`), or at regular intervals (`every`), all open connections are scheduled to end `grace` later, as when a proxy is reloaded.",
    examples: &["reload every=600s grace=240s how=fin", "reload at=10s code=1001 how=close reason=deploy"],
};

impl FaultBehavior for ReloadFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        self.when.parameters(parameters)?;
        parameters.with_default("grace", &DURATION, &mut self.grace, Duration::ZERO)?;
        parameters.close_manner(&mut self.how, CloseManner::Fin, 1001)
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let at = self.when.next(start.since, start.opened).map(|at| at + self.grace);
        Some(timed::at(at, FaultAction::End(self.how.clone())))
    }

    fn needs_websocket(&self) -> bool {
        matches!(self.how, CloseManner::Close(_))
    }
}
