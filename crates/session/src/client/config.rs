//! Settings of a client.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;

/// How a client behaves. Sizes are bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientConfig {
    /// Whether to ask for a session.
    pub session: SessionMode,
    /// Delay between attempts.
    pub backoff: Backoff,
    /// What may wait to be sent or acked. One message of any size is admitted when nothing else waits.
    pub queue_limit: usize,
    /// What happens when that is full.
    pub queue_policy: QueuePolicy,
    /// What the application may leave untaken before the link is no longer read.
    pub inbox_limit: usize,
    /// Longest time from dialling to the answer.
    pub connect_timeout: Duration,
    /// What the watchdog allows beyond the gateway's heartbeat.
    pub grace: Duration,
    /// Shortest time that a probe waits for its answer; otherwise four round trips.
    pub probe_timeout: Duration,
    /// Longest time from the receipt of a unit to its ack, when it was taken.
    pub ack_delay: Duration,
    /// How long a close waits for what is queued to be acked.
    pub close_timeout: Duration,
    /// Heartbeat on a plain link; `None`: none.
    pub plain_heartbeat: Option<PlainHeartbeat>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            session: SessionMode::Prefer,
            backoff: Backoff::default(),
            queue_limit: 1024 * 1024,
            queue_policy: QueuePolicy::Refuse,
            inbox_limit: 4 * 1024 * 1024,
            connect_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(10),
            probe_timeout: Duration::from_millis(1500),
            ack_delay: Duration::from_secs(1),
            close_timeout: Duration::from_secs(10),
            plain_heartbeat: Some(PlainHeartbeat::default()),
        }
    }
}

/// Whether a client asks for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionMode {
    /// Ask; go on in plain mode when the server does not know it.
    #[default]
    Prefer,
    /// Ask; a server that does not know it is refused.
    Require,
    /// Do not ask.
    Off,
}

impl SessionMode {
    /// Every mode.
    pub const ALL: [SessionMode; 3] = [SessionMode::Off, SessionMode::Prefer, SessionMode::Require];

    /// Returns the mode with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Returns the name of the mode: `off`, `prefer` or `require`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Prefer => "prefer",
            Self::Require => "require",
        }
    }
}

/// Policy for a full queue of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum QueuePolicy {
    /// `send` hands the message back.
    #[default]
    Refuse,
    /// The oldest messages that were never sent make room and are reported; when that is not enough, refuse.
    DropOldest,
}

/// How a plain link is kept alive and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainHeartbeat {
    /// Time between two beats.
    pub interval: Duration,
    /// How long anything at all may take to come back.
    pub answer: Duration,
    /// A text to send and the text that answers it (kept from the application); `None`: WebSocket Ping and Pong.
    pub text: Option<(String, String)>,
}

impl Default for PlainHeartbeat {
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), answer: Duration::from_secs(10), text: None }
    }
}
