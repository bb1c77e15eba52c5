//! Events of a connection.

use std::time::Duration;

use undrop_frame::{Ending, Message};

use crate::connection::handshake::OpenError;

/// An event of a connection, other than its end.
#[derive(Debug)]
pub(crate) enum TransportEvent {
    /// A message was received.
    Message(Message),
    /// A Ping was received; the transport answers it.
    Ping,
    /// A Pong was received.
    Pong,
    /// The link of a session was lost; the session looks for another one.
    LinkLost(Ending),
    /// A session has a link again.
    LinkRestored {
        /// Whether the new link replaced one that was still open.
        seamless: bool,
        /// The time since the loss, if the client knows it.
        after: Option<Duration>,
    },
    /// A session could not be resumed without a gap.
    Gap,
    /// A session started an attempt to open a link.
    AttemptStarted,
    /// An attempt of a session failed.
    AttemptFailed(OpenError),
}

/// The reason why a connection stopped using a link.
pub(crate) enum LinkExit {
    /// The run is over; the connection is still open.
    RunOver,
    /// The link or session ended by itself.
    Ended(Ending),
    /// The storm demands that the link be cut.
    Cut,
}
