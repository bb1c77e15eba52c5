//! How a connection ended, as it is saved.

use std::fmt;

use serde::{Deserialize, Serialize};
use undrop_frame::{CloseCode, LocalFault, ProtocolFault};
use undrop_transport::Ending;

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

impl From<Ending> for End {
    fn from(ending: Ending) -> End {
        match ending {
            Ending::Close { code, reason } => End::Close { code: code.get(), reason },
            Ending::Fin => End::Fin,
            Ending::Reset => End::Rst,
            Ending::BlackHole => End::BlackHole,
            Ending::Refused => End::Refused,
            Ending::ProtocolError(what) => End::ProtocolError(what.to_string()),
            Ending::Local(what) => End::Local(what.to_string()),
            other => End::Local(other.to_string()),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The words are transport's; nothing is spelled here a second time.
        let ending = match self {
            End::Close { code, reason } => {
                Ending::Close { code: CloseCode::new(*code), reason: reason.clone() }
            }
            End::Fin => Ending::Fin,
            End::Rst => Ending::Reset,
            End::BlackHole => Ending::BlackHole,
            End::Refused => Ending::Refused,
            End::ProtocolError(what) => ProtocolFault::InvalidData(what.clone()).into(),
            End::Local(what) => LocalFault::Io { code: None, message: what.clone() }.into(),
        };
        ending.fmt(f)
    }
}
