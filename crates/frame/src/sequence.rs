//! The rules about frames that depend on the frames before them; shared by everything that reads frames.

use crate::{FrameError, Header, Limits, OpCode, Role};

/// Checks each frame header against the frames before it: masking, RSV1, continuation and size (RFC 6455 §5.1, §5.4, RFC
/// 7692 §6.1).
///
/// It holds 32 bytes and no payload. [`Decoder`](crate::Decoder) and [`Scanner`](crate::Scanner) contain one; a reader that
/// needs its own treatment of payloads uses it directly.
///
/// ```
/// use undrop_frame::{FrameError, Header, Limits, Role, Sequence};
/// let mut sequence = Sequence::new(Role::Client, Limits::default(), false);
/// let (start, _) = Header::parse(&[0x01, 2])?.expect("complete");
/// sequence.admit(&start)?;
/// let (other, _) = Header::parse(&[0x82, 2])?.expect("complete");
/// assert_eq!(sequence.check(&other), Err(FrameError::ExpectedContinuation));
/// # Ok::<(), FrameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sequence {
    limits: Limits,
    /// Payload bytes of the open message so far, as on the wire.
    message: u64,
    role: Role,
    /// An extension gives RSV1 a meaning.
    pub(crate) rsv1: bool,
    /// A fragmented message is open.
    open: bool,
}

impl Sequence {
    /// Creates the state before the first frame. `role` is the role of this end: a [`Role::Server`] reads what a client
    /// sent. `rsv1`: an extension that uses RSV1 was negotiated.
    pub fn new(role: Role, limits: Limits, rsv1: bool) -> Self {
        Self { limits, message: 0, role, rsv1, open: false }
    }

    /// Checks the next header and records it.
    ///
    /// # Errors
    /// The header violates a rule; the connection cannot go on.
    #[inline(always)]
    pub fn admit(&mut self, header: &Header) -> Result<(), FrameError> {
        let message = self.message_with(header)?;
        if !header.opcode.is_control() {
            self.message = message;
            self.open = !header.fin;
        }
        Ok(())
    }

    /// Checks the next header without recording it: for a frame that is not complete yet and will be presented again.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    #[inline(always)]
    pub fn check(&self, header: &Header) -> Result<(), FrameError> {
        self.message_with(header).map(|_| ())
    }

    /// Returns whether a fragmented message is open: the header of its last frame has not been recorded.
    #[inline(always)]
    pub fn in_message(&self) -> bool {
        self.open
    }

    /// Checks a header and returns the payload bytes of the open message, those of this frame included.
    #[inline(always)]
    fn message_with(&self, header: &Header) -> Result<u64, FrameError> {
        // RFC 6455 §5.1
        match self.role {
            Role::Server if header.mask.is_none() => return Err(FrameError::Unmasked),
            Role::Client if header.mask.is_some() => return Err(FrameError::Masked),
            _ => {}
        }
        if header.opcode.is_control() {
            // RFC 7692 §6.1: compression never applies to a control frame.
            return if header.rsv1 { Err(FrameError::ReservedBit) } else { Ok(self.message) };
        }
        let before = if header.opcode == OpCode::Continuation {
            // RFC 7692 §6.1: only the first frame of a message carries RSV1.
            if header.rsv1 {
                return Err(FrameError::ReservedBit);
            }
            // RFC 6455 §5.4
            if !self.open {
                return Err(FrameError::UnexpectedContinuation);
            }
            self.message
        } else {
            if header.rsv1 && !self.rsv1 {
                return Err(FrameError::ReservedBit);
            }
            // RFC 6455 §5.4
            if self.open {
                return Err(FrameError::ExpectedContinuation);
            }
            0
        };
        if header.len > self.limits.frame {
            return Err(FrameError::FrameTooBig { limit: self.limits.frame });
        }
        let message = before.saturating_add(header.len);
        if message > self.limits.message {
            return Err(FrameError::MessageTooBig { limit: self.limits.message });
        }
        Ok(message)
    }

    /// Returns the form of a message in one frame: the RSV1 bit if it is allowed, the mask bit, and the largest payload.
    #[inline(always)]
    pub(crate) fn plain_frame(&self) -> (u8, u8, u64) {
        let masked = if self.role == Role::Server { 0x80 } else { 0 };
        (if self.rsv1 { 0x40 } else { 0 }, masked, self.limits.frame.min(self.limits.message))
    }
}
