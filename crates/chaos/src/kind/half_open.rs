//! A connection of which one side no longer exists.

use std::time::Duration;

use undrop_fault::Side;

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::direction::Direction;
use crate::injector::{FaultAction, Injector, FaultStart, timed};
use crate::parameters::{DURATION, Parameters};
use crate::spec_error::FaultSpecError;

/// Removes one side without notifying the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HalfOpenFault {
    /// The age of the connection at which the side disappears.
    pub after: Duration,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "half-open",
    summary: "One side no longer exists, and the other is not notified.",
    description: "At the age `after`, the upstream disappears (its socket is reset) and the client is not notified. With `direction=down`, the client disappears instead.",
    examples: &["half-open after=1s", "half-open after=1s direction=down"],
};

impl FaultBehavior for HalfOpenFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.required("after", &DURATION, &mut self.after)
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let side = match start.direction {
            Direction::Down => Side::A,
            Direction::Up | Direction::Both => Side::B,
        };
        Some(timed::at(Some(start.active_from() + self.after), FaultAction::Vanish(side)))
    }
}
