//! Bytes in, messages out: the reading half of an endpoint.

mod partial;

use std::mem;

use crate::deflate::Inflater;
use crate::sequence::Sequence;
use crate::{FrameError, Header, Incoming, Limits, OpCode, Payload, Role, mask, utf8};
use partial::{Partial, PartialFrame, PartialMessage};

/// Decodes messages and control frames from a byte stream that arrives in any pieces.
///
/// It works in the caller's read buffer: payloads are unmasked there and lent out. Only what a buffer does not
/// hold as a whole is copied: the start of a frame whose rest has not come, and the fragments of a message. That
/// memory is given back when the message is handed out, so a decoder between messages owns no heap memory beyond
/// the context of a [`deflate`](crate::deflate) with context takeover.
///
/// Text is checked while it arrives: the first byte that cannot be UTF-8 ends the connection at once, even when
/// its frame is far from complete.
///
/// ```
/// use undrop_frame::{Decoder, Incoming, Limits, Role};
/// let mut decoder = Decoder::new(Role::Client, Limits::default());
/// let mut buffer = *b"\x81\x02hi\x89\x00";
/// let mut input = &mut buffer[..];
/// let Some(Incoming::Text(text)) = decoder.decode(&mut input)? else { unreachable!() };
/// assert_eq!(&*text, b"hi");
/// assert!(matches!(decoder.decode(&mut input)?, Some(Incoming::Ping(_))));
/// assert!(decoder.decode(&mut input)?.is_none());
/// # Ok::<(), undrop_frame::FrameError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    phase: DecoderPhase,
    sequence: Sequence,
    inflater: Option<Box<Inflater>>,
}

#[derive(Debug)]
enum DecoderPhase {
    /// Between messages and between frames; nothing kept.
    Idle,
    /// In the middle of a header, a frame or a message.
    Partial(Box<Partial>),
    /// After a Close frame: everything else is ignored (RFC 6455 §5.5.1).
    Closed,
    /// After an error: the same again.
    Failed(FrameError),
}

impl Decoder {
    /// Creates a decoder for the bytes of the peer; `role` is the role of this end.
    pub fn new(role: Role, limits: Limits) -> Self {
        Self { phase: DecoderPhase::Idle, sequence: Sequence::new(role, limits, false), inflater: None }
    }

    /// Accepts compressed messages: permessage-deflate was negotiated.
    pub fn with_deflate(mut self, inflater: Inflater) -> Self {
        self.sequence.rsv1 = true;
        self.inflater = Some(Box::new(inflater));
        self
    }

