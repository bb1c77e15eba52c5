//! Delivery in small pieces.

use std::time::Duration;

use undrop_fault::{Fault, Slices};

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::links;
use crate::injector::{Injector, FaultStart};
use crate::parameters::{DURATION, POSITIVE_SIZE, Parameters};
use crate::spec_error::FaultSpecError;

/// Delivers data in small pieces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlicesFault {
    /// The size of a piece in bytes.
    pub size: u64,
    /// The time between two pieces.
    pub gap: Duration,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "slices",
    summary: "Data arrives in small pieces.",
    description: "Data arrives in pieces of `size` bytes, with `gap` between them.",
    examples: &["slices size=3", "slices gap=10ms size=1"],
};

impl FaultBehavior for SlicesFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.required("size", &POSITIVE_SIZE, &mut self.size)?;
        parameters.with_default("gap", &DURATION, &mut self.gap, Duration::ZERO)
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let slices = Slices { min: size, max: size, gap: self.gap };
        let fault = Fault { slices: Some(slices), ..Fault::default() };
        Some(links::injector(start, start.direction.senders(), Duration::ZERO, fault))
    }
}
