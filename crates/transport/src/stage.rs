//! The phases of an attempt to connect.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The time that each phase of [`connect`](crate::connect) took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectTimings {
    /// Name lookup, TCP connect and, where one is used, the handshake with the forward proxy.
    pub connect: Duration,
    /// The TLS handshake; `None` without TLS.
    pub tls: Option<Duration>,
    /// The HTTP upgrade, from the request to the complete response head.
    pub upgrade: Duration,
}

/// The phase in which an attempt to connect failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectStage {
    /// Name lookup, TCP connect or the handshake with a forward proxy.
    Connect,
    /// The TLS handshake with the server.
    Tls,
    /// The HTTP upgrade to a WebSocket.
    Handshake,
    /// The start of a session on the open WebSocket. Only a client of the session protocol reports it.
    Session,
}

impl ConnectStage {
    /// Returns the name that reports use: `connect`, `tls`, `handshake` or `session`.
    pub const fn as_str(self) -> &'static str {
        match self {
            ConnectStage::Connect => "connect",
            ConnectStage::Tls => "tls",
            ConnectStage::Handshake => "handshake",
            ConnectStage::Session => "session",
        }
    }
}

impl fmt::Display for ConnectStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
