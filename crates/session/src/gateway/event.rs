//! News of a gateway session.

use undrop_frame::CloseCode;

use crate::packet::{LossReason, PageState};

/// Something that the driver may want to act on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayEvent {
    /// Send a WebSocket Ping on the current link.
    SendPing,
    /// A Ping has had no answer for a whole heartbeat. A verdict only when the kernel agrees: then detach.
    SuspectDead,
    /// The client closed, and everything before it was taken: close the backend so.
    Close {
        /// The application's code.
        code: CloseCode,
        /// Its reason.
        reason: String,
    },
    /// The client took our sequenced close: the session is over, the link may be closed.
    Finished,
    /// Detached for longer than the time to live: drop the session.
    Expired,
    /// The replay buffer overflowed under the policy `end`: drop the backend; links are answered `L why=overflow`.
    Overflow,
    /// Units were dropped under the policy `drop-oldest`.
    Dropped {
        /// First dropped unit.
        from: u64,
        /// Last dropped unit.
        to: u64,
    },
    /// The page said what becomes of it.
    Hint(PageState),
    /// The link has reached its maximum age: give it a slot with `drain`.
    LinkTooOld,
    /// The link was told to go and is still here at its deadline: close it 1001.
    DrainOver,
}

/// What is known of a session that cannot be resumed; becomes `L` together with the new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Why.
    pub why: LossReason,
    /// Client units that its backend took; 0 when nobody knows.
    pub acc: u64,
    /// Server units that are gone.
    pub lost: Option<(u64, u64)>,
}

/// Counters of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Client units received.
    pub received: u64,
    /// Client units taken by the backend.
    pub consumed: u64,
    /// Server units appended.
    pub appended: u64,
    /// Server units that went out whole on some link.
    pub sent: u64,
    /// Server units acked.
    pub acked: u64,
    /// Bytes in the replay buffer, as charged.
    pub buffered: usize,
}

/// Few events ever wait at once; an empty queue owns no memory.
#[derive(Debug, Clone, Default)]
pub(super) struct EventQueue(Vec<GatewayEvent>);

/// Events that a peer can provoke are not queued beyond this.
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

    /// What the link asked for is void with it.
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
