//! The client's side of a session, or of a plain WebSocket that is reopened after each loss.
//!
//! ```text
//!                 S, L, or a plain response
//!   new ▶ OPENING ───────────────────────▶ OPEN ◀──╮ R (or S again) on a newer attempt:
//!          │    ▲                          │   │   │ the older link is closed
//!          │    ╰── attempt failed:        │   ╰───╯
//!          │        backoff                │ link lost        R, L
//!          │                               ▼                ╭──────▶ OPEN
//!          │                             RESUMING ──────────╯
//!          │                               │    ▲
//!          │                               │    ╰── attempt failed: backoff
//!          ▼ permanently refused, gave up  ▼
//!        CLOSED ◀──────────────────────────┴── x consumed or acked, final close code (plain), timed out
//! ```
//! Attempts are numbered and may overlap: another one may be opened while a link is still up (a probe without a reply, a
//! drain slot, a change of network). The link is used until a newer attempt has its first packet; a packet of an attempt
//! older than the link is ignored. In-flight attempts are kept in a list, not in the state enum.

mod attempt;
mod close;
mod config;
mod event;
mod inbox;
mod input;
mod link_end;
mod outbox;
mod output;
mod time;
mod watchdog;

use std::collections::VecDeque;
use std::time::Instant;

pub use attempt::{Attempt, LinkMode};
pub use config::{ClientConfig, PlainHeartbeat, QueuePolicy, SessionMode};
pub use event::{ClientEvent, ClosedBy, GapReason};
pub use link_end::{LinkEnd, retry_hint};
pub use outbox::QueueFull;
pub use output::Transmit;

use crate::delivery::Delivery;
use crate::identity::{SessionId, SessionKey};
use crate::mutate::BrokenRule;
use crate::packet::{Close, Started};
use crate::timers::Timers;
use attempt::PendingAttempt;
use inbox::Inbox;
use outbox::Outbox;
use output::QueuedControl;
use time::ClientTimer;
use undrop_frame::Message;
use watchdog::{Probe, Watchdog};

/// The client's side of a session; see the [module documentation](self).
#[derive(Debug, Clone)]
pub struct Client {
    config: ClientConfig,
    cid: String,
    rng: fastrand::Rng,
    /// The latest time that was passed in, for outputs that take none.
    now: Instant,
    state: ClientState,
    session: Option<SessionInfo>,
    /// Counts the sessions that started or ended, to recognise a late reply about an earlier one.
    generation: u64,
    link: Option<CurrentLink>,
    attempts: Vec<PendingAttempt>,
    /// Number of the newest attempt made.
    last_n: u64,
    /// An attempt has to be made now.
    due: bool,
    /// The number of failed attempts since the last useful link.
    tries: u32,
    /// The link is up but has to be replaced.
    moving: bool,
    online: bool,
    outbox: Outbox,
    delivery: Delivery,
    inbox: Inbox,
    control: VecDeque<(u64, QueuedControl)>,
    events: VecDeque<ClientEvent>,
    timers: Timers<ClientTimer, { ClientTimer::COUNT }>,
    watchdog: Watchdog,
    probe: Probe,
    closing: Option<Close>,
    ack_due: bool,
    /// `r` was sent, and no ack has arrived since.
    asked: bool,
}

/// The state of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientState {
    /// The client has not had a link yet.
    Opening,
    /// The client has a link.
    Open,
    /// The link was lost, and the client reconnects.
    Resuming,
    /// The client has ended for good.
    Closed,
}

/// The content of `S`.
#[derive(Debug, Clone)]
struct SessionInfo {
    sid: SessionId,
    key: SessionKey,
    heartbeat: std::time::Duration,
    window: u64,
    protocol: Option<String>,
}

/// The link in use.
#[derive(Debug, Clone)]
struct CurrentLink {
    n: u64,
    mode: LinkMode,
    since: Instant,
    /// A unit was acked or received on this link.
    useful: bool,
}

