//! Client → backend: finds units for the backend and packets for the machine in the bytes of a link.
//!
//! A whole data frame goes to the backend as it arrived, masked: the mask remains the unpredictable one that the client
//! drew (RFC 6455 §5.3), so the payload is neither unmasked nor copied. Packets between such frames are removed by closing
//! the gap in the read buffer. Only a message that needs another shape (fragments, an escaped first character) is encoded
//! again, with a fresh mask.

use std::ops::Range;

use undrop_frame::{
    CloseCode, Encoder, Ending, FrameError, Header, Limits, LocalFault, OpCode, ProtocolFault, Role,
    Sequence, mask,
};
use undrop_session::{Misbehaviour, Packet, TextKind};

/// The reason why a link cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkFault {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Misbehaviour(#[from] Misbehaviour),
    #[error("the operating system gave no random bytes: {0}")]
    Random(getrandom::Error),
}

impl LinkFault {
    pub(crate) fn ending(&self) -> Ending {
        match self {
            LinkFault::Frame(error) => (*error).into(),
            LinkFault::Misbehaviour(fault) => ProtocolFault::Session(fault.to_string()).into(),
            LinkFault::Random(_) => LocalFault::Io { code: None, message: self.to_string() }.into(),
        }
    }

    pub(crate) fn close_code(&self) -> CloseCode {
        match self {
            LinkFault::Frame(error) => error.close_code(),
            LinkFault::Random(_) => CloseCode::INTERNAL_ERROR,
            LinkFault::Misbehaviour(error) => error.close_code(),
        }
    }
}

/// One element of what a client sent.
#[derive(Debug)]
pub(crate) enum LinkPiece {
    /// A data message in one frame, which goes to the backend as it is.
    Unit {
        frame: Span,
        /// The length of its payload, in bytes.
        len: usize,
    },
    /// The payload of a data message that needs a new frame; see [`encode_masked`].
    Rebuilt {
        opcode: OpCode,
        payload: Span,
    },
    /// A control packet of the client.
    Packet(Packet),
    Ping(Span),
    Pong,
    /// The client closes this link (not the session). Nothing follows.
    Close {
        code: Option<CloseCode>,
        reason: String,
    },
}

/// The bytes of a piece: part of the input, or separate memory if they arrived in several reads.
#[derive(Debug, Clone)]
pub(crate) enum Span {
    Input(Range<usize>),
    Owned { bytes: Vec<u8>, start: usize },
}

impl Span {
    pub(crate) fn len(&self) -> usize {
        match self {
            Span::Input(range) => range.len(),
            Span::Owned { bytes, start } => bytes.len() - start,
        }
    }

    /// Removes `n` bytes at the front.
    fn skip(self, n: usize) -> Span {
        match self {
            Span::Input(range) => Span::Input(range.start + n..range.end),
            Span::Owned { bytes, start } => Span::Owned { bytes, start: start + n },
        }
    }
}

/// The bytes of one read of a link, with the frames in them that go to the backend as they are.
#[derive(Debug)]
pub(crate) struct LinkInput<'b> {
    bytes: &'b mut [u8],
    /// The start of the bytes that were not parsed yet.
    at: usize,
    /// The frames that [`keep`](Self::keep) put together.
    run: Range<usize>,
    /// The number of units in `run`.
    units: u64,
}

