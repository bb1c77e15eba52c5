//! The events of a gateway session.

use undrop_frame::CloseCode;

use crate::packet::{LossReason, PageState};

/// An event for the driver of a gateway session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayEvent {
    /// Send a WebSocket Ping on the current link.
    SendPing,
    /// A Ping has had no reply for a whole heartbeat interval. Detach the link only if the kernel confirms that the path
    /// is dead.
    SuspectDead,
    /// The client closed, and its consumer accepted everything before the close: close the backend with this code.
    Close {
        /// The close code of the application.
        code: CloseCode,
        /// The close reason of the application.
        reason: String,
    },
    /// The client acked the sequenced close of this end: the session is over, the link may be closed.
    Finished,
    /// The session was detached for longer than its time to live: drop it.
    Expired,
    /// The replay buffer overflowed under the policy `end`: drop the backend. Later links get `L why=overflow`.
    Overflow,
    /// Units were dropped under the policy `drop-oldest`.
    Dropped {
        /// The first dropped unit.
        from: u64,
        /// The last dropped unit.
        to: u64,
    },
    /// The client reported the lifecycle state of its page.
    Hint(PageState),
    /// The link has reached its maximum age: give it a drain slot with `drain`.
    LinkTooOld,
    /// The link is still attached at the deadline of its drain slot: close it with 1001.
    DrainOver,
}

/// The loss of a session that cannot be resumed. Together with the new session it becomes the packet `L`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The reason of the loss.
    pub why: LossReason,
    /// The number of client units that its backend accepted; 0 if unknown.
    pub acc: u64,
    /// Server units that are gone.
    pub lost: Option<(u64, u64)>,
}

/// Counters of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// The number of received client units.
    pub received: u64,
    /// The number of client units that the backend accepted.
    pub consumed: u64,
    /// The number of appended server units.
    pub appended: u64,
    /// Server units that went out whole on some link.
    pub sent: u64,
    /// The number of acked server units.
    pub acked: u64,
    /// Bytes in the replay buffer, as charged.
    pub buffered: usize,
}

/// The queue of events. Few events ever wait at once; an empty queue owns no memory.
#[derive(Debug, Clone, Default)]
pub(super) struct EventQueue(Vec<GatewayEvent>);

/// The number of waiting events from which those that a peer can provoke are dropped.
const MAX_QUEUED: usize = 64;

impl EventQueue {
    pub(super) fn push(&mut self, event: GatewayEvent) {
        if let (Some(GatewayEvent::Dropped { to, .. }), GatewayEvent::Dropped { to: further, .. }) =
            (self.0.last_mut(), &event)
        {
            *to = *further;
            return;
        }
        let provoked = matches!(event, GatewayEvent::Hint(_));
        let repeated =
            matches!(event, GatewayEvent::SendPing | GatewayEvent::SuspectDead) && self.0.contains(&event);
        let too_many = provoked && self.0.len() >= MAX_QUEUED;
        if !repeated && !too_many {
            self.0.push(event);
        }
    }

    pub(super) fn pop(&mut self) -> Option<GatewayEvent> {
        if self.0.is_empty() {
            return None;
        }
        let event = self.0.remove(0);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        Some(event)
    }

    /// Removes the events that concern only the link that ended.
    pub(super) fn unlink(&mut self) {
        self.0.retain(|event| {
            !matches!(
                event,
                GatewayEvent::SendPing
                    | GatewayEvent::SuspectDead
                    | GatewayEvent::LinkTooOld
                    | GatewayEvent::DrainOver
            )
        });
    }

    pub(super) fn heap(&self) -> usize {
        self.0.capacity() * size_of::<GatewayEvent>()
    }
}
