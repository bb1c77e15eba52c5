//! A violation of the WebSocket protocol by the server.

use undrop_frame::{Ending, ProtocolFault};

use crate::observations::{Endpoint, MessageOutcome};

/// A violation of the protocol by the server, or by an intermediary that changes the stream.
#[derive(Debug)]
pub(crate) struct Violation<'a> {
    pub(crate) fault: &'a ProtocolFault,
    pub(crate) moment: Moment,
}

/// The moment at which a violation was received.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Moment {
    BeforeSending,
    AfterMessage {
        /// The time since the message was sent, in seconds.
        after_s: f64,
    },
    /// The violation was received in place of the reply to a Close frame.
    InsteadOfClose,
}

impl<'a> Violation<'a> {
    /// Returns the first violation on the connections that exchanged a message and a Close frame.
    pub(super) fn of(target: &'a Endpoint) -> Option<Violation<'a>> {
        if let Some(MessageOutcome::Ended { end: Ending::ProtocolError(fault), after_s }) =
            target.echo.as_ref().map(|echo| &echo.result)
        {
            let after_s = *after_s;
            let moment =
                if after_s == 0.0 { Moment::BeforeSending } else { Moment::AfterMessage { after_s } };
            return Some(Violation { fault, moment });
        }
        match target.close.as_ref().map(|close| &close.end) {
            Some(Ending::ProtocolError(fault)) => Some(Violation { fault, moment: Moment::InsteadOfClose }),
            _ => None,
        }
    }
}
