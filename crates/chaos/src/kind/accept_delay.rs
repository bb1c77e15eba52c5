//! Connections that are slow to open.

use std::time::Duration;

use crate::declaration::{FaultAdmission, FaultBehavior, FaultDeclaration};
use crate::injector::{Injector, FaultStart};
use crate::parameters::{DURATION, Parameters};
use crate::spec_error::FaultSpecError;

/// Ignores a new connection for a while.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AcceptDelayFault {
    /// The duration for which nothing happens.
    pub delay: Duration,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "accept-delay",
    summary: "Nothing happens on a new connection at first.",
    description: "Nothing happens on a new connection for `delay`: the proxy neither reads from it nor connects to the upstream.",
    examples: &["accept-delay delay=10s"],
};

impl FaultBehavior for AcceptDelayFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.required("delay", &DURATION, &mut self.delay)
    }

    fn injector(&self, _start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        None
    }

    fn concerns_opening_only(&self) -> bool {
        true
    }

    fn admission(&self, _elapsed: Duration) -> FaultAdmission {
        FaultAdmission::Delay(self.delay)
    }
}
