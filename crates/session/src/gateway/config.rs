//! Settings of a gateway session; shared by all sessions of a route.

use std::time::Duration;

/// What a session is allowed. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Longest silence of the gateway on a link: `S.hb`. Zero: no heartbeats.
    pub heartbeat: Duration,
    /// How long a session outlives its link.
    pub ttl: Duration,
    /// The same when the page said that it unloads.
    pub unload_ttl: Duration,
    /// How long a session without any word from its client is kept.
    pub unconfirmed_ttl: Duration,
    /// How long a session that the client closed waits for a client that missed the ack.
    pub linger: Duration,
    /// Replay buffer while a link is there: `S.win`.
    pub attached_limit: usize,
    /// Replay buffer while parked.
    pub detached_limit: usize,
    /// Bytes that a client may have un-acked; the gateway acks each quarter.
    pub client_window: usize,
    /// What happens when the replay buffer is full.
    pub overflow: Overflow,
    /// Longest time from the receipt of a unit to its ack, when it was taken.
    pub ack_delay: Duration,
    /// Age at which a link is to be replaced (give or take 20 %, by session and attempt).
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

/// Policy for a full replay buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// The producer waits: [`room`](crate::Gateway::room) is 0.
    #[default]
    Pause,
    /// The session ends; the client is told which units are gone.
    End,
    /// The oldest units are dropped, and the client is told which.
    DropOldest,
}

impl Overflow {
    /// The policy's name, as in `G` and in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::End => "end",
            Self::DropOldest => "drop-oldest",
        }
    }

    /// The policy of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Pause, Self::End, Self::DropOldest].into_iter().find(|policy| policy.name() == name)
    }
}
