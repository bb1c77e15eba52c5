//! A client device that sleeps.

use std::time::Duration;

use undrop_fault::{Fault, Hold};

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::links;
use crate::injector::{Injector, FaultStart};
use crate::parameters::{DURATION, Parameters};
use crate::spec_error::FaultSpecError;

/// Holds both directions, as if the client device slept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SuspendFault {
    /// The age of the connection at which the fault starts.
    pub after: Duration,
    /// The duration of the fault; `None` if it is permanent.
    pub lasts: Option<Duration>,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "suspend",
    summary: "The client neither reads nor writes for a while.",
    description: "From the age `after` on, for `lasts`, nothing passes in either direction, as with a phone that sleeps. The fault ignores `direction`.",
    examples: &["suspend", "suspend after=20s lasts=120s"],
};

impl FaultBehavior for SuspendFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.with_default("after", &DURATION, &mut self.after, Duration::ZERO)?;
        parameters.optional("lasts", &DURATION, &mut self.lasts, "permanent")
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let hold = Hold { after: self.after, lasts: self.lasts, ends_pass: false };
        let fault = Fault { hold: Some(hold), ..Fault::default() };
        Some(links::injector(start, [true; 2], self.after, fault))
    }
}
