//! Flows that are forgotten.

use std::time::{Duration, Instant};

use undrop_fault::Side;

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::{FaultAction, Injector, FaultStart};
use crate::parameters::{DURATION, Parameters};
use crate::spec_error::FaultSpecError;

/// Forgets a flow without notifying either side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SilentDropFault {
    /// The time at which the flow is forgotten.
    pub when: ForgetTime,
}

/// The time at which a flow is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgetTime {
    /// After a silence of both sides.
    AfterSilence(Duration),
    /// At an age, whether the connection is busy or not.
    AtAge(Duration),
}

impl Default for ForgetTime {
    fn default() -> ForgetTime {
        ForgetTime::AfterSilence(Duration::ZERO)
    }
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "silent-drop",
    summary: "The flow is forgotten; the next sender receives a RST.",
    description: "After a silence (`after`) or at an age (`age`), the flow is forgotten without a sign, as by a NAT. The side that sends next receives a RST, and the other side is not notified.",
    examples: &["silent-drop after=350s", "silent-drop age=350s"],
};

impl FaultBehavior for SilentDropFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        let variants = [
            ("after", DURATION.name, ForgetTime::AfterSilence(Duration::ZERO)),
            ("age", DURATION.name, ForgetTime::AtAge(Duration::ZERO)),
        ];
        parameters.one_of(&mut self.when, &variants)?;
        match &mut self.when {
            ForgetTime::AfterSilence(silence) => parameters.required("after", &DURATION, silence),
            ForgetTime::AtAge(age) => parameters.required("age", &DURATION, age),
        }
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let (time, silence) = match self.when {
            ForgetTime::AfterSilence(silence) => (silence, Some(silence)),
            ForgetTime::AtAge(age) => (age, None),
        };
        Some(Box::new(ForgetFlow { at: start.active_from() + time, silence, forgotten: false }))
    }
}

#[derive(Debug)]
struct ForgetFlow {
    at: Instant,
    /// The silence after which the flow is forgotten; `None` if traffic does not matter.
    silence: Option<Duration>,
    forgotten: bool,
}

impl Injector for ForgetFlow {
    fn on_activity(&mut self, now: Instant, _from: Side, _data: bool) -> bool {
        if let Some(silence) = self.silence
            && !self.forgotten
        {
            self.at = self.at.max(now + silence);
        }
        !self.forgotten
    }

    fn deadline(&self) -> Option<Instant> {
        (!self.forgotten).then_some(self.at)
    }

    fn on_deadline(&mut self) -> Option<FaultAction> {
        self.forgotten = true;
        Some(FaultAction::Forget)
    }
}
