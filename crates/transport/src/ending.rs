//! How a connection ended, in the words that every command shares.

use std::fmt;
use std::io;

use undrop_frame::{CloseCode, FrameError};

/// How a connection ended. `Display` gives the shared vocabulary: `clean 1000` · `going away 1001` · `close NNNN` ·
/// `FIN without close frame` · `RST` · `black hole` · `refused` · `protocol error (which)` · `local error (which)`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The peer sent a Close frame, first or in answer to ours. Code 1005 stands for a frame without a code.
    Close(CloseCode, String),
    /// The stream ended in order, but no Close frame had come.
    Fin,
    /// The connection was reset.
    Reset,
    /// What was sent stayed unacknowledged, or the peer's host could not be reached any more.
    BlackHole,
    /// Nobody listens there.
    Refused,
    /// The peer broke the protocol; the text says how.
    ProtocolError(String),
    /// This machine is at fault (out of sockets or memory, no permission); the text says how.
    Local(String),
}

impl Ending {
    /// Sorts an I/O error.
    pub fn from_io(error: &io::Error) -> Ending {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::UnexpectedEof => Ending::Fin,
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::NotConnected => {
                Ending::Reset
            }
            Kind::TimedOut | Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => {
                Ending::BlackHole
            }
            Kind::ConnectionRefused => Ending::Refused,
            // What the TLS layer says about records it cannot read.
            Kind::InvalidData => Ending::ProtocolError(error.to_string()),
            _ => Ending::Local(error.to_string()),
        }
    }

    /// The code that a browser's `CloseEvent` shows for this ending: the received one, else 1006.
    pub fn browser_view(&self) -> CloseCode {
        match self {
            Ending::Close(code, _) => *code,
            _ => CloseCode::ABNORMAL,
        }
    }

    /// Code and reason, when a Close frame came.
    pub fn close(&self) -> Option<(CloseCode, &str)> {
        match self {
            Ending::Close(code, reason) => Some((*code, reason)),
            _ => None,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Close(CloseCode::NORMAL, _) => f.write_str("clean 1000"),
            Ending::Close(CloseCode::GOING_AWAY, _) => f.write_str("going away 1001"),
            Ending::Close(code, _) => write!(f, "close {}", code.get()),
            Ending::Fin => f.write_str("FIN without close frame"),
            Ending::Reset => f.write_str("RST"),
            Ending::BlackHole => f.write_str("black hole"),
            Ending::Refused => f.write_str("refused"),
            Ending::ProtocolError(which) => write!(f, "protocol error ({which})"),
            Ending::Local(which) => write!(f, "local error ({which})"),
        }
    }
}

impl std::error::Error for Ending {}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Ending::from_io(&error)
    }
}

impl From<&FrameError> for Ending {
    fn from(error: &FrameError) -> Self {
        Ending::ProtocolError(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_vocabulary_word_for_word() {
        let close = |code| Ending::Close(CloseCode::new(code), "why".to_owned());
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
                Ending::from(&FrameError::Unmasked),
                "protocol error (a frame from a client is not masked)",
                1006,
            ),
        ] {
            assert_eq!(ending.to_string(), words);
            assert_eq!(ending.browser_view().get(), browser);
        }
    }

    #[test]
    fn io_errors_are_sorted() {
        use io::ErrorKind as Kind;
        for (kind, ending) in [
            (Kind::UnexpectedEof, Ending::Fin),
            (Kind::ConnectionReset, Ending::Reset),
            (Kind::BrokenPipe, Ending::Reset),
            (Kind::TimedOut, Ending::BlackHole),
            (Kind::HostUnreachable, Ending::BlackHole),
            (Kind::ConnectionRefused, Ending::Refused),
        ] {
            assert_eq!(Ending::from_io(&io::Error::from(kind)), ending);
        }
        let full = io::Error::from_raw_os_error(libc::EMFILE);
        assert!(matches!(Ending::from_io(&full), Ending::Local(_)));
    }
}
