//! The resumable session machine of the undrop protocol, without I/O.
//!
//! Two machines, [`Gateway`] and [`Client`], deliver every message exactly once and in order, both ways, over any number of
//! lost links (`spec/PROTOCOL.md`). They touch no socket, clock, thread or lock. Inputs are methods that take the time;
//! outputs are polled until there are none:
//!
//! | | in | out |
//! |---|---|---|
//! | links | `attach`/`handle_link_up`, `detach`/`handle_link_down` | [`Client::poll_connect`] |
//! | bytes, messages | `handle_data`, `handle_packet`, `handle_message` | `poll_transmit`, `poll_message` |
//! | time | `handle_timeout` | `poll_timeout` |
//! | events | – | `poll_event` |
//!
//! The gateway's machine counts and buffers bytes and never sees a payload; the client's machine holds messages. Both are
//! composed of parts that are tested separately: the replay buffer, delivery with its acks, heartbeat and watchdog,
//! backoff, timers, drain slots.
//!
//! # What a driver of [`Gateway`] must know
//! - Feed only the newest link. After [`Gateway::attach`] returned `Ok`, nothing may be fed from the former one.
//! - Reply to [`Refusal::Stale`] with [`MOVED_FRAME`] and close 1000, the other refusals with a new session and
//!   [`Gateway::attach_lost`]. Until a session [is confirmed](Gateway::is_confirmed), find it again by its first contact: the `cid`, or the
//!   id of the session that it replaces. Otherwise a lost response would open a second backend connection.
//! - Call [`Gateway::handle_traffic`] for every read, and [`Gateway::handle_consumed`] when the backend's socket has accepted the bytes, not before.
//! - Units that were delivered and not consumed outlive the link. A driver that loses them calls
//!   [`Gateway::discard_unconsumed`] while detached.
//!
//! # Where this differs from the first design
//! - Units wait for their consumer across links (`docs/decisions/001`); first contacts carry an attempt number, and the
//!   first packet may be repeated (`docs/decisions/002`).
//! - `GatewayConfig` is shared: [`Gateway::new`] takes `impl Into<Arc<GatewayConfig>>`.
//! - A fourth refusal, [`Refusal::Over`]; events besides those of the design: [`GatewayEvent::Finished`], [`GatewayEvent::Dropped`],
//!   [`GatewayEvent::DrainOver`].
//! - For a backend that chose no subprotocol, the response carries the first token of the offer if the bare one was not
//!   offered: a browser would reject the bare one.

mod backoff;
pub mod client;
mod control;
mod delivery;
mod error;
mod escape;
pub mod gateway;
mod heartbeat;
mod hello;
mod identity;
#[doc(hidden)]
pub mod mutate;
mod negotiation;
mod number;
mod packet;
mod replay;
mod slots;
mod timers;

pub use backoff::Backoff;
pub use client::{
    Attempt, Client, ClientConfig, ClientEvent, ClientState, ClosedBy, GapReason, LinkEnd, LinkMode,
    PlainHeartbeat, QueueFull, QueuePolicy, SessionMode, Transmit, retry_hint,
};
pub use delivery::UnitStatus;
pub use error::{Misbehaviour, Refusal};
pub use escape::{ESCAPE, TextKind, escape, needs_escape};
pub use gateway::{Gateway, GatewayConfig, GatewayEvent, Loss, Overflow, Progress};
pub use hello::{Hello, InvalidHello, MAX_HELLO, is_client_id};
pub use identity::{InvalidSessionId, MAX_SESSION_ID, SessionId, SessionKey};
pub use negotiation::{Offer, SESSION_PROTOCOL, is_session_protocol, offer, parse_offer, response_protocol};
pub use number::COUNTER_LIMIT;
pub use packet::{
    BackendIdentity, BackendState, Close, Gap, GoAway, LossReason, Lost, MAX_NONCE, MAX_PACKET, MAX_REASON,
    Packet, PageState, Resumed, Started,
};
pub use slots::{Slots, moment};

/// The packet `m` as a whole server frame: the last packet on a superseded or refused link, before close 1000.
pub const MOVED_FRAME: [u8; 4] = [0x81, 2, ESCAPE, b'm'];
