//! The events of a client.

use std::collections::VecDeque;
use std::time::Duration;

use undrop_frame::CloseCode;
use undrop_session::{ClosedBy, GapReason};
use undrop_transport::{ConnectStage, Ending};

/// The number of events that are kept for a reader. Older ones are dropped and counted.
const QUEUE_LIMIT: usize = 256;

/// A change of the connection, as reported by [`Events::next`](crate::Events::next).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An attempt to connect starts.
    Connecting {
        /// The number of the attempt, counted from 1.
        attempt: u64,
        /// The number of failed attempts since the last usable connection.
        tries: u32,
    },
    /// The first connection is open, or the first one of a new session after a [`Gap`](Event::Gap).
    Open {
        /// `true` for a session, `false` for plain mode.
        session: bool,
        /// The subprotocol that the server selected.
        protocol: Option<String>,
    },
    /// The connection was lost. The client reconnects.
    Lost {
        /// The ending of the connection.
        ending: Ending,
    },
    /// An attempt to connect failed. The client tries again unless [`Closed`](Event::Closed) follows.
    Failed {
        /// The phase that failed.
        stage: ConnectStage,
        /// The ending of the attempt.
        ending: Ending,
        /// A description of the cause, for people.
        why: String,
    },
    /// The next attempt starts after a delay.
    Retry {
        /// The delay before the next attempt.
        after: Duration,
        /// The number of failed attempts so far.
        tries: u32,
    },
    /// The client is connected again.
    Resumed {
        /// `true` if the previous connection was replaced before it was lost.
        seamless: bool,
        /// The number of messages that are sent again. The other end discards those that it already has.
        resent: u64,
        /// The time since the previous connection was lost.
        after: Duration,
        /// `true` if the gateway still uses the same connection to the backend.
        same_backend: bool,
    },
    /// The guarantee of exactly-once delivery was broken at this point. The application should reload its state.
    Gap {
        /// The cause of the gap.
        reason: GapReason,
        /// The numbers of the first and the last message of the other end that were lost, where known.
        lost: Option<(u64, u64)>,
        /// The number of own messages that are sent again and may arrive twice.
        resent: u64,
    },
    /// The gateway asked the client to reconnect, which happens after a delay.
    GoAway {
        /// The reason that the gateway gave.
        why: String,
        /// The delay before the client reconnects.
        after: Duration,
    },
    /// The client is closed. This is the last event.
    Closed {
        /// The close code, as any WebSocket would report it.
        code: CloseCode,
        /// The reason that came with the code, or a description of the failure.
        reason: String,
        /// The party that ended the session.
        by: ClosedBy,
        /// The number of messages that were queued or sent, but not acknowledged.
        unacked: u64,
    },
}

/// A bounded queue of events.
#[derive(Debug, Default)]
pub(crate) struct ClientEvents {
    waiting: VecDeque<Event>,
    missed: u64,
}

impl ClientEvents {
    pub(crate) fn push(&mut self, event: Event) {
        if self.waiting.len() == QUEUE_LIMIT {
            self.waiting.pop_front();
            self.missed += 1;
        }
        self.waiting.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.waiting.pop_front()
    }

    /// Returns the number of events that were dropped.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }
}
