//! The violations of the frame format by a peer. Each has exactly one close code.

use serde::{Deserialize, Serialize};

use crate::CloseCode;

/// The peer violated the frame format. The connection cannot continue; close it with
/// [`close_code`](Self::close_code).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FrameError {
    /// RSV2 or RSV3 is set, or RSV1 where no negotiated extension gives it a meaning (RFC 6455 §5.2).
    #[error("a reserved bit is set in a frame header")]
    ReservedBit,
    /// Opcode 3–7 or 11–15 (RFC 6455 §5.2).
    #[error("opcode {0} is reserved")]
    ReservedOpCode(u8),
    /// A length written in more bytes than needed (RFC 6455 §5.2).
    #[error("a frame length is not written in its shortest form")]
    NonMinimalLength,
    /// A length with its highest bit set (RFC 6455 §5.2).
    #[error("a frame length is 2^63 or more")]
    LengthOutOfRange,
    /// A control frame with more than 125 bytes of payload (RFC 6455 §5.5).
    #[error("a control frame carries more than 125 bytes")]
    ControlTooLong,
    /// A control frame without FIN (RFC 6455 §5.5).
    #[error("a control frame is fragmented")]
    ControlFragmented,
    /// A client sent an unmasked frame (RFC 6455 §5.1).
    #[error("a frame from a client is not masked")]
    Unmasked,
    /// A server sent a masked frame (RFC 6455 §5.1).
    #[error("a frame from a server is masked")]
    Masked,
    /// A continuation frame while no message is open (RFC 6455 §5.4).
    #[error("a continuation frame arrived outside a fragmented message")]
    UnexpectedContinuation,
    /// A new message while a fragmented one is open (RFC 6455 §5.4).
    #[error("a new message started before the fragmented message was complete")]
    ExpectedContinuation,
    /// A Close frame with one byte of payload (RFC 6455 §5.5.1).
    #[error("a Close frame has a payload of one byte")]
    CloseTooShort,
    /// A close code that may not be on the wire (RFC 6455 §7.4).
    #[error("close code {0} may not be sent")]
    InvalidCloseCode(u16),
    /// A text message or a close reason is not UTF-8 (RFC 6455 §8.1).
    #[error("text is not valid UTF-8")]
    InvalidUtf8,
    /// A compressed message that does not decompress (RFC 7692 §7.2.2).
    #[error("a compressed message is corrupt")]
    CorruptDeflate,
    /// A frame above [`Limits::frame`](crate::Limits::frame).
    #[error("a frame is larger than the limit of {limit} bytes")]
    FrameTooBig {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A message above [`Limits::message`](crate::Limits::message), on the wire or after decompression.
    #[error("a message is larger than the limit of {limit} bytes")]
    MessageTooBig {
        /// The limit, in bytes.
        limit: u64,
    },
}

impl FrameError {
    /// Returns the code to close with: 1007 for bad content, 1009 for size, 1002 for everything else.
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::CorruptDeflate => CloseCode::INVALID_PAYLOAD,
            Self::FrameTooBig { .. } | Self::MessageTooBig { .. } => CloseCode::MESSAGE_TOO_BIG,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}
