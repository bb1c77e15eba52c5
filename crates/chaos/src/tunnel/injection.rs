//! The record of an injected fault, which contains a fault that repeats its effect.

use std::sync::Arc;
use std::time::{Duration, Instant};

use undrop_fault::Side;

use crate::assignment::AssignedFault;
use crate::direction::Direction;
use crate::injector::FaultAction;
use crate::kind::{CloseFrameFault, CutFault, CutPoint, ForgetTime, HalfOpenFault, SilentDropFault};
use crate::spec::FaultSpec;

/// The record of an injected fault.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Injection {
    pub(crate) name: Arc<str>,
    pub(crate) kind: &'static str,
    /// The age of the connection.
    pub(crate) age: Duration,
    pub(crate) direction: Direction,
    /// The number of bytes forwarded before in that direction; for both, from the client.
    pub(crate) offset: u64,
    /// A description of the effect.
    pub(crate) what: String,
    /// A fault with the same effect on the same connection.
    pub(crate) replay: FaultSpec,
    /// The age of the connection at which `replay` must be added.
    pub(crate) from: Duration,
    pub(crate) seed: u64,
}

/// The fault that caused an injection, and its position.
#[derive(Debug, Clone)]
pub(super) struct InjectionSource {
    pub(super) fault: AssignedFault,
    pub(super) direction: Direction,
    pub(super) offset: u64,
    pub(super) age: Duration,
    /// `true` if a timer triggered the fault, `false` if an offset in the stream did.
    pub(super) by_time: bool,
}

impl InjectionSource {
    /// Returns the record of an action. `opened` is the time at which the connection was opened, and `passed` the number
    /// of bytes forwarded in the direction so far.
    pub(super) fn record(&self, action: &FaultAction, opened: Instant, passed: u64) -> Injection {
        let InjectionSource { fault, direction, offset, age, by_time } = self;
        let mut replay = FaultSpec { share: 1.0, ..(*fault.spec).clone() };
        let mut from = fault.since.saturating_duration_since(opened);
        let from_opening = Duration::ZERO;
        let what = match action {
            FaultAction::Log(what) => what.clone(),
            FaultAction::Respond { status, .. } => format!("responded with {status}"),
            FaultAction::Forget => {
                from = from_opening;
                replay = FaultSpec::new(SilentDropFault { when: ForgetTime::AtAge(*age) });
                "flow forgotten; RST for the next sender".to_owned()
            }
            FaultAction::Vanish(side) => {
                from = from_opening;
                replay.fault = HalfOpenFault { after: *age }.into();
                let who = if *side == Side::A { "client" } else { "upstream" };
                format!("the {who} disappeared; the other side is not notified")
            }
            FaultAction::SendClose(_, frame) => {
                from = from_opening;
                let reason = frame.reason.clone();
                replay.fault = CloseFrameFault { after: *age, code: frame.code, reason }.into();
                frame.to_string()
            }
            FaultAction::End(how) => {
                from = from_opening;
                let when = if *by_time { CutPoint::Age(*age) } else { CutPoint::Bytes(*offset) };
                replay.fault = CutFault { when, spread: 0.0, how: how.clone() }.into();
                replay.direction = if *by_time { Direction::Both } else { *direction };
                how.to_string()
            }
        };
        Injection {
            name: fault.name.clone(),
            kind: fault.spec.kind(),
            age: *age,
            direction: *direction,
            offset: if *by_time { passed } else { *offset },
            what,
            replay,
            from,
            seed: fault.seed,
        }
    }
}
