//! What is told of a fault that was injected, and what does the same again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use undrop_fault::Side;

use super::Assigned;
use crate::interpose::Act;
use crate::spec::{Direction, Forget, How, Kind, Spec, When};

/// A fault was injected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Injected {
    pub(crate) name: Arc<str>,
    pub(crate) kind: &'static str,
    /// Age of the connection.
    pub(crate) age: Duration,
    pub(crate) direction: Direction,
    /// Bytes that had passed in that direction; for both, from the client.
    pub(crate) offset: u64,
    pub(crate) what: String,
    /// What does the same to the same connection, and the age from which on.
    pub(crate) replay: Spec,
    pub(crate) from: Duration,
    pub(crate) seed: u64,
}

/// Who did it, for the log.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) fault: Assigned,
    pub(super) direction: Direction,
    pub(super) offset: u64,
    pub(super) age: Duration,
    pub(super) by_time: bool,
}

impl Told {
    /// What is told of an act. `opened`: the connection; `passed`: bytes that have passed in the direction by now.
    pub(super) fn injected(&self, act: &Act, opened: Instant, passed: u64) -> Injected {
        let Told { fault, direction, offset, age, by_time } = self;
        let mut spec = Spec { share: 1.0, ..(*fault.spec).clone() };
        let mut from = fault.since.saturating_duration_since(opened);
        let whole = Duration::ZERO;
        let what = match act {
            Act::Tell(what) => what.clone(),
            Act::Answer(_) => match &spec.fault {
                Kind::Status { status, .. } => format!("answered {status}"),
                _ => "answered".to_owned(),
            },
            Act::Forget => {
                (spec, from) = (Spec::new(Kind::SilentDrop { when: Forget::Age(*age) }), whole);
                "flow forgotten; RST for whoever sends next".to_owned()
            }
            Act::Vanish(end) => {
                from = whole;
                spec.fault = Kind::HalfOpen { after: *age };
                let who = if *end == Side::A { "client" } else { "upstream" };
                format!("the {who} is gone, the other end hears nothing")
            }
            Act::Goodbye(_, code, reason) => {
                from = whole;
                spec.fault = Kind::CloseFrame { after: *age, code: *code, reason: reason.clone() };
                How::Close { code: *code, reason: String::new() }.to_string()
            }
            Act::End(how) => {
                from = whole;
                let when = if *by_time { When::Age(*age) } else { When::Bytes(*offset) };
                spec.fault = Kind::Cut { when, spread: 0.0, how: how.clone() };
                spec.direction = if *by_time { Direction::Both } else { *direction };
                how.to_string()
            }
        };
        Injected {
            name: fault.name.clone(),
            kind: fault.spec.kind(),
            age: *age,
            direction: *direction,
            offset: if *by_time { passed } else { *offset },
            what,
            replay: spec,
            from,
            seed: fault.seed,
        }
    }
}
