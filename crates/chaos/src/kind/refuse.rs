//! Connections that are refused.

use std::time::{Duration, Instant};

use crate::declaration::{FaultAdmission, ClosedPeriod, FaultBehavior, FaultDeclaration};
use crate::injector::{Injector, FaultStart};
use crate::parameters::{DURATION, Parameters};
use crate::spec_error::FaultSpecError;

/// Refuses connections, or resets a share of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RefuseFault {
    /// The duration of the fault; `None` if it is permanent.
    pub lasts: Option<Duration>,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "refuse",
    summary: "Connections are refused.",
    description: "The listener is closed for `lasts`, so that a SYN is answered with a RST. With a `share` below 1, the listener stays open, and that share of the connections is accepted and reset at once.",
    examples: &["refuse", "refuse lasts=10s share=0.5"],
};

impl FaultBehavior for RefuseFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.optional("lasts", &DURATION, &mut self.lasts, "permanent")
    }

    fn injector(&self, _start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        None
    }

    fn concerns_opening_only(&self) -> bool {
        true
    }

    fn admission(&self, elapsed: Duration) -> FaultAdmission {
        if self.lasts.is_none_or(|lasts| elapsed < lasts) { FaultAdmission::Reset } else { FaultAdmission::Accept }
    }

    fn closed_periods(&self, since: Instant, _now: Instant) -> [Option<ClosedPeriod>; 2] {
        [Some((since, self.lasts.map(|lasts| since + lasts))), None]
    }
}
