//! The vocabulary for the end of a connection, which every command shares.

mod fault;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use fault::{HeadFault, LocalFault, ProtocolFault, ProxyFault, SocksReply, TlsFault};

use crate::handshake::HandshakeError;
use crate::{CloseCode, FrameError};

/// The way a connection ended. `Display` gives the shared vocabulary: `clean 1000` · `going away 1001` · `close NNNN` ·
/// `FIN without close frame` · `RST` · `black hole` · `refused` · `protocol error (which)` · `local error (which)`.
///
/// ```
/// use undrop_frame::{CloseCode, Ending, FrameError};
/// let ending = Ending::Close { code: CloseCode::GOING_AWAY, reason: String::new() };
/// assert_eq!(ending.to_string(), "going away 1001");
/// assert_eq!(Ending::from(FrameError::Unmasked).browser_view(), CloseCode::ABNORMAL);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Ending {
    /// The peer sent a Close frame, first or in reply to ours.
    Close {
        /// The close code; 1005 for a Close frame without a code.
        code: CloseCode,
        /// The reason, often empty.
        reason: String,
    },
    /// The stream ended in order, but no Close frame had arrived.
    Fin,
    /// The connection was reset.
    #[serde(rename = "rst")]
    Reset,
    /// The data that was sent stayed unacknowledged, or the peer's host became unreachable.
    BlackHole,
    /// The peer's host refused the connection: no program listens on the port.
    Refused,
    /// The peer, or an intermediary, violated a protocol.
    ProtocolError(ProtocolFault),
    /// The connection failed for a reason on this machine, such as a lack of file descriptors or memory.
    Local(LocalFault),
}

impl Ending {
    /// Returns the code that a browser's `CloseEvent` shows for this ending: the received one, otherwise 1006.
    pub fn browser_view(&self) -> CloseCode {
        match self {
            Ending::Close { code, .. } => *code,
            _ => CloseCode::ABNORMAL,
        }
    }

    /// Returns code and reason if a Close frame was received.
    pub fn close(&self) -> Option<(CloseCode, &str)> {
        match self {
            Ending::Close { code, reason } => Some((*code, reason)),
            _ => None,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Close { code: CloseCode::NORMAL, .. } => f.write_str("clean 1000"),
            Ending::Close { code: CloseCode::GOING_AWAY, .. } => f.write_str("going away 1001"),
            Ending::Close { code, .. } => write!(f, "close {}", code.get()),
            Ending::Fin => f.write_str("FIN without close frame"),
            Ending::Reset => f.write_str("RST"),
            Ending::BlackHole => f.write_str("black hole"),
            Ending::Refused => f.write_str("refused"),
            Ending::ProtocolError(fault) => write!(f, "protocol error ({fault})"),
            Ending::Local(fault) => write!(f, "local error ({fault})"),
        }
    }
}

impl std::error::Error for Ending {}

impl From<ProtocolFault> for Ending {
    fn from(fault: ProtocolFault) -> Self {
        Ending::ProtocolError(fault)
    }
}

impl From<LocalFault> for Ending {
    fn from(fault: LocalFault) -> Self {
        Ending::Local(fault)
    }
}

impl From<FrameError> for Ending {
    fn from(error: FrameError) -> Self {
        Ending::ProtocolError(ProtocolFault::Frame(error))
    }
}

impl From<HandshakeError> for Ending {
    fn from(error: HandshakeError) -> Self {
        Ending::ProtocolError(ProtocolFault::Handshake(error))
    }
}

impl From<TlsFault> for Ending {
    fn from(fault: TlsFault) -> Self {
        Ending::ProtocolError(ProtocolFault::Tls(fault))
    }
}

impl From<ProxyFault> for Ending {
    fn from(fault: ProxyFault) -> Self {
        Ending::ProtocolError(ProtocolFault::Proxy(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_vocabulary_word_for_word() {
        let close = |code| Ending::Close { code: CloseCode::new(code), reason: "why".to_owned() };
        for (ending, words, browser) in [
            (close(1000), "clean 1000", 1000),
            (close(1001), "going away 1001", 1001),
            (close(4001), "close 4001", 4001),
            (close(1005), "close 1005", 1005),
            (Ending::Fin, "FIN without close frame", 1006),
            (Ending::Reset, "RST", 1006),
            (Ending::BlackHole, "black hole", 1006),
            (Ending::Refused, "refused", 1006),
            (
                Ending::from(FrameError::Unmasked),
                "protocol error (a frame from a client is not masked)",
                1006,
            ),
            (
                Ending::from(ProxyFault::Status(403)),
                "protocol error (proxy: CONNECT failed with status 403)",
                1006,
            ),
            (Ending::from(LocalFault::TooManyOpenFiles), "local error (too many open files)", 1006),
        ] {
            assert_eq!(ending.to_string(), words);
            assert_eq!(ending.browser_view().get(), browser);
        }
    }

    #[test]
    fn endings_are_saved_and_read_back() {
        use crate::handshake::MalformedHead;
        let not_http = HandshakeError::Malformed(MalformedHead::StatusLine);
        let endings = [
            Ending::Close { code: CloseCode::new(4000), reason: "idle".to_owned() },
            Ending::Reset,
            Ending::BlackHole,
            FrameError::MessageTooBig { limit: 9 }.into(),
            HandshakeError::RequestField("Host".into()).into(),
            ProtocolFault::Head { fault: HeadFault::NotHttp(not_http), start: vec![0x15, 3] }.into(),
            TlsFault::ClientCertificateRequired.into(),
            ProxyFault::Socks(SocksReply(2)).into(),
            LocalFault::Io { code: Some(99), message: "no".to_owned() }.into(),
        ];
        let saved = serde_json::to_string(&endings).unwrap();
        assert!(
            saved.starts_with(r#"[{"close":{"code":4000,"reason":"idle"}},"rst","black-hole","#),
            "{saved}"
        );
        assert_eq!(serde_json::from_str::<Vec<Ending>>(&saved).unwrap(), endings);
    }
}
