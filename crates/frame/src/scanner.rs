//! Frame boundaries in a byte stream, for a relay that forwards payloads untouched.

use crate::sequence::Sequence;
use crate::{FrameError, Header, Limits, Role};

/// Tells where frames begin and end without touching or keeping payload bytes.
///
/// It is positional: it keeps no bytes of its own, so the caller keeps those of an incomplete header (13 at most)
/// and presents them again with more behind.
///
/// ```
/// use undrop_frame::{Limits, OpCode, Piece, Role, Scanner};
/// let mut scanner = Scanner::new(Role::Client, Limits::default(), false);
/// let bytes = [0x82, 3, 1, 2];
/// let Some(Piece::Header { header, len }) = scanner.next(&bytes)? else { unreachable!() };
/// assert_eq!((header.opcode, len), (OpCode::Binary, 2));
/// assert_eq!(scanner.next(&bytes[len..])?, Some(Piece::Payload { len: 2, last: false }));
/// assert!(!scanner.at_boundary());
/// # Ok::<(), undrop_frame::FrameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scanner {
    /// Payload bytes of the current frame that are still to come.
    remaining: u64,
    sequence: Sequence,
}

/// What stands at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A complete, checked header.
    Header {
        /// The header.
        header: Header,
        /// Its length on the wire, in bytes.
        len: usize,
    },
    /// Payload of the frame whose header came before. A frame without payload has no such piece.
    Payload {
        /// Bytes of it at the front of the input; never 0.
        len: usize,
        /// The frame ends with this piece.
        last: bool,
    },
}

impl Scanner {
    /// `role` is ours: a [`Role::Server`] scans what a client sent. `rsv1`: an extension that uses RSV1 was
    /// negotiated between the two ends.
    pub fn new(role: Role, limits: Limits, rsv1: bool) -> Self {
        Self { remaining: 0, sequence: Sequence::new(role, limits, rsv1) }
    }

    /// The first piece of `input`, which the caller takes off before the next call. `None`: `input` is empty or
    /// an incomplete header.
    ///
    /// # Errors
    /// Whatever [`Header::parse`] refuses; mask, RSV1, continuation and size rules. The scanner is then of no
    /// further use.
    #[inline(always)]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self, input: &[u8]) -> Result<Option<Piece>, FrameError> {
        if self.remaining > 0 {
            if input.is_empty() {
                return Ok(None);
            }
            let last = input.len() as u64 >= self.remaining;
            let len = if last { self.remaining as usize } else { input.len() };
            self.remaining -= len as u64;
            return Ok(Some(Piece::Payload { len, last }));
        }
        let Some((header, len)) = Header::parse(input)? else { return Ok(None) };
        self.sequence.admit(&header)?;
        self.remaining = header.len;
        Ok(Some(Piece::Header { header, len }))
    }

    /// Between frames: a control frame may be put in here (RFC 6455 5.4).
    #[inline(always)]
    pub fn at_boundary(&self) -> bool {
        self.remaining == 0
    }

    /// Inside a fragmented message: the header of its last frame has not been seen.
    #[inline(always)]
    pub fn in_message(&self) -> bool {
        self.sequence.in_message()
    }

    /// Payload bytes of the current frame that are still to come.
    #[inline(always)]
    pub fn remaining(&self) -> u64 {
        self.remaining
    }
}
