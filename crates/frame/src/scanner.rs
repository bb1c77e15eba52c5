//! Frame boundaries in a byte stream, for a relay that forwards payloads untouched.

use crate::sequence::Sequence;
use crate::{FrameError, Header, Limits, Role};

/// Finds where frames start and end, without touching or storing payload bytes.
///
/// The scanner stores no bytes: the caller keeps those of an incomplete header (at most 13) and presents them again,
/// followed by more.
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

/// The element at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A complete, checked header.
    Header {
        /// The header of the frame.
        header: Header,
        /// Its length on the wire, in bytes.
        len: usize,
    },
    /// Payload of the frame whose header came before. An empty frame has no such piece.
    Payload {
        /// Bytes of it at the front of the input; never 0.
        len: usize,
        /// The frame ends with this piece.
        last: bool,
    },
}

impl Scanner {
    /// Creates a scanner. `role` is the role of this end: a [`Role::Server`] scans the bytes of a client. `rsv1`: an extension that uses RSV1 was
    /// negotiated between the two ends.
    pub fn new(role: Role, limits: Limits, rsv1: bool) -> Self {
        Self { remaining: 0, sequence: Sequence::new(role, limits, rsv1) }
    }

    /// Returns the first piece of `input`, which the caller removes before the next call; `None` if `input` is empty or
    /// an incomplete header.
    ///
    /// # Errors
    /// A violation that [`Header::parse`] or [`Sequence`](crate::Sequence) reports. The scanner must not be used after it.
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

    /// Returns the number of bytes at the front of `input` that are whole data messages of one frame each, which a relay
    /// can forward without examining each header. They count as scanned; continue after them with [`next`](Self::next). 0 in the
    /// middle of a frame or a message, and before anything that needs individual treatment (a control frame, a fragment,
    /// a frame of 64 KiB or more, a violation).
    #[inline]
    pub fn whole_messages(&self, input: &[u8]) -> usize {
        if self.remaining > 0 || self.sequence.in_message() {
            return 0;
        }
        let (rsv1, masked, largest) = self.sequence.plain_frame();
        let key = if masked == 0 { 0 } else { 4 };
        let mut at = 0;
        while let Some(&[first, second, third, fourth]) = input[at..].first_chunk::<4>() {
            // FIN, and Text or Binary.
            if !matches!(first & !rsv1, 0x81 | 0x82) || second & 0x80 != masked {
                break;
            }
            let (len, head) = match usize::from(second & 0x7f) {
                short @ 0..126 => (short, 2),
                126 => (usize::from(u16::from_be_bytes([third, fourth])), 4),
                _ => break,
            };
            let end = at + head + key + len;
            // RFC 6455 §5.2: the length in its shortest form.
            if (head == 4 && len < 126) || len as u64 > largest || end > input.len() {
                break;
            }
            at = end;
        }
        at
    }

    /// Returns whether the position is between frames: a control frame may be inserted here (RFC 6455 §5.4).
    #[inline(always)]
    pub fn at_boundary(&self) -> bool {
        self.remaining == 0
    }

    /// Returns whether a fragmented message is open: the header of its last frame has not been seen.
    #[inline(always)]
    pub fn in_message(&self) -> bool {
        self.sequence.in_message()
    }

    /// Returns the number of payload bytes of the current frame that are still to come.
    #[inline(always)]
    pub fn remaining(&self) -> u64 {
        self.remaining
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoder, OpCode};

    /// The quick way and the careful one agree on every prefix of a stream with everything in it.
    #[test]
    fn whole_messages_are_what_next_sees() {
        for role in [Role::Client, Role::Server] {
            let peer = if role == Role::Client { Role::Server } else { Role::Client };
            let mut encoder = Encoder::new(peer);
            let mut stream = Vec::new();
            for (n, len) in [0, 1, 125, 126, 300, 65_535, 65_536, 7].into_iter().enumerate() {
                let opcode = if n % 2 == 0 { OpCode::Text } else { OpCode::Binary };
                encoder.message(opcode, &vec![b'x'; len], [1, 2, 3, n as u8], &mut stream);
                if n == 3 {
                    encoder.control(OpCode::Ping, b"p", [9; 4], &mut stream);
                    encoder.message_fragmented(OpCode::Text, b"abc", 2, || [7; 4], &mut stream);
                }
            }
            for end in (0..2000).chain([stream.len() - 1, stream.len()]) {
                let input = &stream[..end];
                let mut quick = Scanner::new(role, Limits::default(), false);
                let mut careful = quick.clone();
                let (mut at, mut seen) = (0, Vec::new());
                loop {
                    let whole = quick.whole_messages(&input[at..]);
                    at += whole;
                    match quick.next(&input[at..]).expect("valid") {
                        Some(Piece::Header { len, .. } | Piece::Payload { len, .. }) => at += len,
                        None => break,
                    }
                    seen.push(at);
                }
                let (mut there, mut passed) = (0, vec![0]);
                while let Some(Piece::Header { len, .. } | Piece::Payload { len, .. }) =
                    careful.next(&input[there..]).expect("valid")
                {
                    there += len;
                    passed.push(there);
                }
                assert_eq!((at, quick.remaining()), (there, careful.remaining()), "{role:?} {end}");
                assert!(seen.iter().all(|at| passed.contains(at)));
            }
        }
    }

    #[test]
    fn what_needs_a_closer_look_is_left() {
        let scanner = Scanner::new(Role::Client, Limits { frame: 10, message: 10 }, false);
        let left: [&[u8]; 8] = [
            &[0x82, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x82, 126, 0, 5, 0, 0, 0, 0, 0],
            &[0xc1, 2, 0, 0],
            &[0x82, 0x82, 0, 0, 0, 0, 0, 0],
            &[0x02, 2, 0, 0],
            &[0x89, 2, 0, 0],
            &[0x80, 2, 0, 0],
            &[0x82, 3, 0, 0],
        ];
        for input in left {
            assert_eq!(scanner.whole_messages(input), 0, "{input:?}");
        }
        assert_eq!(scanner.whole_messages(&[0x82, 2, 0, 0, 0x82]), 4);
        assert_eq!(Scanner::new(Role::Client, Limits::default(), true).whole_messages(&[0xc1, 2, 0, 0]), 4);
    }
}
