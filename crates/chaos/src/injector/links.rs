//! Faults that the links of a connection apply by themselves.

use std::time::{Duration, Instant};

use undrop_fault::{Fault, Side};

use super::{FaultAction, FaultStart, Injector};

/// Returns an injector that puts `fault` on the links of the sending `sides`, and logs it `after` the fault is active.
pub(crate) fn injector(
    start: &FaultStart<'_>,
    sides: [bool; 2],
    after: Duration,
    fault: Fault,
) -> Box<dyn Injector> {
    let at = Some(start.active_from() + after);
    Box::new(LinkFaults { fault, sides, at, text: start.text.to_owned() })
}

#[derive(Debug)]
struct LinkFaults {
    fault: Fault,
    sides: [bool; 2],
    /// The time at which the fault takes effect and is logged; `None` afterwards.
    at: Option<Instant>,
    text: String,
}

impl Injector for LinkFaults {
    fn link_faults(&self) -> Vec<(Side, Fault)> {
        [Side::A, Side::B]
            .into_iter()
            .filter(|from| self.sides[*from as usize])
            .map(|from| (from, self.fault.clone()))
            .collect()
    }

    fn deadline(&self) -> Option<Instant> {
        self.at
    }

    fn on_deadline(&mut self) -> Option<FaultAction> {
        self.at = None;
        Some(FaultAction::Log(self.text.clone()))
    }
}
