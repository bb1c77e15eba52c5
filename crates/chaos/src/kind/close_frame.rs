//! A Close frame that the proxy sends.

use std::time::Duration;

use undrop_fault::Side;

use crate::close_frame::CloseFrame;
use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::direction::Direction;
use crate::injector::{FaultAction, Injector, FaultStart, timed};
use crate::parameters::{CODE, DURATION, Parameters, REASON};
use crate::spec_error::FaultSpecError;

/// Sends a Close frame, then ends the connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CloseFrameFault {
    /// The age of the connection at which the frame is sent.
    pub after: Duration,
    /// The close code of the frame.
    pub code: u16,
    /// The close reason, at most 123 bytes.
    pub reason: String,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "close-frame",
    summary: "The proxy sends a Close frame.",
    description: "At the age `after`, the proxy sends a Close frame to the client (with `direction=up`, to the upstream), then FIN to both. Any code can be sent, including those that an endpoint may not send.",
    examples: &["close-frame after=10s code=1006", "close-frame after=10s code=4000 direction=up reason=bye"],
};

impl FaultBehavior for CloseFrameFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.required("after", &DURATION, &mut self.after)?;
        parameters.required("code", &CODE, &mut self.code)?;
        parameters.with_default("reason", &REASON, &mut self.reason, String::new())
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let to = match start.direction {
            Direction::Up => Side::B,
            Direction::Down | Direction::Both => Side::A,
        };
        let frame = CloseFrame { code: self.code, reason: self.reason.clone() };
        Some(timed::at(Some(start.active_from() + self.after), FaultAction::SendClose(to, frame)))
    }

    fn needs_websocket(&self) -> bool {
        true
    }
}
