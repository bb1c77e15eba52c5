//! The header of a frame: 2 to 14 bytes (RFC 6455 §5.2).

use crate::{FrameError, OpCode};

/// A frame header that follows every rule that can be checked without the frames before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Last frame of its message.
    pub fin: bool,
    /// Reserved bit 1; set on the first frame of a compressed message (RFC 7692 §6).
    pub rsv1: bool,
    /// Type of the frame.
    pub opcode: OpCode,
    /// Masking key, when the payload is masked.
    pub mask: Option<[u8; 4]>,
    /// Payload length in bytes, below 2^63.
    pub len: u64,
}

impl Header {
    /// Longest header, in bytes.
    pub const MAX_LEN: usize = 14;

    /// Parses the header at the front of `bytes`. Returns the header and its own length, or `None` if more bytes are
    /// needed. An incomplete header that is already invalid is rejected without waiting for the rest.
    ///
    /// # Errors
    /// RSV2 or RSV3, a reserved opcode, a length that is not minimal or not below 2^63, a control frame that is
    /// fragmented or over 125 bytes.
    ///
    /// ```
    /// use undrop_frame::{Header, OpCode};
    /// let (header, len) = Header::parse(&[0x81, 0x05, b'h'])?.expect("complete");
    /// assert_eq!((header.opcode, header.len, len), (OpCode::Text, 5, 2));
    /// assert_eq!(Header::parse(&[0x81])?, None);
    /// # Ok::<(), undrop_frame::FrameError>(())
    /// ```
    #[inline(always)]
    pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, FrameError> {
        let &[first, second, ref rest @ ..] = bytes else {
            return match bytes {
                [first, ..] => check_first(*first).map(|_| None),
                [] => Ok(None),
            };
        };
        let opcode = check_first(first)?;
        let short = second & 0x7f;
        let (len, rest, mut used) = if short < 126 {
            (u64::from(short), rest, 2)
        } else {
            if opcode.is_control() {
                return Err(FrameError::ControlTooLong);
            }
            match extended(short, rest)? {
                Some((len, rest, used)) => (len, rest, used),
                None => return Ok(None),
            }
        };
        let mask = if second & 0x80 == 0 {
            None
        } else {
            let Some(key) = rest.first_chunk::<4>() else { return Ok(None) };
            used += 4;
            Some(*key)
        };
        Ok(Some((Header { fin: first & 0x80 != 0, rsv1: first & 0x40 != 0, opcode, mask, len }, used)))
    }

    /// Writes the header to the front of `out` and returns its length. The payload is not masked by this; see
    /// [`mask`](crate::mask).
    #[inline(always)]
    pub fn encode(&self, out: &mut [u8; Self::MAX_LEN]) -> usize {
        let [first, second, ..] = self.lead();
        out[0] = first;
        out[1] = second;
        let mut at = 2;
        if self.len > 0xffff {
            out[2..10].copy_from_slice(&self.len.to_be_bytes());
            at = 10;
        } else if self.len > 125 {
            out[2..4].copy_from_slice(&(self.len as u16).to_be_bytes());
            at = 4;
        }
        if let Some(key) = self.mask {
            out[at..at + 4].copy_from_slice(&key);
            at += 4;
        }
        at
    }

    /// Returns the length of the header on the wire, in bytes: 2 to 14.
    #[inline(always)]
    pub fn encoded_len(&self) -> usize {
        let length = if self.len > 0xffff {
            8
        } else if self.len > 125 {
            2
        } else {
            0
        };
        2 + length + if self.mask.is_some() { 4 } else { 0 }
    }

    /// Returns the two bytes that every header starts with.
    #[inline(always)]
    pub(crate) fn lead(&self) -> [u8; 2] {
        let short = if self.len > 0xffff {
            127
        } else if self.len > 125 {
            126
        } else {
            self.len as u8
        };
        [
            u8::from(self.fin) << 7 | u8::from(self.rsv1) << 6 | self.opcode as u8,
            u8::from(self.mask.is_some()) << 7 | short,
        ]
    }
}

/// The rules of the first byte alone.
#[inline(always)]
fn check_first(first: u8) -> Result<OpCode, FrameError> {
    if first & 0x30 != 0 {
        return Err(FrameError::ReservedBit);
    }
    let Some(opcode) = OpCode::from_u8(first & 0x0f) else {
        return Err(FrameError::ReservedOpCode(first & 0x0f));
    };
    if opcode.is_control() && first & 0x80 == 0 {
        return Err(FrameError::ControlFragmented);
    }
    Ok(opcode)
}

/// Returns the payload length, the bytes after it, and the number of header bytes so far; `None`: more bytes are needed.
type Extended<'a> = Option<(u64, &'a [u8], usize)>;

/// A length of two or eight bytes; `short` is 126 or 127.
#[inline]
fn extended(short: u8, rest: &[u8]) -> Result<Extended<'_>, FrameError> {
    if short == 126 {
        let Some((len, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
        let len = u64::from(u16::from_be_bytes(*len));
        if len < 126 {
            return Err(FrameError::NonMinimalLength);
        }
        return Ok(Some((len, rest, 4)));
    }
    let Some((len, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
    let len = u64::from_be_bytes(*len);
    if len >> 63 != 0 {
        return Err(FrameError::LengthOutOfRange);
    }
    if len <= 0xffff {
        return Err(FrameError::NonMinimalLength);
    }
    Ok(Some((len, rest, 10)))
}
