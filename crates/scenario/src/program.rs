//! A flow as the state machine runs it: a list of operations, with loops as jumps.

use std::time::Duration;

use crate::check::Expectation;
use crate::template::{Shape, Template};
use crate::variables::VariableSlot;

/// The operations of a flow, in order.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) operations: Vec<Operation>,
    /// Whether some operation waits for a message, so messages that arrive early must be kept.
    pub(crate) expects: bool,
}

/// An operation with the line of its step.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) line: u32,
    pub(crate) action: Action,
}

/// The action of an operation.
#[derive(Debug)]
pub(crate) enum Action {
    Connect(Dial),
    Send {
        body: MessageBody,
        /// Whether only messages that arrive from now on can be the reply.
        forget_earlier: bool,
    },
    Expect(Expectation),
    /// Waits for the peer to close the connection.
    ExpectEnd {
        within: Duration,
        /// The required close code; `None` for any ending.
        code: Option<u16>,
    },
    Think(Pause),
    Enter(Loop),
    /// The end of the innermost loop.
    Repeat,
    Set(VariableSlot, Shape),
    Log(Template),
    Close(u16, Template),
}

/// The request of a `connect`.
#[derive(Debug)]
pub(crate) struct Dial {
    pub(crate) target: Template,
    pub(crate) headers: Vec<(String, Template)>,
    pub(crate) protocols: Vec<Template>,
}

/// A message to send.
#[derive(Debug)]
pub(crate) enum MessageBody {
    Text(Template),
    Json(Shape),
    Binary(Vec<u8>),
    /// A generated message of `length` bytes.
    Filler {
        length: usize,
        binary: bool,
    },
}

/// A pause between steps.
#[derive(Debug)]
pub(crate) struct Pause {
    pub(crate) time: PauseTime,
    pub(crate) jitter: Jitter,
}

#[derive(Debug)]
pub(crate) enum PauseTime {
    Fixed(Duration),
    /// Seconds or a duration, rendered when the step starts.
    Computed(Template),
}

/// A uniformly distributed deviation from the pause, in both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Jitter {
    None,
    By(Duration),
    /// A fraction of the pause, from 0 to 1.
    Part(f64),
}

/// Steps that repeat, up to the matching [`Action::Repeat`].
#[derive(Debug)]
pub(crate) struct Loop {
    /// The index of the operation after the matching `Repeat`.
    pub(crate) exit: usize,
    pub(crate) rounds: Rounds,
    /// The variable for the number of the round.
    pub(crate) counter: VariableSlot,
    /// The variable for the element of the round, or its number.
    pub(crate) element: VariableSlot,
}

#[derive(Debug)]
pub(crate) enum Rounds {
    /// The rounds from the first number up to, but not including, the second.
    Range(u64, u64),
    /// A number or `a-b`, rendered when the loop starts.
    Computed(Template),
    Over(Shape),
    For(Duration),
    Forever,
}

/// Parses a number of rounds, or `a-b` for the rounds from `a` up to, but not including, `b`.
pub(crate) fn parse_count(text: &str) -> Option<(u64, u64)> {
    let text = text.trim();
    match text.split_once('-') {
        Some((from, before)) => Some((from.trim().parse().ok()?, before.trim().parse().ok()?)),
        None => Some((0, text.parse().ok()?)),
    }
}
