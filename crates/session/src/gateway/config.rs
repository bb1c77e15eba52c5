//! The settings of a gateway session, shared by all sessions of a route.

use std::time::Duration;

/// The timers and limits of a session. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// The longest silence of the gateway on a link (`S.hb`). Zero disables heartbeats. Default: 25 s.
    pub heartbeat: Duration,
    /// The time to live of a detached session. Default: 120 s.
    pub ttl: Duration,
    /// The time to live after the page reported that it unloads. Default: 10 s.
    pub unload_ttl: Duration,
    /// The time to live of a session whose client has not confirmed it yet. Default: 30 s.
    pub unconfirmed_ttl: Duration,
    /// The time that a session closed by its client is kept, in case the client missed the ack. Default: 10 s.
    pub linger: Duration,
    /// The size of the replay buffer while attached (`S.win`). Default: 256 KiB.
    pub attached_limit: usize,
    /// The size of the replay buffer while detached. Default: 1 MiB.
    pub detached_limit: usize,
    /// The bytes that a client may have unacked; the gateway acks each quarter. Default: 1 MiB.
    pub client_window: usize,
    /// The policy for a full replay buffer. Default: pause.
    pub overflow: Overflow,
    /// The longest time from the receipt of a unit to its ack, if it was consumed. Default: 200 ms.
    pub ack_delay: Duration,
    /// The age at which a link is replaced (± 20 %, depending on session and attempt). Default: none.
    pub link_max_age: Option<Duration>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(25),
            ttl: Duration::from_secs(120),
            unload_ttl: Duration::from_secs(10),
            unconfirmed_ttl: Duration::from_secs(30),
            linger: Duration::from_secs(10),
            attached_limit: 256 * 1024,
            detached_limit: 1024 * 1024,
            client_window: 1024 * 1024,
            overflow: Overflow::Pause,
            ack_delay: Duration::from_millis(200),
            link_max_age: None,
        }
    }
}

/// The policy for a full replay buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// The producer waits: [`room`](crate::Gateway::room) is 0.
    #[default]
    Pause,
    /// The session ends; the client learns which units are lost.
    End,
    /// The oldest units are dropped; the client learns which.
    DropOldest,
}

impl Overflow {
    /// Returns the name of the policy, as in `G` and in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::End => "end",
            Self::DropOldest => "drop-oldest",
        }
    }

    /// Returns the policy with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Pause, Self::End, Self::DropOldest].into_iter().find(|policy| policy.name() == name)
    }
}