impl<'b> LinkInput<'b> {
    pub(crate) fn new(bytes: &'b mut [u8]) -> LinkInput<'b> {
        LinkInput { bytes, at: 0, run: 0..0, units: 0 }
    }

    /// Appends a unit to the run, closing the gap that removed frames left.
    #[inline]
    pub(crate) fn keep(&mut self, frame: Range<usize>) {
        if self.run.is_empty() {
            self.run = frame.start..frame.start;
        }
        let end = self.run.end + frame.len();
        if self.run.end != frame.start {
            self.bytes.copy_within(frame, self.run.end);
        }
        self.run.end = end;
        self.units += 1;
    }

    /// Takes the run: the bytes for the backend and the number of units in them.
    pub(crate) fn take_run(&mut self) -> (&[u8], u64) {
        let run = std::mem::replace(&mut self.run, 0..0);
        (&self.bytes[run], std::mem::take(&mut self.units))
    }

    pub(crate) fn get<'s>(&'s self, span: &'s Span) -> &'s [u8] {
        match span {
            Span::Input(range) => &self.bytes[range.clone()],
            Span::Owned { bytes, start } => &bytes[*start..],
        }
    }

    fn get_mut<'s>(&'s mut self, span: &'s mut Span) -> &'s mut [u8] {
        match span {
            Span::Input(range) => &mut self.bytes[range.clone()],
            Span::Owned { bytes, start } => &mut bytes[*start..],
        }
    }
}

/// The parser of one link. It owns heap memory only while a frame or a fragmented message is incomplete.
#[derive(Debug)]
pub(crate) struct FromLink {
    /// The incomplete frame, from its first header byte on.
    carry: Vec<u8>,
    assembly: Option<Box<Assembly>>,
    sequence: Sequence,
    /// A Close frame came: everything after it is ignored (RFC 6455 §5.5.1).
    closed: bool,
}

/// An incomplete fragmented message.
#[derive(Debug)]
struct Assembly {
    opcode: OpCode,
    payload: Vec<u8>,
}

/// A complete frame that follows the rules.
struct Frame {
    header: Header,
    /// The length of the header, in bytes.
    head: usize,
    span: Span,
}

/// The buffer of an outsize frame grows in these steps as bytes arrive, never by its announced length.
const CARRY_STEP: usize = 64 * 1024;

impl FromLink {
    pub(crate) fn new(max_message: u64) -> FromLink {
        let limits = Limits { frame: u64::MAX, message: max_message };
        let sequence = Sequence::new(Role::Server, limits, false);
        FromLink { carry: Vec::new(), assembly: None, sequence, closed: false }
    }

