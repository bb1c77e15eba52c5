//! The resumable session machine of the undrop protocol, without I/O.

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
    Attempt, Client, ClientConfig, ClientEvent, ClosedBy, Down, Full, GapReason, Mode, PlainHeartbeat,
    QueuePolicy, SessionMode, Snapshot, State, Transmit, retry_hint,
};
pub use delivery::Received;
pub use error::{Misbehaviour, Refusal};
pub use escape::{ESCAPE, TextKind, escape, needs_escape};
pub use gateway::{Event, Gateway, GatewayConfig, Loss, Overflow, Progress};
pub use hello::{Hello, InvalidHello, MAX_HELLO, is_client_id};
pub use identity::{InvalidSessionId, MAX_SESSION_ID, SessionId, SessionKey};
pub use negotiation::{Offer, SESSION_PROTOCOL, answer, is_session_answer, offer, parse_offer};
pub use number::COUNTER_LIMIT;
pub use packet::{
    BackendIdentity, BackendState, Close, Gap, GoAway, LossReason, Lost, MAX_NONCE, MAX_PACKET, MAX_REASON,
    Packet, PageState, Resumed, Started,
};
pub use slots::{Slots, moment};

/// The packet `m` as a whole server frame: the last packet on a superseded or refused link, before close 1000.
pub const MOVED_FRAME: [u8; 4] = [0x81, 2, ESCAPE, b'm'];
