//! A path that alternates between working and failing.

use std::time::Duration;

use undrop_fault::Fault;

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::links;
use crate::injector::{Injector, FaultStart};
use crate::parameters::{DURATION, Parameters};
use crate::spec_error::FaultSpecError;

pub use undrop_fault::Flapping;

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "flapping",
    summary: "The path alternates between working and failing.",
    description: "The path works for `up`, then fails for `down`, and repeats this. Data that would arrive during a failure arrives when the path works again.",
    examples: &["flapping down=1500ms up=20s"],
};

impl FaultBehavior for Flapping {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.required("up", &DURATION, &mut self.up)?;
        parameters.required("down", &DURATION, &mut self.down)
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let fault = Fault { flapping: Some(*self), ..Fault::default() };
        Some(links::injector(start, start.direction.senders(), Duration::ZERO, fault))
    }
}
