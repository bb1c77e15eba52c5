//! News of a client.

use std::time::Duration;

use undrop_frame::CloseCode;

use super::LinkEnd;
use crate::packet::{BackendIdentity, LossReason};

/// Something to tell the application, or to act on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// Attempt `n` begins, after so many failed tries.
    Connecting {
        /// The attempt.
        n: u64,
        /// Failed tries before it.
        tries: u32,
    },
    /// First link, or the first one of a new session.
    Open {
        /// The attempt.
        n: u64,
        /// A session; false: plain mode.
        session: bool,
        /// Application sub-protocol of the session; in plain mode the driver knows it.
        protocol: Option<String>,
    },
    /// The session goes on with a new link; in plain mode: there is a link again.
    Resumed {
        /// The attempt.
        n: u64,
        /// The former link had not been lost.
        seamless: bool,
        /// Messages that are sent again.
        resent: u64,
        /// Whether it is still the same backend connection.
        backend: BackendIdentity,
    },
    /// The link is gone.
    Lost {
        /// Its attempt.
        n: u64,
        /// How it ended; `None`: it fell silent and was given up.
        end: Option<LinkEnd>,
    },
    /// An attempt failed.
    Failed {
        /// The attempt.
        n: u64,
        /// How it ended; `None`: no answer in time.
        end: Option<LinkEnd>,
    },
    /// The next attempt comes after this delay.
    Retry {
        /// The delay, drawn.
        after: Duration,
        /// Failed tries so far.
        tries: u32,
    },
    /// The promise could not be kept, in this way.
    Gap {
        /// Why.
        reason: GapReason,
        /// Server units that are gone.
        lost: Option<(u64, u64)>,
        /// Messages that had been sent without an ack and are sent again: they may arrive twice.
        resent: u64,
    },
    /// The gateway acked the message of this receipt (its consumer took it). In plain mode: it was given to a link.
    Acked(u64),
    /// The time to live of the message was over before it was sent.
    Expired(u64),
    /// The message was dropped from a full queue before it was sent.
    Dropped(u64),
    /// The gateway asks for a move, which is going to happen after this delay.
    GoAway {
        /// For people.
        why: String,
        /// The moment that was drawn.
        after: Duration,
    },
    /// Close the link or give up the dial of this attempt.
    CloseLink {
        /// The attempt.
        n: u64,
        /// Code to close with, when it still can be.
        code: CloseCode,
    },
    /// Over for good.
    Closed {
        /// Code as a WebSocket would report it.
        code: CloseCode,
        /// Reason.
        reason: String,
        /// Who ended it.
        by: ClosedBy,
        /// Messages that were sent or queued and never acked.
        unacked: u64,
    },
}

/// Why the promise could not be kept.
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

/// Who ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClosedBy {
    /// The application at the other end.
    Peer,
    /// This application.
    Local,
    /// The server refuses for good: a final close code or HTTP status.
    Refused,
    /// The policy's tries are used up.
    GaveUp,
    /// A session was required and the server knows none.
    Incompatible,
}
