//! Pongs that are dropped.

use undrop_frame::OpCode;

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::{Injector, FaultStart, drop_control};
use crate::parameters::{Parameters};
use crate::spec_error::FaultSpecError;

/// Drops the Pong frames of a direction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DropPongsFault;

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "drop-pongs",
    summary: "Pong frames are dropped.",
    description: "Pong frames are dropped. Everything else passes.",
    examples: &["drop-pongs", "drop-pongs direction=up"],
};

impl FaultBehavior for DropPongsFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, _parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        Ok(())
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        Some(drop_control::injector(OpCode::Pong, start.direction.senders(), "Pong dropped"))
    }

    fn needs_websocket(&self) -> bool {
        true
    }
}
