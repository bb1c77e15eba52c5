//! The activities that re-arm idle timers, and the heartbeats that produce them.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// An activity on a connection that may re-arm an idle timer. *Up* means from the client to the server, *down* the reverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Activity {
    /// A Ping from the client.
    PingUp,
    /// A Ping from the server.
    PingDown,
    /// A Pong from the client.
    PongUp,
    /// A Pong from the server.
    PongDown,
    /// A data frame from the client.
    DataUp,
    /// A data frame from the server.
    DataDown,
    /// A TCP keepalive probe and its acknowledgement, which carry no payload.
    TcpKeepalive,
}

/// The truth of a statement that may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tristate {
    /// The statement is true.
    Yes,
    /// The statement is false.
    No,
    /// It is not known whether the statement is true.
    Unknown,
}

impl fmt::Display for Tristate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        })
    }
}

/// A method of keeping a connection alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Heartbeat {
    /// The server sends Pings. A browser replies without the page, even in a hidden tab.
    ServerPing,
    /// The client sends Pings and the server replies. JavaScript in a browser cannot send Pings.
    ClientPing,
    /// The client sends messages and the server replies to each.
    ClientMessageWithReply,
    /// The client sends messages without a reply.
    ClientMessage,
    /// The server sends messages without a reply.
    ServerMessage,
    /// The client sends unsolicited Pongs (RFC 6455 §5.5.3).
    ClientPong,
    /// The kernel sends TCP keepalive probes.
    TcpKeepalive,
}

impl Heartbeat {
    /// Every heartbeat, the one that is easiest to deploy first.
    pub const ALL: [Self; 7] = [
        Self::ServerPing,
        Self::ClientPing,
        Self::ClientMessageWithReply,
        Self::ClientMessage,
        Self::ServerMessage,
        Self::ClientPong,
        Self::TcpKeepalive,
    ];

    /// Returns the activities of the client and those of the server.
    pub(crate) fn activities(self) -> (&'static [Activity], &'static [Activity]) {
        use Activity as A;
        match self {
            Self::ServerPing => (&[A::PongUp], &[A::PingDown]),
            Self::ClientPing => (&[A::PingUp], &[A::PongDown]),
            Self::ClientMessageWithReply => (&[A::DataUp], &[A::DataDown]),
            Self::ClientMessage => (&[A::DataUp], &[]),
            Self::ServerMessage => (&[], &[A::DataDown]),
            Self::ClientPong => (&[A::PongUp], &[]),
            Self::TcpKeepalive => (&[A::TcpKeepalive], &[A::TcpKeepalive]),
        }
    }
}

impl fmt::Display for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerPing => "Ping from the server",
            Self::ClientPing => "Ping from the client",
            Self::ClientMessageWithReply => "message from the client with a reply",
            Self::ClientMessage => "message from the client without a reply",
            Self::ServerMessage => "message from the server",
            Self::ClientPong => "unsolicited Pong from the client",
            Self::TcpKeepalive => "TCP keepalive",
        })
    }
}

/// A word in a data file: one activity or a group of them.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ActivityWord {
    PingUp,
    PingDown,
    PongUp,
    PongDown,
    DataUp,
    DataDown,
    TcpKeepalive,
    /// Every frame from the client.
    FramesUp,
    /// Every frame from the server.
    FramesDown,
    /// Pings and Pongs in both directions.
    Control,
    /// Data frames in both directions.
    Data,
}

impl ActivityWord {
    fn activities(self) -> &'static [Activity] {
        use Activity as A;
        match self {
            Self::PingUp => &[A::PingUp],
            Self::PingDown => &[A::PingDown],
            Self::PongUp => &[A::PongUp],
            Self::PongDown => &[A::PongDown],
            Self::DataUp => &[A::DataUp],
            Self::DataDown => &[A::DataDown],
            Self::TcpKeepalive => &[A::TcpKeepalive],
            Self::FramesUp => &[A::PingUp, A::PongUp, A::DataUp],
            Self::FramesDown => &[A::PingDown, A::PongDown, A::DataDown],
            Self::Control => &[A::PingUp, A::PingDown, A::PongUp, A::PongDown],
            Self::Data => &[A::DataUp, A::DataDown],
        }
    }
}

/// Deserializes words to activities, sorted and without duplicates; for `#[serde(deserialize_with)]`.
pub(crate) fn activities<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Activity>, D::Error> {
    let words = Vec::<ActivityWord>::deserialize(deserializer)?;
    let mut activities: Vec<Activity> = words.iter().flat_map(|word| word.activities()).copied().collect();
    activities.sort_unstable();
    activities.dedup();
    Ok(activities)
}