impl From<Started> for SessionInfo {
    fn from(started: Started) -> Self {
        Self {
            sid: started.sid,
            key: started.key,
            heartbeat: std::time::Duration::from_millis(started.hb),
            window: started.win,
            protocol: started.protocol,
        }
    }
}

impl Client {
    /// Creates a client that requests its first link at once. `cid`: 22 or more characters of `[A-Za-z0-9_-]` that hold 128
    /// bits from the operating system. `seed`: the seed of the random delays, which need not be secret.
    pub fn new(now: Instant, config: ClientConfig, cid: String, seed: u64) -> Self {
        Self {
            delivery: Delivery::new(usize::MAX, config.ack_delay),
            outbox: Outbox::new(config.queue_limit, config.queue_policy),
            cid,
            rng: fastrand::Rng::with_seed(seed),
            now,
            state: ClientState::Opening,
            session: None,
            generation: 0,
            link: None,
            attempts: Vec::new(),
            last_n: 0,
            due: true,
            tries: 0,
            moving: false,
            online: true,
            inbox: Inbox::default(),
            control: VecDeque::new(),
            events: VecDeque::new(),
            timers: Timers::new(),
            watchdog: Watchdog::new(now),
            probe: Probe::default(),
            closing: None,
            ack_due: false,
            asked: false,
            config,
        }
    }

    /// Breaks a rule, so that the simulator can prove that it would notice.
    #[doc(hidden)]
    pub fn break_rule(&mut self, rule: BrokenRule) {
        self.delivery.break_rule(rule);
    }

    /// Returns the state of the client.
    pub const fn state(&self) -> ClientState {
        self.state
    }

    /// Returns the id of the session, if there is one.
    pub fn sid(&self) -> Option<&SessionId> {
        self.session.as_ref().map(|session| &session.sid)
    }

    /// Returns the application subprotocol that the backend of the session chose.
    pub fn protocol(&self) -> Option<&str> {
        self.session.as_ref().and_then(|session| session.protocol.as_deref())
    }

    /// Returns the attempt whose link is in use.
    pub fn link(&self) -> Option<u64> {
        self.link.as_ref().map(|link| link.n)
    }

    /// Returns the next event, oldest first.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// Returns the next message for the application. A returned message counts as consumed and is acked, so call this only
    /// when the application can handle it.
    pub fn poll_message(&mut self, now: Instant) -> Option<Message> {
        self.tick(now);
        while let Some((item, counted)) = self.inbox.pop() {
            match item {
                inbox::InboxItem::Message(message) => {
                    if counted {
                        self.consumed(1);
                    }
                    return Some(message);
                }
                inbox::InboxItem::Gap { from, to } => {
                    if counted {
                        self.consumed(to - from + 1);
                    }
                    let reason = GapReason::Dropped;
                    self.events.push_back(ClientEvent::Gap { reason, lost: Some((from, to)), resent: 0 });
                }
                inbox::InboxItem::Close(close) => {
                    if counted {
                        self.consumed(1);
                        self.ack_due = true;
                    }
                    self.finish(close.code, close.reason, ClosedBy::Peer);
                }
            }
        }
        None
    }

    /// Returns whether the driver should continue to read from the link: false while too many bytes wait for the
    /// application.
    pub const fn wants_read(&self) -> bool {
        self.inbox.bytes() < self.config.inbox_limit
    }

    /// Returns the number of bytes that wait to be sent or acked.
    pub const fn queued_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// Returns the number of messages that wait to be sent or acked.
    pub fn queued(&self) -> usize {
        self.outbox.len()
    }

    fn consumed(&mut self, units: u64) {
        if self.delivery.consume(units) {
            self.ack_due = true;
        }
    }

    fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    fn random(&mut self) -> f64 {
        self.rng.f64()
    }

    fn in_session(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.mode == LinkMode::Session)
    }
}
