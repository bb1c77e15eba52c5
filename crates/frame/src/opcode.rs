//! The four-bit type of a frame (RFC 6455 §5.2).

/// The type of a frame. Reserved values have no variant: [`from_u8`](Self::from_u8) rejects them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpCode {
    /// A further fragment of the message that a Text or Binary frame started.
    Continuation = 0,
    /// First or only frame of a text message.
    Text = 1,
    /// First or only frame of a binary message.
    Binary = 2,
    /// Closes the connection; may carry a close code and a reason.
    Close = 8,
    /// Requests a Pong with the same payload.
    Ping = 9,
    /// Replies to a Ping, or is sent unsolicited as a sign of life.
    Pong = 10,
}

impl OpCode {
    /// Returns the opcode of a wire value; `None` for the reserved ones (3–7, 11–15) and anything over 15.
    #[inline(always)]
    pub const fn from_u8(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::Continuation),
            1 => Some(Self::Text),
            2 => Some(Self::Binary),
            8 => Some(Self::Close),
            9 => Some(Self::Ping),
            10 => Some(Self::Pong),
            _ => None,
        }
    }

    /// Returns whether this is Close, Ping or Pong: at most 125 bytes, never fragmented, allowed between fragments (RFC 6455 §5.5).
    #[inline(always)]
    pub const fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }
}
