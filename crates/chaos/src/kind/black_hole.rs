//! A path that delivers nothing.

use std::time::Duration;

use undrop_fault::{Fault, Hold};

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::links;
use crate::injector::{Injector, FaultStart};
use crate::parameters::{DURATION, Parameters};
use crate::spec_error::FaultSpecError;

/// Delivers nothing, without notifying either side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlackHoleFault {
    /// The age of the connection at which the fault starts.
    pub after: Duration,
    /// The duration of the fault; `None` if it is permanent.
    pub lasts: Option<Duration>,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "black-hole",
    summary: "Nothing arrives, and neither side is notified.",
    description: "From the age `after` on, for `lasts`, nothing arrives, not even the end of the stream. Use `direction` for a black hole in one direction. Data that was held back arrives when the fault ends or is removed, because TCP retransmits it.",
    examples: &["black-hole", "black-hole after=10s lasts=5s"],
};

impl FaultBehavior for BlackHoleFault {
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
        Some(links::injector(start, start.direction.senders(), self.after, fault))
    }
}
