//! The fault `bandwidth`: a limited rate.

use std::time::Duration;

use undrop_fault::Fault;

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::links;
use crate::injector::{Injector, FaultStart};
use crate::parameters::{POSITIVE_SIZE, Parameters};
use crate::spec_error::FaultSpecError;

pub use undrop_fault::Bandwidth;

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "bandwidth",
    summary: "Each direction is limited to a number of bytes per second.",
    description: "Each direction carries at most `rate` bytes per second. Excess data is queued.",
    examples: &["bandwidth rate=65536"],
};

impl FaultBehavior for Bandwidth {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.required("rate", &POSITIVE_SIZE, &mut self.bytes_per_second)
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let fault = Fault { bandwidth: Some(*self), ..Fault::default() };
        Some(links::injector(start, start.direction.senders(), Duration::ZERO, fault))
    }
}
