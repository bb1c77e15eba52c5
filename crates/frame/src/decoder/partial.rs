//! The state of a decoder between two buffers, in the middle of a header, frame or message.

use std::mem;

use crate::utf8::Utf8;
use crate::{FrameError, Header, OpCode, mask};

/// A large frame's carry grows by at most this much ahead of its data, until doubling takes over.
const STEP: usize = 64 * 1024;

/// Below this much left of a frame, reading through the caller's buffer is as good.
const SPARE_MIN: u64 = 4 * 1024;

/// Started header, frame and message.
#[derive(Debug, Default)]
pub(super) struct Partial {
    head: [u8; Header::MAX_LEN],
    head_len: usize,
    /// The frame whose payload is arriving.
    pub(super) frame: Option<PartialFrame>,
    /// Payload of the control frame that is arriving; 125 bytes at most.
    pub(super) control: Vec<u8>,
    /// The message that is arriving.
    pub(super) body: Option<PartialMessage>,
}

/// A frame whose payload is arriving.
#[derive(Debug)]
pub(super) struct PartialFrame {
    pub(super) opcode: OpCode,
    pub(super) fin: bool,
    mask: Option<[u8; 4]>,
    len: u64,
    /// Payload bytes taken so far.
    done: u64,
}

/// A message that is arriving.
#[derive(Debug)]
pub(super) struct PartialMessage {
    pub(super) opcode: OpCode,
    pub(super) compressed: bool,
    /// The payload so far and, after `used`, memory that was lent for reading and is not filled.
    pub(super) data: Vec<u8>,
    /// Bytes of `data` that came from the wire.
    used: usize,
    /// Bytes of `data` that are unmasked and checked.
    clean: usize,
    pub(super) utf8: Utf8,
}

impl Partial {
    /// The next header; its bytes come off `input`, or all of `input` is kept when it is not complete.
    pub(super) fn header(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, FrameError> {
        let kept = self.head_len;
        let mut bytes = self.head;
        let mut filled = kept;
        for (slot, byte) in bytes.iter_mut().skip(kept).zip(input.iter()) {
            *slot = *byte;
            filled += 1;
        }
        match Header::parse(bytes.get(..filled).unwrap_or_default())? {
            Some((header, len)) => {
                self.head_len = 0;
                advance(input, len.saturating_sub(kept));
                Ok(Some(header))
            }
            None => {
                self.head = bytes;
                self.head_len = filled;
                advance(input, filled - kept);
                Ok(None)
            }
        }
    }

    /// Starts a frame: its payload follows.
    pub(super) fn open(&mut self, header: &Header) {
        let &Header { fin, rsv1, opcode, mask, len } = header;
        self.frame = Some(PartialFrame { opcode, fin, mask, len, done: 0 });
        if matches!(opcode, OpCode::Text | OpCode::Binary) {
            self.body = Some(PartialMessage {
                opcode,
                compressed: rsv1,
                data: Vec::new(),
                used: 0,
                clean: 0,
                utf8: Utf8::default(),
            });
        }
    }

    /// Takes payload of the open frame off `input`; `true` when the frame is complete.
    pub(super) fn absorb(&mut self, input: &mut &mut [u8]) -> Result<bool, FrameError> {
        let Some(frame) = &mut self.frame else { return Ok(true) };
        if frame.opcode.is_control() {
            let (piece, rest) = split(input, frame.len - frame.done);
            *input = rest;
            if self.control.capacity() == 0 {
                self.control.reserve_exact(frame.len as usize);
            }
            let at = self.control.len();
            self.control.extend_from_slice(piece);
            if let (Some(key), Some(new)) = (frame.mask, self.control.get_mut(at..)) {
                mask(new, key, frame.done as usize);
            }
            frame.done += piece.len() as u64;
        } else if let Some(body) = &mut self.body {
            body.absorb(frame, input)?;
        }
        Ok(frame.done == frame.len)
    }

    pub(super) fn spare(&mut self) -> Option<&mut [u8]> {
        let (Some(frame), Some(body)) = (&self.frame, &mut self.body) else { return None };
        let left = frame.len - frame.done - (body.used - body.clean) as u64;
        if frame.opcode.is_control() || left < SPARE_MIN {
            return None;
        }
        if body.data.len() == body.used {
            if ((body.data.capacity() - body.used) as u64) < SPARE_MIN {
                body.reserve(0, left, frame.fin);
            }
            let ahead = (body.data.capacity() - body.used).min(usize::try_from(left).unwrap_or(usize::MAX));
            body.data.resize(body.used + ahead, 0);
        }
        body.data.get_mut(body.used..)
    }

    pub(super) fn filled(&mut self, n: usize) {
        if let Some(body) = &mut self.body {
            body.used = (body.used + n).min(body.data.len());
        }
    }

    /// Returns whether nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.head_len == 0 && self.frame.is_none() && self.body.is_none()
    }
}

impl PartialMessage {
    /// Takes what was read into the spare room, then from `input`.
    fn absorb(&mut self, frame: &mut PartialFrame, input: &mut &mut [u8]) -> Result<(), FrameError> {
        self.accept(frame)?;
        let left = frame.len - frame.done;
        if left == 0 || !input.is_empty() {
            self.data.truncate(self.used);
        }
        let (piece, rest) = split(input, left);
        *input = rest;
        if piece.is_empty() {
            return Ok(());
        }
        if self.data.capacity() - self.data.len() < piece.len() {
            self.reserve(piece.len(), left, frame.fin);
        }
        self.data.extend_from_slice(piece);
        self.used = self.data.len();
        self.accept(frame)
    }

    /// Unmasks and checks what is new.
    fn accept(&mut self, frame: &mut PartialFrame) -> Result<(), FrameError> {
        let Some(new) = self.data.get_mut(self.clean..self.used) else { return Ok(()) };
        if let Some(key) = frame.mask {
            mask(new, key, frame.done as usize);
        }
        frame.done += new.len() as u64;
        self.clean = self.used;
        if self.opcode == OpCode::Text && !self.compressed { self.utf8.feed(new) } else { Ok(()) }
    }

    /// Makes room for `now` bytes and a step towards the frame's end: a length is only a claim until the bytes are
    /// there.
    fn reserve(&mut self, now: usize, left: u64, last: bool) {
        let step = usize::try_from(left).unwrap_or(usize::MAX).min(STEP.max(self.used)).max(now);
        if last {
            self.data.reserve_exact(step);
        } else {
            self.data.reserve(step);
        }
    }
}

/// At most `most` bytes off the front of `input`, and the rest.
fn split<'b>(input: &mut &'b mut [u8], most: u64) -> (&'b mut [u8], &'b mut [u8]) {
    let n = usize::try_from(most).unwrap_or(usize::MAX).min(input.len());
    mem::take(input).split_at_mut(n)
}

fn advance(input: &mut &mut [u8], n: usize) {
    let (_, rest) = split(input, n as u64);
    *input = rest;
}
