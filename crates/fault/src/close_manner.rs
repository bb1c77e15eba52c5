//! The manners in which a connection can end.

use std::convert::Infallible;
use std::fmt;

/// The manner in which a fault ends a connection.
///
/// A [`Link`](crate::Link) carries bytes and cannot write a frame, so by default the variant `Close` does not exist
/// (its content is uninhabited). A driver that knows frames, such as the chaos proxy, sets `CloseFrame` to the content
/// of the Close frame that it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CloseManner<CloseFrame = Infallible> {
    /// An orderly end of the stream, after all data and without a Close frame.
    #[default]
    Fin,
    /// A reset. Data in flight is lost from a random point on.
    Rst,
    /// No sign at all. Data in flight is lost from a random point on, and nothing arrives afterwards. A side that
    /// does not notice is half open.
    Silent,
    /// A Close frame, then an orderly end of the stream.
    Close(CloseFrame),
}

impl<CloseFrame: fmt::Display> fmt::Display for CloseManner<CloseFrame> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseManner::Fin => f.write_str("FIN without close frame"),
            CloseManner::Rst => f.write_str("RST"),
            CloseManner::Silent => f.write_str("black hole"),
            CloseManner::Close(frame) => frame.fmt(f),
        }
    }
}
