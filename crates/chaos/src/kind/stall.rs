//! Data that waits while ends of the stream pass.

use std::time::Duration;

use undrop_fault::{Fault, Hold};

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::links;
use crate::injector::{Injector, FaultStart};
use crate::parameters::{DURATION, Parameters};
use crate::spec_error::FaultSpecError;

/// Holds data back, but lets the end of the stream pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StallFault {
    /// The age of the connection at which the fault starts.
    pub after: Duration,
    /// The duration of the fault; `None` if it is permanent.
    pub lasts: Option<Duration>,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "stall",
    summary: "Data waits, but the end of the stream passes.",
    description: "From the age `after` on, for `lasts`, data waits. The end of the stream passes, and the waiting data is then lost: a process that hangs until it is killed.",
    examples: &["stall", "stall after=10s lasts=5s"],
};

impl FaultBehavior for StallFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.with_default("after", &DURATION, &mut self.after, Duration::ZERO)?;
        parameters.optional("lasts", &DURATION, &mut self.lasts, "permanent")
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let hold = Hold { after: self.after, lasts: self.lasts, ends_pass: true };
        let fault = Fault { hold: Some(hold), ..Fault::default() };
        Some(links::injector(start, start.direction.senders(), self.after, fault))
    }
}
