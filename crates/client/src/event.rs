//! What a client tells besides messages.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use undrop_frame::CloseCode;
use undrop_session::{BackendIdentity, ClosedBy, GapReason};
use undrop_transport::{ConnectStage, Ending};

use crate::shared::Shared;

/// Events that wait for a reader; older ones are dropped and counted.
const WAITING: usize = 256;

/// News of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An attempt begins.
    Connecting {
        /// Its number.
        attempt: u64,
        /// Failed tries before it.
        tries: u32,
    },
    /// The first link is there, or the first of a new session.
    Open {
        /// True: a session. False: plain mode.
        session: bool,
        /// The sub-protocol that was chosen.
        protocol: Option<String>,
    },
    /// The link is gone.
    Lost {
        /// How it ended.
        ending: Ending,
    },
    /// An attempt failed.
    Failed {
        /// How far it got.
        stage: ConnectStage,
        /// How it ended.
        ending: Ending,
        /// Why, in words.
        why: String,
    },
    /// The next attempt comes after this delay.
    Retry {
        /// The delay.
        after: Duration,
        /// Failed tries so far.
        tries: u32,
    },
    /// There is a link again.
    Resumed {
        /// The former link had not been lost.
        seamless: bool,
        /// Messages that are sent again (the other end drops those it has).
        resent: u64,
        /// Since the former link was lost.
        after: Duration,
        /// Whether it is still the same backend connection.
        same_backend: bool,
    },
    /// The promise could not be kept.
    Gap {
        /// Why.
        reason: GapReason,
        /// Messages of the other end that are gone, by number.
        lost: Option<(u64, u64)>,
        /// Messages of ours that may arrive twice.
        resent: u64,
    },
    /// The gateway asks for a move, which happens after this delay.
    GoAway {
        /// The gateway's reason.
        why: String,
        /// The delay.
        after: Duration,
    },
    /// Over for good.
    Closed {
        /// The code as any WebSocket would report it.
        code: CloseCode,
        /// Its reason.
        reason: String,
        /// Who ended it.
        by: ClosedBy,
        /// Messages that were sent or queued and not acked.
        unacked: u64,
    },
}

impl Event {
    /// Keeps the identity out of the public type.
    pub(crate) fn is_same(backend: BackendIdentity) -> bool {
        backend == BackendIdentity::Same
    }
}

/// The events of one client, oldest first. There is one reader: a second one shares them.
#[derive(Debug)]
pub struct Events {
    pub(crate) shared: Arc<Shared>,
}

impl Events {
    /// The next event; None after [`Event::Closed`] was returned. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.shared.poll_event(cx)).await
    }

    /// Events that were dropped because nobody read them (256 are kept).
    pub fn missed(&self) -> u64 {
        self.shared.lock().events.missed
    }
}

/// The bounded queue behind [`Events`].
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Event>,
    missed: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, event: Event) {
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
            self.missed += 1;
        }
        self.waiting.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.waiting.pop_front()
    }
}