    /// Returns the next message or control frame and removes its bytes from the front of `input`; `None` when all of
    /// `input` is used. Call it until then: a lent payload lives in the buffer, and bytes left in `input` would be lost.
    ///
    /// # Errors
    /// The peer violated a rule. Close with [`FrameError::close_code`]; every further call returns the same error.
    #[inline(always)]
    pub fn decode<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Incoming<'b>>, FrameError> {
        if matches!(self.phase, DecoderPhase::Idle)
            && let Some(incoming) = self.quick(input)
        {
            return Ok(Some(incoming));
        }
        // All else, errors included, comes out through one slot: a return value that is also written piece by piece
        // would go through memory on the quick way, which costs as much as the rest of it.
        let mut slot = Ok(None);
        self.slow(input, &mut slot);
        slot
    }

    /// Returns memory into which the rest of a large data frame can be read directly, without a copy through a shared
    /// buffer; `None` if no frame is open or its rest is small. It grows at most 64 KiB ahead of the bytes that arrived, or
    /// to twice their number, whatever length the header claims.
    ///
    /// After reading `n` bytes into it, call [`filled`](Self::filled), then [`decode`](Self::decode) with the bytes that
    /// were read after them or with an empty input.
    pub fn spare(&mut self) -> Option<&mut [u8]> {
        match &mut self.phase {
            DecoderPhase::Partial(partial) => partial.spare(),
            _ => None,
        }
    }

    /// Reports that the first `n` bytes of [`spare`](Self::spare) were read from the wire.
    pub fn filled(&mut self, n: usize) {
        if let DecoderPhase::Partial(partial) = &mut self.phase {
            partial.filled(n);
        }
    }

    /// Returns whether nothing is kept: no started header, frame or message. A connection that ends now ends between
    /// messages.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, DecoderPhase::Idle)
    }

    /// Returns the inflater, to lend it a context or take one back; see [`Inflater::lend`].
    pub fn inflater(&mut self) -> Option<&mut Inflater> {
        self.inflater.as_deref_mut()
    }

    /// Returns a frame that is complete and valid in the caller's buffer, lent from there. `None` changes nothing, or
    /// leaves the decoder failed.
    #[inline(always)]
    fn quick<'b>(&mut self, input: &mut &'b mut [u8]) -> Option<Incoming<'b>> {
        let Ok(Some((header, head))) = Header::parse(input) else { return None };
        if !is_lendable(&header, input.len() - head) || self.sequence.admit(&header).is_err() {
            return None;
        }
        let (frame, rest) = mem::take(input).split_at_mut(head + header.len as usize);
        *input = rest;
        let incoming = lend(&header, &mut frame[head..]);
        if incoming.is_none() {
            self.phase = DecoderPhase::Failed(FrameError::InvalidUtf8);
        }
        incoming
    }

    #[inline(never)]
    fn slow<'b>(&mut self, input: &mut &'b mut [u8], slot: &mut Result<Option<Incoming<'b>>, FrameError>) {
        *slot = self.advance(input);
        if let Err(error) = slot {
            self.phase = DecoderPhase::Failed(*error);
        }
    }

    /// Decodes what [`quick`](Self::quick) does not handle.
    fn advance<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Incoming<'b>>, FrameError> {
        loop {
            match &mut self.phase {
                DecoderPhase::Failed(error) => return Err(*error),
                DecoderPhase::Closed => {
                    *input = &mut [];
                    return Ok(None);
                }
                DecoderPhase::Idle => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    if let Some((header, head)) = Header::parse(input)?
                        && is_whole(&header, input.len() - head)
                    {
                        self.sequence.admit(&header)?;
                        let (frame, rest) = mem::take(input).split_at_mut(head + header.len as usize);
                        *input = rest;
                        return self.whole(&header, &mut frame[head..]).map(Some);
                    }
                    self.phase = DecoderPhase::Partial(Box::default());
                }
                DecoderPhase::Partial(partial) if partial.frame.is_some() => {
                    if !partial.absorb(input)? {
                        return Ok(None);
                    }
                    let incoming = self.finish_frame()?;
                    self.rest();
                    if incoming.is_some() {
                        return Ok(incoming);
                    }
                }
                DecoderPhase::Partial(partial) => {
                    if input.is_empty() {
                        self.rest();
                        return Ok(None);
                    }
                    let Some(header) = partial.header(input)? else { return Ok(None) };
                    self.sequence.admit(&header)?;
                    if is_whole(&header, input.len()) {
                        let (payload, rest) = mem::take(input).split_at_mut(header.len as usize);
                        *input = rest;
                        self.rest();
                        return self.whole(&header, payload).map(Some);
                    }
                    partial.open(&header);
                }
            }
        }
    }

    /// A control frame or an unfragmented message whose whole payload is in the caller's buffer.
    fn whole<'b>(&mut self, header: &Header, payload: &'b mut [u8]) -> Result<Incoming<'b>, FrameError> {
        if header.opcode != OpCode::Close && !header.rsv1 {
            return lend(header, payload).ok_or(FrameError::InvalidUtf8);
        }
        if let Some(key) = header.mask {
            mask(payload, key, 0);
        }
        if header.opcode == OpCode::Close {
            self.close(payload)
        } else {
            self.inflate(header.opcode, payload)
        }
    }

    /// The open frame has all its payload. A control frame or a finished message comes out.
    fn finish_frame(&mut self) -> Result<Option<Incoming<'static>>, FrameError> {
        let DecoderPhase::Partial(partial) = &mut self.phase else { return Ok(None) };
        let Some(PartialFrame { opcode, fin, .. }) = partial.frame.take() else { return Ok(None) };
        match opcode {
            OpCode::Ping => Ok(Some(Incoming::Ping(Payload::Owned(mem::take(&mut partial.control))))),
            OpCode::Pong => Ok(Some(Incoming::Pong(Payload::Owned(mem::take(&mut partial.control))))),
            OpCode::Close => {
                let payload = mem::take(&mut partial.control);
                self.close(&payload).map(Some)
            }
            _ if !fin => Ok(None),
            _ => {
                let Some(PartialMessage { opcode, compressed, data, utf8, .. }) = partial.body.take() else {
                    return Ok(None);
                };
                if compressed {
                    return self.inflate(opcode, &data).map(Some);
                }
                if opcode == OpCode::Text {
                    utf8.finish()?;
                    return Ok(Some(Incoming::Text(Payload::Owned(data))));
                }
                Ok(Some(Incoming::Binary(Payload::Owned(data))))
            }
        }
    }

    /// Gives the partial state back when nothing is left in it.
    fn rest(&mut self) {
        if let DecoderPhase::Partial(partial) = &self.phase
            && partial.is_empty()
        {
            self.phase = DecoderPhase::Idle;
        }
    }

    #[inline(never)]
    fn inflate(&mut self, opcode: OpCode, compressed: &[u8]) -> Result<Incoming<'static>, FrameError> {
        let Some(inflater) = &mut self.inflater else { return Err(FrameError::ReservedBit) };
        let mut data = Vec::new();
        inflater.inflate(compressed, &mut data)?;
        if opcode == OpCode::Text {
            if !utf8::check(&data) {
                return Err(FrameError::InvalidUtf8);
            }
            return Ok(Incoming::Text(Payload::Owned(data)));
        }
        Ok(Incoming::Binary(Payload::Owned(data)))
    }

    /// RFC 6455 §5.5.1, §7.4
    #[inline(never)]
    fn close(&mut self, payload: &[u8]) -> Result<Incoming<'static>, FrameError> {
        let close = crate::parse_close(payload)?;
        self.phase = DecoderPhase::Closed;
        Ok(Incoming::Close(close))
    }
}

/// Unmasks, checks and lends the payload of a whole frame that is neither compressed nor a Close frame. `None`: it
/// is text, but not UTF-8.
#[inline(always)]
fn lend<'b>(header: &Header, payload: &'b mut [u8]) -> Option<Incoming<'b>> {
    if let Some(key) = header.mask {
        mask(payload, key, 0);
    }
    match header.opcode {
        OpCode::Text if !utf8::check(payload) => None,
        OpCode::Text => Some(Incoming::Text(Payload::Lent(payload))),
        OpCode::Ping => Some(Incoming::Ping(Payload::Lent(payload))),
        OpCode::Pong => Some(Incoming::Pong(Payload::Lent(payload))),
        _ => Some(Incoming::Binary(Payload::Lent(payload))),
    }
}

/// A frame for [`lend`] with all of its payload among the next `available` bytes.
#[inline(always)]
fn is_lendable(header: &Header, available: usize) -> bool {
    is_whole(header, available) && header.opcode != OpCode::Close && !header.rsv1
}

/// A control frame, or a message in one frame, with all of its payload among the next `available` bytes.
#[inline(always)]
fn is_whole(header: &Header, available: usize) -> bool {
    header.len <= available as u64 && header.fin && header.opcode != OpCode::Continuation
}