    /// Returns the next piece. After `None` all of the input is used; an incomplete frame at its end is kept here.
    ///
    /// # Errors
    /// The client broke the protocol. The pieces before remain valid, the parser is of no further use.
    #[inline]
    pub(crate) fn next(&mut self, input: &mut LinkInput<'_>) -> Result<Option<LinkPiece>, LinkFault> {
        while !self.closed {
            let Some(frame) = self.next_frame(input)? else { return Ok(None) };
            if let Some(piece) = self.piece(frame, input)? {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    #[inline]
    fn next_frame(&mut self, input: &mut LinkInput<'_>) -> Result<Option<Frame>, FrameError> {
        if !self.carry.is_empty() {
            return self.next_carried_frame(input);
        }
        let rest = &input.bytes[input.at..];
        if let Some((header, head)) = Header::parse(rest)? {
            if let Some(total) = frame_len(&header, head).filter(|total| *total <= rest.len()) {
                self.sequence.admit(&header)?;
                let span = Span::Input(input.at..input.at + total);
                input.at += total;
                return Ok(Some(Frame { header, head, span }));
            }
            self.sequence.check(&header)?;
        }
        if !rest.is_empty() {
            self.carry.reserve_exact(rest.len().max(16));
            self.carry.extend_from_slice(rest);
            input.at = input.bytes.len();
        }
        Ok(None)
    }

    /// Completes the frame whose start an earlier read brought.
    fn next_carried_frame(&mut self, input: &mut LinkInput<'_>) -> Result<Option<Frame>, FrameError> {
        input.at += self.fill_carry(&input.bytes[input.at..]);
        let Some((header, head)) = Header::parse(&self.carry)? else { return Ok(None) };
        if frame_len(&header, head).is_none_or(|total| self.carry.len() < total) {
            self.sequence.check(&header)?;
            return Ok(None);
        }
        self.sequence.admit(&header)?;
        let bytes = std::mem::take(&mut self.carry);
        Ok(Some(Frame { header, head, span: Span::Owned { bytes, start: 0 } }))
    }

    /// Moves bytes to the carry until its frame is complete; returns how many.
    fn fill_carry(&mut self, input: &[u8]) -> usize {
        let mut at = 0;
        loop {
            let total = match Header::parse(&self.carry) {
                Ok(Some((header, head))) if self.sequence.check(&header).is_ok() => head as u64 + header.len,
                // The header is at most 14 bytes, so this runs at most 13 times. An invalid one is reported by the caller.
                Ok(None) if at < input.len() => {
                    self.carry.push(input[at]);
                    at += 1;
                    continue;
                }
                // The caller reports the fault.
                Ok(_) | Err(_) => return at,
            };
            let missing = usize::try_from(total - self.carry.len() as u64).unwrap_or(usize::MAX);
            let take = missing.min(input.len() - at);
            if self.carry.capacity() < self.carry.len() + take {
                // Exact at the end, stepwise before: an announced length alone reserves one step at most.
                self.carry.reserve_exact(missing.min(take.max(CARRY_STEP).max(self.carry.len())));
            }
            self.carry.extend_from_slice(&input[at..at + take]);
            return at + take;
        }
    }

    /// Interprets a frame; `None` for a fragment that does not complete its message.
    #[inline]
    fn piece(&mut self, frame: Frame, input: &mut LinkInput<'_>) -> Result<Option<LinkPiece>, LinkFault> {
        let Frame { header, head, mut span } = frame;
        let Some(key) = header.mask else { return Err(FrameError::Unmasked.into()) };
        let payload = &mut input.get_mut(&mut span)[head..];
        Ok(Some(match header.opcode {
            OpCode::Binary if header.fin => LinkPiece::Unit { len: payload.len(), frame: span },
            OpCode::Text if header.fin => match masked_text_kind(payload, key) {
                TextKind::Data => LinkPiece::Unit { len: payload.len(), frame: span },
                TextKind::EscapedData => {
                    mask(payload, key, 0);
                    LinkPiece::Rebuilt { opcode: OpCode::Text, payload: span.skip(head + 1) }
                }
                TextKind::Packet => {
                    mask(payload, key, 0);
                    LinkPiece::Packet(parse_packet(payload)?)
                }
            },
            OpCode::Text | OpCode::Binary | OpCode::Continuation => {
                mask(payload, key, 0);
                return self.fragment(&header, payload);
            }
            OpCode::Ping => {
                mask(payload, key, 0);
                LinkPiece::Ping(span.skip(head))
            }
            OpCode::Pong => LinkPiece::Pong,
            OpCode::Close => {
                mask(payload, key, 0);
                let close = undrop_frame::parse_close(payload)?;
                self.closed = true;
                let (code, reason) =
                    close.map_or((None, String::new()), |(code, reason)| (Some(code), reason));
                LinkPiece::Close { code, reason }
            }
        }))
    }

    /// Adds an unmasked fragment to its message.
    fn fragment(&mut self, header: &Header, payload: &[u8]) -> Result<Option<LinkPiece>, LinkFault> {
        match &mut self.assembly {
            Some(assembly) => assembly.payload.extend_from_slice(payload),
            None => {
                let assembly = Assembly { opcode: header.opcode, payload: payload.to_vec() };
                self.assembly = Some(Box::new(assembly));
            }
        }
        if !header.fin {
            return Ok(None);
        }
        let Some(message) = self.assembly.take() else { return Ok(None) };
        let Assembly { opcode, payload } = *message;
        let kind = if opcode == OpCode::Text { text_kind(&payload) } else { TextKind::Data };
        let start = match kind {
            TextKind::Packet => return Ok(Some(LinkPiece::Packet(parse_packet(&payload)?))),
            TextKind::EscapedData => 1,
            TextKind::Data => 0,
        };
        Ok(Some(LinkPiece::Rebuilt { opcode, payload: Span::Owned { bytes: payload, start } }))
    }
}

/// Returns the length of a whole frame, in bytes; `None` if it does not fit the address space.
#[inline]
fn frame_len(header: &Header, head: usize) -> Option<usize> {
    usize::try_from(header.len).ok()?.checked_add(head)
}

fn text_kind(payload: &[u8]) -> TextKind {
    TextKind::of(payload, true).unwrap_or(TextKind::Data)
}

/// The kind of a text whose payload is still masked: its first two bytes decide.
#[inline]
fn masked_text_kind(payload: &[u8], key: [u8; 4]) -> TextKind {
    match *payload {
        [] => TextKind::Data,
        [first] => text_kind(&[first ^ key[0]]),
        [first, second, ..] => text_kind(&[first ^ key[0], second ^ key[1]]),
    }
}

fn parse_packet(payload: &[u8]) -> Result<Packet, LinkFault> {
    let text = std::str::from_utf8(payload).map_err(|_| FrameError::InvalidUtf8)?;
    Ok(Packet::parse(&text[1..])?)
}

/// Encodes a frame for the backend, with a fresh mask.
///
/// # Errors
/// The operating system gave no random bytes.
pub(crate) fn encode_masked(opcode: OpCode, payload: &[u8]) -> Result<Vec<u8>, LinkFault> {
    let mut key = [0; 4];
    getrandom::fill(&mut key).map_err(LinkFault::Random)?;
    let mut frame = Vec::with_capacity(Header::MAX_LEN + payload.len());
    Encoder::new(Role::Client).plain(opcode, payload, key, &mut frame);
    Ok(frame)
}

#[cfg(test)]
mod tests;
