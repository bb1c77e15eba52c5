//! How a connection ended, as it is saved.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a connection ended; the shared vocabulary, in a form that can be saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// A Close frame came.
    Close {
        /// Its code; 1005 for none.
        code: u16,
        /// Its reason.
        reason: String,
    },
    /// The stream ended without a Close frame.
    Fin,
    /// A reset.
    Rst,
    /// Nothing came any more although something had to.
    BlackHole,
    /// Nobody listens.
    Refused,
    /// The other end broke the protocol.
    ProtocolError(String),
    /// This machine is at fault.
    Local(String),
}

impl End {
    /// The code that a browser shows.
    pub fn browser_view(&self) -> u16 {
        match self {
            End::Close { code, .. } => *code,
            _ => 1006,
        }
    }

    /// The close code, when a Close frame came.
    pub fn code(&self) -> Option<u16> {
        match self {
            End::Close { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The words, and what a browser would show where that says less.
    pub fn told(&self) -> String {
        match self {
            End::Close { reason, .. } if !reason.is_empty() => format!("{self}, reason “{reason}”"),
            End::Close { .. } => self.to_string(),
            _ => format!("{self} (a browser reports {})", self.browser_view()),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Close { code: 1000, .. } => f.write_str("clean 1000"),
            End::Close { code: 1001, .. } => f.write_str("going away 1001"),
            End::Close { code, .. } => write!(f, "close {code}"),
            End::Fin => f.write_str("FIN without close frame"),
            End::Rst => f.write_str("RST"),
            End::BlackHole => f.write_str("black hole"),
            End::Refused => f.write_str("refused"),
            End::ProtocolError(what) => write!(f, "protocol error ({what})"),
            End::Local(what) => write!(f, "local error ({what})"),
        }
    }
}
