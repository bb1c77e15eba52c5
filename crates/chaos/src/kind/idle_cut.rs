//! The fault `idle-cut`: an idle timeout.

use std::time::{Duration, Instant};

use undrop_fault::{CloseManner, Side};

use crate::close_frame::CloseFrame;
use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::direction::Direction;
use crate::injector::{FaultAction, Injector, FaultStart};
use crate::parameters::{DURATION, Parameters};
use crate::spec_error::FaultSpecError;

/// Ends a connection after a silence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdleCutFault {
    /// The longest silence that does not end the connection.
    pub after: Duration,
    /// The manner of the end.
    pub how: CloseManner<CloseFrame>,
    /// The traffic that ends a silence.
    pub counts: CountedTraffic,
}

/// The traffic that ends a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CountedTraffic {
    /// Any byte from either side.
    #[default]
    Any,
    /// Data frames and Close frames, but not Pings and Pongs.
    Data,
    /// Any byte from the client.
    Up,
    /// Any byte from the upstream.
    Down,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "idle-cut",
    summary: "The connection ends after a silence: an idle timeout.",
    description: "The connection ends when nothing was sent for `after`. `counts` selects the traffic that ends a silence: `any` byte, `data` (Pings and Pongs do not count), or any byte from the client (`up`) or from the upstream (`down`).",
    examples: &[
        "idle-cut after=60s how=fin",
        "idle-cut after=60s counts=data how=rst",
        "idle-cut after=60s code=1001 counts=up how=close reason=idle",
        "idle-cut after=60s counts=down how=silent",
    ],
};

impl FaultBehavior for IdleCutFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.required("after", &DURATION, &mut self.after)?;
        parameters.close_manner(&mut self.how, CloseManner::Fin, 1011)?;
        let traffic = [
            ("any", CountedTraffic::Any),
            ("data", CountedTraffic::Data),
            ("up", CountedTraffic::Up),
            ("down", CountedTraffic::Down),
        ];
        parameters.choice("counts", &mut self.counts, &traffic)
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let counts = match (self.counts, start.direction) {
            (CountedTraffic::Any, Direction::Up) => CountedTraffic::Up,
            (CountedTraffic::Any, Direction::Down) => CountedTraffic::Down,
            (counts, _) => counts,
        };
        let last_activity = start.active_from();
        Some(Box::new(IdleTimer { after: self.after, how: self.how.clone(), counts, last_activity, done: false }))
    }

    fn needs_websocket(&self) -> bool {
        self.counts == CountedTraffic::Data || matches!(self.how, CloseManner::Close(_))
    }
}

#[derive(Debug)]
struct IdleTimer {
    after: Duration,
    how: CloseManner<CloseFrame>,
    counts: CountedTraffic,
    last_activity: Instant,
    done: bool,
}

impl Injector for IdleTimer {
    fn on_activity(&mut self, now: Instant, from: Side, data: bool) -> bool {
        let counts = match self.counts {
            CountedTraffic::Any => true,
            CountedTraffic::Data => data,
            CountedTraffic::Up => from == Side::A,
            CountedTraffic::Down => from == Side::B,
        };
        if counts {
            self.last_activity = now.max(self.last_activity);
        }
        true
    }

    fn deadline(&self) -> Option<Instant> {
        (!self.done).then(|| self.last_activity + self.after)
    }

    fn on_deadline(&mut self) -> Option<FaultAction> {
        self.done = true;
        Some(FaultAction::End(self.how.clone()))
    }
}
