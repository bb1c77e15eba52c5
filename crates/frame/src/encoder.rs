//! Messages in, bytes out: the writing half of an endpoint.

use crate::deflate::Deflater;
use crate::{CloseCode, Header, OpCode, Role, mask};

/// The maximum payload of a control frame, in bytes (RFC 6455 §5.5).
const CONTROL_MAX: usize = 125;

/// Appends frames to the caller's buffer.
///
/// `key`: the masking key, four fresh random bytes for each frame (RFC 6455 §5.3); a server's frames are not masked
/// and the key is ignored. For a vectored write of an uncompressed message, [`header`](Self::header) gives the head
/// alone, and [`mask`](crate::mask) treats the payload where it is.
///
/// ```
/// use undrop_frame::{Encoder, OpCode, Role};
/// let mut out = Vec::new();
/// let mut server = Encoder::new(Role::Server);
/// server.message(OpCode::Text, b"hi", [0; 4], &mut out);
/// server.control(OpCode::Ping, b"", [0; 4], &mut out);
/// assert_eq!(out, b"\x81\x02hi\x89\x00");
/// ```
#[derive(Debug)]
pub struct Encoder {
    role: Role,
    deflater: Option<Box<Deflater>>,
}

impl Encoder {
    /// Creates an encoder; `role` is the role of this end.
    pub fn new(role: Role) -> Self {
        Self { role, deflater: None }
    }

    /// Compresses messages (permessage-deflate was negotiated).
    pub fn with_deflate(mut self, deflater: Deflater) -> Self {
        self.deflater = Some(Box::new(deflater));
        self
    }

    /// Appends a whole message as one frame, compressed if that was negotiated and makes it smaller. `opcode` is Text or
    /// Binary; a control opcode is written as [`control`](Self::control) does.
    #[inline(always)]
    pub fn message(&mut self, opcode: OpCode, payload: &[u8], key: [u8; 4], out: &mut Vec<u8>) {
        if self.deflater.is_some() || opcode.is_control() {
            return self.special(opcode, payload, key, out);
        }
        self.frame(true, false, opcode, payload, key, out);
    }

    /// Appends a whole message as one frame and never compresses it.
    #[inline(always)]
    pub fn plain(&mut self, opcode: OpCode, payload: &[u8], key: [u8; 4], out: &mut Vec<u8>) {
        if opcode.is_control() {
            return self.control(opcode, payload, key, out);
        }
        self.frame(true, false, opcode, payload, key, out);
    }

    /// Appends a control frame. A payload over 125 bytes is cut there.
    pub fn control(&mut self, opcode: OpCode, payload: &[u8], key: [u8; 4], out: &mut Vec<u8>) {
        let payload = payload.get(..CONTROL_MAX).unwrap_or(payload);
        self.frame(true, false, opcode, payload, key, out);
    }

    /// Appends a Close frame. The reason is cut at 123 bytes, between characters. A code that may not be sent (1005,
    /// 1006, 1015, …) leaves the frame empty, and so does no code.
    pub fn close(&mut self, code: Option<CloseCode>, reason: &str, key: [u8; 4], out: &mut Vec<u8>) {
        let mut payload = Vec::with_capacity(CONTROL_MAX);
        if let Some(code) = code.filter(|code| code.is_valid_on_wire()) {
            payload.extend_from_slice(&code.get().to_be_bytes());
            let cut = reason.floor_char_boundary(CONTROL_MAX - 2);
            payload.extend_from_slice(reason.as_bytes().get(..cut).unwrap_or_default());
        }
        self.control(OpCode::Close, &payload, key, out);
    }

    /// Appends a message as frames of at most `max_fragment` bytes of payload each (at least 1). `next_key` gives
    /// the masking key of each. Control frames may be put between them.
    pub fn message_fragmented(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        max_fragment: usize,
        mut next_key: impl FnMut() -> [u8; 4],
        out: &mut Vec<u8>,
    ) {
        if opcode.is_control() {
            return self.control(opcode, payload, next_key(), out);
        }
        let mut compressed = Vec::new();
        let rsv1 = self.deflater.as_mut().is_some_and(|deflater| deflater.deflate(payload, &mut compressed));
        let mut rest = if rsv1 { &compressed } else { payload };
        let mut first = true;
        loop {
            let (piece, after) = rest.split_at(rest.len().min(max_fragment.max(1)));
            let opcode = if first { opcode } else { OpCode::Continuation };
            self.frame(after.is_empty(), rsv1 && first, opcode, piece, next_key(), out);
            if after.is_empty() {
                return;
            }
            rest = after;
            first = false;
        }
    }

    /// The head of an uncompressed message in one frame, for a payload that is written from where it is. A client
    /// masks that payload with the same key. Returns the length of the head in bytes.
    #[inline(always)]
    pub fn header(&self, opcode: OpCode, len: u64, key: [u8; 4], out: &mut [u8; Header::MAX_LEN]) -> usize {
        Header { fin: true, rsv1: false, opcode, mask: self.mask_key(key), len }.encode(out)
    }

    /// The deflater, to lend it a context or take one back; see [`Deflater::lend`].
    pub fn deflater(&mut self) -> Option<&mut Deflater> {
        self.deflater.as_deref_mut()
    }

    #[inline(never)]
    fn special(&mut self, opcode: OpCode, payload: &[u8], key: [u8; 4], out: &mut Vec<u8>) {
        if opcode.is_control() {
            return self.control(opcode, payload, key, out);
        }
        let mut compressed = Vec::new();
        if let Some(deflater) = &mut self.deflater
            && deflater.deflate(payload, &mut compressed)
        {
            return self.frame(true, true, opcode, &compressed, key, out);
        }
        self.frame(true, false, opcode, payload, key, out);
    }

    #[inline(always)]
    fn frame(&self, fin: bool, rsv1: bool, opcode: OpCode, payload: &[u8], key: [u8; 4], out: &mut Vec<u8>) {
        let header = Header { fin, rsv1, opcode, mask: self.mask_key(key), len: payload.len() as u64 };
        out.reserve(Header::MAX_LEN + payload.len());
        // One fixed-size copy per branch: a copy of variable length costs more than the rest of the header.
        out.extend_from_slice(&header.lead());
        if header.len > 0xffff {
            out.extend_from_slice(&header.len.to_be_bytes());
        } else if header.len > 125 {
            out.extend_from_slice(&(header.len as u16).to_be_bytes());
        }
        if let Some(key) = header.mask {
            out.extend_from_slice(&key);
            let start = out.len();
            append(out, payload);
            if let Some(payload) = out.get_mut(start..) {
                mask(payload, key, 0);
            }
        } else {
            append(out, payload);
        }
    }

    #[inline(always)]
    fn mask_key(&self, key: [u8; 4]) -> Option<[u8; 4]> {
        match self.role {
            Role::Client => Some(key),
            Role::Server => None,
        }
    }
}

/// Appends a payload. A short one goes in the same steps in which the decoder may just have written it: a wider load
/// would have to wait for those stores, which costs more than the copy.
#[inline(always)]
fn append(out: &mut Vec<u8>, payload: &[u8]) {
    if payload.len() > 256 {
        return out.extend_from_slice(payload);
    }
    let (chunks, rest) = payload.as_chunks::<64>();
    for chunk in chunks {
        out.extend_from_slice(chunk);
    }
    let (chunks, rest) = rest.as_chunks::<16>();
    for chunk in chunks {
        out.extend_from_slice(chunk);
    }
    if !rest.is_empty() {
        out.extend_from_slice(rest);
    }
}
