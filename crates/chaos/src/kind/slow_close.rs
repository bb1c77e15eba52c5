//! Ends of the stream that arrive late.

use std::time::Duration;

use undrop_fault::Fault;

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::links;
use crate::injector::{Injector, FaultStart};
use crate::parameters::{DURATION, Parameters};
use crate::spec_error::FaultSpecError;

pub use undrop_fault::SlowClose;

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "slow-close",
    summary: "FIN and RST arrive later.",
    description: "The FIN or RST that ends a stream arrives `delay` later. Data is not delayed.",
    examples: &["slow-close delay=10s"],
};

impl FaultBehavior for SlowClose {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.required("delay", &DURATION, &mut self.delay)
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let fault = Fault { slow_close: Some(*self), ..Fault::default() };
        Some(links::injector(start, start.direction.senders(), Duration::ZERO, fault))
    }
}
