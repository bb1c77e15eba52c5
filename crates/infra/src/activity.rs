//! What keeps a connection from being called idle.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// Something that happens on a connection and may re-arm a timer. *Up* is from the client to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Activity {
    /// A Ping of the client.
    PingUp,
    /// A Ping of the server.
    PingDown,
    /// A Pong of the client.
    PongUp,
    /// A Pong of the server.
    PongDown,
    /// A data frame of the client.
    DataUp,
    /// A data frame of the server.
    DataDown,
    /// A TCP keepalive probe and its answer, which carry no byte.
    TcpKeepalive,
}

/// Whether something is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// Nobody here knows.
    Unknown,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        })
    }
}

/// A way to keep a connection alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Heartbeat {
    /// The server sends a Ping; a browser answers it by itself, also in a hidden tab.
    ServerPing,
    /// The client sends a Ping and the server answers. JavaScript in a browser cannot send one.
    ClientPing,
    /// The client sends a message and the server replies with one.
    ClientMessageWithReply,
    /// The client sends a message that nobody replies to.
    ClientMessage,
    /// The server sends a message that nobody replies to.
    ServerMessage,
    /// The client sends a Pong that nobody asked for.
    ClientPong,
    /// The kernel sends TCP keepalive probes.
    TcpKeepalive,
}

impl Heartbeat {
    /// Every way, the one that is easiest to have first.
    pub const ALL: [Self; 7] = [
        Self::ServerPing,
        Self::ClientPing,
        Self::ClientMessageWithReply,
        Self::ClientMessage,
        Self::ServerMessage,
        Self::ClientPong,
        Self::TcpKeepalive,
    ];

    /// What it makes the client do, and what the server.
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

/// A word of a data file: one activity, or a group of them.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    PingUp,
    PingDown,
    PongUp,
    PongDown,
    DataUp,
    DataDown,
    TcpKeepalive,
    /// Every frame of the client.
    FramesUp,
    /// Every frame of the server.
    FramesDown,
    /// Pings and Pongs of both.
    Control,
    /// Data frames of both.
    Data,
}

impl Word {
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

/// For `#[serde(deserialize_with)]`: the words written out, sorted, each activity once.
pub(crate) fn activities<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Activity>, D::Error> {
    let words = Vec::<Word>::deserialize(deserializer)?;
    let mut activities: Vec<Activity> = words.iter().flat_map(|word| word.activities()).copied().collect();
    activities.sort_unstable();
    activities.dedup();
    Ok(activities)
}
