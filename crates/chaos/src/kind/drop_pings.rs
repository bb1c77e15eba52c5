//! Pings that are dropped.

use undrop_frame::OpCode;

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::{Injector, FaultStart, drop_control};
use crate::parameters::{Parameters};
use crate::spec_error::FaultSpecError;

/// Drops the Ping frames of a direction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DropPingsFault;

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "drop-pings",
    summary: "Ping frames are dropped.",
    description: "Ping frames are dropped. Everything else passes.",
    examples: &["drop-pings", "drop-pings direction=up"],
};

impl FaultBehavior for DropPingsFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, _parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        Ok(())
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        Some(drop_control::injector(OpCode::Ping, start.direction.senders(), "Ping dropped"))
    }

    fn needs_websocket(&self) -> bool {
        true
    }
}
