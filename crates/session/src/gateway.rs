//! The gateway's side of one session.
//!
//! ```text
//!                       attach (n newer)
//!          ┌───────────────────────────────────────┐
//!          │                                       ▼
//!   new ▶ DETACHED ◀────────── detach ────────── ATTACHED ──╮ attach (n newer): the older link is fenced,
//!          │  │                                   │  │  ▲   │ the newer one takes its place
//!          │  │ ttl over                          │  │  ╰───╯
//!          │  ▼                                   │  │ overflow under the policy `end`
//!          │ OVER                                 ▼  ▼
//!          ╰──────── overflow (`end`) ──────▶ OVERFLOWED     (replies to every link with L why=overflow)
//! ```
//! *Attached* and *detached* differ in where bytes go and in the limits and timers that apply; numbers, replay buffer and
//! the units that wait for their consumer are the same in both. A stale attempt (an `n` that is not newer) is refused in
//! every state and changes nothing. The sequenced close does not end a state: `x` is a unit, and the driver drops the
//! machine after [`GatewayEvent::Finished`], or [`GatewayEvent::Expired`] when the peer never came back for the ack.
//!
//! A session starts *unconfirmed*: until the client has sent anything on a link it may not have seen `S`, so a repeated
//! first contact with a higher `n` gets `S` again. Afterwards the client must use the session's id and key.

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

/// The gateway's side of one session; see the [module documentation](self). Methods take the time as an argument.
///
/// The machine never sees payloads: messages of the client are only counted, and units of the backend are given as the
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
    /// The newest attempt that was attached.
    newest: u64,
    /// The number of the sequenced close of this end; 0: not closed.
    closing: u64,
    /// Units dropped ahead of the cursor that `G` has not reported on the link; `(0, 0)`: none.
    gap: (u64, u64),
    peer_close: PeerClose,
    state: GatewayState,
    page: Option<PageState>,
    confirmed: bool,
    /// `r` was sent, and no ack has arrived since.
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
    /// The close was received; units before it wait for their consumer.
    Waiting(Box<Close>),
    Consumed,
}

impl Gateway {
    /// Creates a session that is detached and unconfirmed, and waits for its first link.
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

    /// Returns the id of the session.
    pub const fn sid(&self) -> &SessionId {
        &self.sid
    }

    /// Returns the secret of the session.
    pub const fn key(&self) -> &SessionKey {
        &self.key
    }

    /// Returns the application subprotocol that the backend chose.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Returns whether the session has a link.
    pub fn is_attached(&self) -> bool {
        self.state == GatewayState::Attached
    }

    /// Returns whether the client has shown that it knows the session.
    pub const fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// Returns the counters, for logs and metrics.
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

    /// Returns the next event, oldest first.
    pub fn poll_event(&mut self) -> Option<GatewayEvent> {
        self.events.pop()
    }

    /// Frees buffers that are empty, and shrinks those that are mostly empty. Afterwards an idle session owns no heap
    /// memory except its id and subprotocol.
    pub fn release_idle_memory(&mut self) {
        self.replay.release();
        self.control.release();
    }

    /// Returns the heap memory in bytes, without the shared configuration.
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
