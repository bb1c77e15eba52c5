//! The settings of a client.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;

/// The settings of a client. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientConfig {
    /// Whether to request a session. Default: prefer.
    pub session: SessionMode,
    /// The delay between attempts. Default: full jitter.
    pub backoff: Backoff,
    /// The size of the queue of messages that wait to be sent or acked. One message of any size is admitted to an empty
    /// queue. Default: 1 MiB.
    pub queue_limit: usize,
    /// The policy for a full queue. Default: refuse.
    pub queue_policy: QueuePolicy,
    /// The size of received messages that may wait for the application before reading pauses. Default: 4 MiB.
    pub inbox_limit: usize,
    /// The longest time from dialling to the first packet. Default: 10 s.
    pub connect_timeout: Duration,
    /// The silence that is accepted beyond the gateway's heartbeat. Default: 10 s.
    pub grace: Duration,
    /// The minimum wait for the reply to a probe; otherwise four round trips. Default: 1.5 s.
    pub probe_timeout: Duration,
    /// The longest time from the receipt of a unit to its ack, if it was consumed. Default: 1 s.
    pub ack_delay: Duration,
    /// The time that a close waits for the acks of queued messages. Default: 10 s.
    pub close_timeout: Duration,
    /// The heartbeat on a plain link; `None` disables it.
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

/// Whether a client requests a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionMode {
    /// Request a session, and continue in plain mode if the server does not speak the protocol.
    #[default]
    Prefer,
    /// Request a session, and fail if the server does not speak the protocol.
    Require,
    /// Do not request a session.
    Off,
}

impl SessionMode {
    /// Every mode, in the order of help texts.
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

/// The policy for a client's full queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum QueuePolicy {
    /// `send` returns the message in an error.
    #[default]
    Refuse,
    /// The oldest messages that were never sent are dropped and reported; if that is not enough, refuse.
    DropOldest,
}

/// The heartbeat of a plain link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainHeartbeat {
    /// The time between two heartbeats. Default: 30 s.
    pub interval: Duration,
    /// The longest time until any bytes arrive in reply. Default: 10 s.
    pub answer: Duration,
    /// The text to send and the text of the reply, which is hidden from the application; `None`: WebSocket Ping and Pong.
    pub text: Option<(String, String)>,
}

impl Default for PlainHeartbeat {
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), answer: Duration::from_secs(10), text: None }
    }
}
