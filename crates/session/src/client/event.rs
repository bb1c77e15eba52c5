//! The events of a client.

use std::time::Duration;

use undrop_frame::CloseCode;

use super::LinkEnd;
use crate::packet::{BackendIdentity, LossReason};

/// An event for the application, or for the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// An attempt to connect starts.
    Connecting {
        /// The number of the attempt.
        n: u64,
        /// The number of failed attempts before it.
        tries: u32,
    },
    /// The first link is open, or the first one of a new session.
    Open {
        /// The number of the attempt.
        n: u64,
        /// Whether it is a session; false: plain mode.
        session: bool,
        /// The application subprotocol of the session; in plain mode the driver has it.
        protocol: Option<String>,
    },
    /// The session continues on a new link; in plain mode: there is a link again.
    Resumed {
        /// The number of the attempt.
        n: u64,
        /// Whether the former link was still up.
        seamless: bool,
        /// The number of messages that are sent again.
        resent: u64,
        /// Whether the backend connection is still the same.
        backend: BackendIdentity,
    },
    /// The link was lost.
    Lost {
        /// The attempt of the link.
        n: u64,
        /// The end of the link; `None`: it was silent and the client gave it up.
        end: Option<LinkEnd>,
    },
    /// An attempt to connect failed.
    Failed {
        /// The number of the attempt.
        n: u64,
        /// The end of the attempt; `None`: it timed out.
        end: Option<LinkEnd>,
    },
    /// The next attempt starts after this delay.
    Retry {
        /// The delay, drawn at random.
        after: Duration,
        /// The number of failed attempts so far.
        tries: u32,
    },
    /// Exactly-once delivery could not be kept.
    Gap {
        /// The reason of the gap.
        reason: GapReason,
        /// The first and the last server unit that is lost.
        lost: Option<(u64, u64)>,
        /// Messages that had been sent without an ack and are sent again: they may arrive twice.
        resent: u64,
    },
    /// The gateway acked the message with this receipt: its consumer accepted it. In plain mode: it was given to a link.
    Acked(u64),
    /// The time to live of the message was over before it was sent.
    Expired(u64),
    /// The message was dropped from a full queue before it was sent.
    Dropped(u64),
    /// The gateway requests a move to another link, which starts after this delay.
    GoAway {
        /// The reason, for logs.
        why: String,
        /// The delay, drawn at random inside the slot.
        after: Duration,
    },
    /// The driver has to close the link or to abandon the attempt.
    CloseLink {
        /// The number of the attempt.
        n: u64,
        /// The code to close an open link with.
        code: CloseCode,
    },
    /// The client has ended for good.
    Closed {
        /// The close code, as a WebSocket would report it.
        code: CloseCode,
        /// The close reason, often empty.
        reason: String,
        /// The origin of the end.
        by: ClosedBy,
        /// The number of messages that were sent or queued and never acked.
        unacked: u64,
    },
}

/// The reason why exactly-once delivery could not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// The gateway could not resume.
    Lost(LossReason),
    /// Units were dropped by the route's policy.
    Dropped,
    /// Another client uses the session.
    Superseded,
    /// The server no longer speaks the protocol.
    Plain,
}

/// The origin of a client's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClosedBy {
    /// The application at the other end.
    Peer,
    /// The application of this client.
    Local,
    /// The server refused with a final close code or HTTP status.
    Refused,
    /// The backoff policy gave up.
    GaveUp,
    /// A session was required, and the server does not speak the protocol.
    Incompatible,
}
