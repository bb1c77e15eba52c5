//! The rules about frames that depend on the frames before them; shared by scanner and decoder.

use crate::{FrameError, Header, Limits, OpCode, Role};

/// Where the frame sequence stands.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
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
    pub(crate) fn new(role: Role, limits: Limits, rsv1: bool) -> Self {
        Self { limits, message: 0, role, rsv1, open: false }
    }

    /// Checks the next header and takes it into account.
    #[inline(always)]
    pub(crate) fn admit(&mut self, header: &Header) -> Result<(), FrameError> {
        // RFC 6455 5.1
        match self.role {
            Role::Server if header.mask.is_none() => return Err(FrameError::Unmasked),
            Role::Client if header.mask.is_some() => return Err(FrameError::Masked),
            _ => {}
        }
        if header.opcode.is_control() {
            // RFC 7692 6.1: compression never applies to a control frame.
            return if header.rsv1 { Err(FrameError::ReservedBit) } else { Ok(()) };
        }
        if header.opcode == OpCode::Continuation {
            // RFC 7692 6.1: RSV1 stands on the first frame only.
            if header.rsv1 {
                return Err(FrameError::ReservedBit);
            }
            // RFC 6455 5.4
            if !self.open {
                return Err(FrameError::UnexpectedContinuation);
            }
        } else {
            if header.rsv1 && !self.rsv1 {
                return Err(FrameError::ReservedBit);
            }
            // RFC 6455 5.4
            if self.open {
                return Err(FrameError::ExpectedContinuation);
            }
            self.message = 0;
        }
        if header.len > self.limits.frame {
            return Err(FrameError::FrameTooBig { limit: self.limits.frame });
        }
        self.message = self.message.saturating_add(header.len);
        if self.message > self.limits.message {
            return Err(FrameError::MessageTooBig { limit: self.limits.message });
        }
        self.open = !header.fin;
        Ok(())
    }

    /// What a message in one frame may look like: the RSV1 bit if it is allowed, the mask bit, the largest payload.
    #[inline(always)]
    pub(crate) fn plain_frame(&self) -> (u8, u8, u64) {
        let masked = if self.role == Role::Server { 0x80 } else { 0 };
        (if self.rsv1 { 0x40 } else { 0 }, masked, self.limits.frame.min(self.limits.message))
    }

    /// Inside a fragmented message: its last frame has not begun.
    #[inline(always)]
    pub(crate) fn in_message(&self) -> bool {
        self.open
    }
}
