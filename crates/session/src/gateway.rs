//! The gateway's side of one session.
//!
//! ```text
//!                       attach (n newer)
//!          ┌───────────────────────────────────────┐
//!          │                                       ▼
//!   new ▶ PARKED ◀──────────── detach ────────── ATTACHED ──╮ attach (n newer): the older link is fenced,
//!          │  │                                   │  │  ▲   │ the newer one takes its place
//!          │  │ ttl over                          │  │  ╰───╯
//!          │  ▼                                   │  │ overflow under the policy `end`
//!          │ OVER                                 ▼  ▼
//!          ╰──────── overflow (`end`) ──────▶ OVERFLOWED     (answers every link with L why=overflow)
//! ```
//! *Attached* and *parked* differ in where bytes go and which limits and timers hold; numbers, replay buffer and what
//! waits for its consumer are the same across all of it. A stale attempt (an `n` that is not newer) is refused in every
//! state and changes nothing. The sequenced close ends no state by itself: `x` is a unit, and the driver drops the
//! machine after [`GatewayEvent::Finished`], or [`GatewayEvent::Expired`] when the peer never came back for the ack.
//!
//! A session begins *unconfirmed*: until the client has said anything on a link it may not have seen `S`, so a repeated
//! first contact with a higher `n` is answered `S` again. Afterwards it must use the session's name and key.

mod config;
mod event;
mod input;
mod link;
mod output;
mod time;

use std::sync::Arc;
use std::time::Instant;

pub use config::{GatewayConfig, Overflow};
pub use event::{GatewayEvent, Loss, Progress};

use crate::control::ControlQueue;
use crate::delivery::Delivery;
use crate::heartbeat::Heartbeat;
use crate::identity::{SessionId, SessionKey};
use crate::mutate::BrokenRule;
use crate::packet::{Close, PageState};
use crate::replay::Replay;
use crate::timers::Timers;
use time::GatewayTimer;

/// The gateway's side of one session: see the module's text. Every method takes the time it needs as an argument.
///
/// The machine never sees payloads: data of the client is only counted, and units of the backend come as the finished
/// frames that go on the wire.
#[derive(Debug, Clone)]
pub struct Gateway {
    config: Arc<GatewayConfig>,
    sid: SessionId,
    key: SessionKey,
    protocol: Option<Box<str>>,
    replay: Replay,
    delivery: Delivery,
    control: ControlQueue,
    heartbeat: Heartbeat,
    timers: Timers<GatewayTimer, { GatewayTimer::COUNT }>,
    events: event::EventQueue,
    /// Newest attempt that was let in.
    newest: u64,
    /// Number of our own sequenced close; 0: not closed.
    closing: u64,
    /// Units dropped ahead of the cursor that the link has not been told of; `(0, 0)`: none.
    gap: (u64, u64),
    peer_close: PeerClose,
    state: GatewayState,
    page: Option<PageState>,
    confirmed: bool,
    /// `r` was sent and no ack has come since.
    asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GatewayState {
    Detached,
    Attached,
    Overflowed,
    Over,
}

/// The client's sequenced close.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PeerClose {
    None,
    /// Received; units before it wait for their consumer.
    Waiting(Box<Close>),
    Consumed,
}

impl Gateway {
    /// A new session, parked and unconfirmed, waiting for its first link.
    pub fn new(
        now: Instant,
        config: impl Into<Arc<GatewayConfig>>,
        sid: SessionId,
        key: SessionKey,
        protocol: Option<String>,
    ) -> Self {
        let config = config.into();
        let mut timers = Timers::new();
        timers.set(GatewayTimer::Expire, now + config.unconfirmed_ttl.min(config.ttl));
        Self {
            delivery: Delivery::new(config.client_window, config.ack_delay),
            sid,
            key,
            protocol: protocol.map(String::into_boxed_str),
            replay: Replay::new(),
            control: ControlQueue::default(),
            heartbeat: Heartbeat::new(now),
            timers,
            events: event::EventQueue::default(),
            newest: 0,
            closing: 0,
            gap: (0, 0),
            peer_close: PeerClose::None,
            state: GatewayState::Detached,
            page: None,
            confirmed: false,
            asked: false,
            config,
        }
    }

    /// Breaks a rule, so that the simulator can prove that it would notice.
    #[doc(hidden)]
    pub fn break_rule(&mut self, rule: BrokenRule) {
        self.delivery.break_rule(rule);
    }

    /// Name of the session.
    pub const fn sid(&self) -> &SessionId {
        &self.sid
    }

    /// Its secret.
    pub const fn key(&self) -> &SessionKey {
        &self.key
    }

    /// The application sub-protocol that the backend chose.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// A link is there.
    pub fn is_attached(&self) -> bool {
        self.state == GatewayState::Attached
    }

    /// Whether the client has shown that it knows the session.
    pub const fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// Counters, for logs and metrics.
    pub fn progress(&self) -> Progress {
        Progress {
            received: self.delivery.received(),
            consumed: self.delivery.consumed(),
            appended: self.replay.last(),
            sent: self.replay.sent(),
            acked: self.replay.acked(),
            buffered: self.replay.charged(),
        }
    }

    /// The next news, oldest first. Each is told once.
    pub fn poll_event(&mut self) -> Option<GatewayEvent> {
        self.events.pop()
    }

    /// Gives back buffers that hold nothing, or are mostly empty. After it an idle session owns no heap memory but its
    /// id and sub-protocol.
    pub fn release_idle_memory(&mut self) {
        self.replay.release();
        self.control.release();
    }

    /// Heap bytes owned, without the shared configuration.
    pub fn heap(&self) -> usize {
        self.sid.as_str().len()
            + self.protocol.as_ref().map_or(0, |protocol| protocol.len())
            + self.replay.heap()
            + self.control.heap()
            + self.events.heap()
    }

    fn limit(&self) -> usize {
        match self.state {
            GatewayState::Attached => self.config.attached_limit,
            _ => self.config.detached_limit,
        }
    }
}
