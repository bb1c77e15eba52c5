//! An action that is taken once, at a given time.

use std::time::Instant;

use super::{FaultAction, Injector};

/// Returns an injector that takes the action at the given time, or never if that is `None`.
pub(crate) fn at(at: Option<Instant>, action: FaultAction) -> Box<dyn Injector> {
    Box::new(TimedAction { at, action })
}

#[derive(Debug)]
struct TimedAction {
    at: Option<Instant>,
    action: FaultAction,
}

impl Injector for TimedAction {
    fn deadline(&self) -> Option<Instant> {
        self.at
    }

    fn on_deadline(&mut self) -> Option<FaultAction> {
        self.at = None;
        Some(self.action.clone())
    }
}
