//! A flow as the machine runs it: a list of operations, loops as jumps.

use std::time::Duration;

use crate::check::Expectation;
use crate::template::{Shape, Template};
use crate::variables::VariableSlot;

/// What a flow does, in order.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) operations: Vec<Operation>,
    /// Some operation waits for a message, so messages that come early must be kept.
    pub(crate) expects: bool,
}

/// A step, with its line.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) line: u32,
    pub(crate) action: Action,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Action {
    Connect(Dial),
    Send {
        body: MessageBody,
        /// Only what arrives from now on can be the answer.
        forget_earlier: bool,
    },
    Expect(Expectation),
    /// Wait for the peer to end the connection.
    ExpectEnd {
        within: Duration,
        /// Any when None.
        code: Option<u16>,
    },
    Think(Pause),
    Enter(Loop),
    /// The end of the loop that was entered last.
    Repeat,
    Set(VariableSlot, Shape),
    Log(Template),
    Close(u16, Template),
}

/// What a `connect` is made of.
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
    /// So many bytes of filler.
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
    /// Seconds or a duration, known when it is reached.
    Computed(Template),
}

/// Evenly distributed around the pause, to both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Jitter {
    None,
    By(Duration),
    /// A part of the pause, 0 to 1.
    Part(f64),
}

/// Steps that repeat, up to the matching [`Action::Repeat`].
#[derive(Debug)]
pub(crate) struct Loop {
    /// The operation behind the matching `Repeat`.
    pub(crate) exit: usize,
    pub(crate) rounds: Rounds,
    /// Set to the number of the round.
    pub(crate) counter: VariableSlot,
    /// Set to the element of the round, or its number.
    pub(crate) element: VariableSlot,
}

#[derive(Debug)]
pub(crate) enum Rounds {
    /// From the first number to before the second.
    Range(u64, u64),
    /// A number or `a-b`, known when it is reached.
    Computed(Template),
    Over(Shape),
    For(Duration),
    Forever,
}

/// A number of rounds, or `a-b`: from `a` to before `b`.
pub(crate) fn parse_count(text: &str) -> Option<(u64, u64)> {
    let text = text.trim();
    match text.split_once('-') {
        Some((from, before)) => Some((from.trim().parse().ok()?, before.trim().parse().ok()?)),
        None => Some((0, text.parse().ok()?)),
    }
}
