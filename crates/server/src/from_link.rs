//! Client → backend: what arrives on a link, cut into units for the backend and packets for the machine.
//!
//! Whole data frames go on to the backend as they came, mask and all: the mask stays the unpredictable one that the
//! client drew (RFC 6455 §5.3), so the payload is neither unmasked nor copied. Packets between them are cut out by
//! closing the gap in the read buffer. Only what needs another shape (fragments, an escaped first character) is
//! built anew, with a fresh mask.

use undrop_frame::{
    CloseCode, Encoder, Ending, FrameError, Header, LocalFault, OpCode, ProtocolFault, Role, mask,
};
use undrop_session::{Misbehaviour, Packet};

/// The first character of a control packet, and of escaped data (PROTOCOL §3).
pub(crate) const MARK: u8 = 0x1f;

/// Why a link cannot go on.
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

/// Where the pieces go.
pub(crate) trait Sink {
    /// A data unit of that many payload bytes arrived: is it new?
    fn data(&mut self, len: usize) -> bool;
    /// A control packet arrived.
    fn packet(&mut self, packet: Packet) -> Result<(), LinkFault>;
    /// Bytes for the backend, in order: whole frames with `units` new units in them.
    fn deliver(&mut self, frames: &[u8], units: u64);
    fn ping(&mut self, payload: &[u8]);
    fn pong(&mut self);
    /// The peer closes this link (not the session).
    fn close(&mut self, code: Option<CloseCode>, reason: &str);
}

/// Parse state of one link. Owns heap memory only while a frame or a fragmented message is incomplete.
#[derive(Debug)]
pub(crate) struct FromLink {
    /// The incomplete frame, from its first header byte on.
    carry: Vec<u8>,
    assembly: Option<Box<Assembly>>,
    max_message: u64,
    /// A Close frame came: nothing behind it is read (RFC 6455 §5.5.1).
    closed: bool,
}

#[derive(Debug)]
struct Assembly {
    text: bool,
    payload: Vec<u8>,
}

/// An outsize frame's buffer grows in these steps as bytes arrive, never by its announced length.
const CARRY_STEP: usize = 64 * 1024;

/// Bytes of `input` between `start` and `end` that go to the backend, with the number of units in them.
struct Run {
    start: usize,
    end: usize,
    units: u64,
}

impl Run {
    fn flush(&mut self, input: &[u8], next: usize, sink: &mut impl Sink) {
        if self.end > self.start {
            sink.deliver(&input[self.start..self.end], self.units);
        }
        *self = Run { start: next, end: next, units: 0 };
    }
}

impl FromLink {
    pub(crate) fn new(max_message: u64) -> FromLink {
        FromLink { carry: Vec::new(), assembly: None, max_message, closed: false }
    }

    /// Takes everything in `input`; an incomplete frame at its end is kept.
    pub(crate) fn take(&mut self, input: &mut [u8], sink: &mut impl Sink) -> Result<(), LinkFault> {
        let mut at = 0;
        if !self.carry.is_empty() {
            at = self.fill_carry(input);
            let Some((header, len)) = Header::parse(&self.carry)? else { return Ok(()) };
            self.check(&header)?;
            if (self.carry.len() as u64) < len as u64 + header.len {
                return Ok(());
            }
            let mut frame = std::mem::take(&mut self.carry);
            self.frames(&mut frame, sink)?;
        }
        self.frames(&mut input[at..], sink)
    }

    /// Moves bytes behind the carry until its frame is whole; returns how many.
    fn fill_carry(&mut self, input: &[u8]) -> usize {
        let mut at = 0;
        loop {
            let total = match Header::parse(&self.carry) {
                Ok(Some((header, len))) if header.len <= self.max_message => len as u64 + header.len,
                // The header is at most 14 bytes, so this runs at most 13 times. An invalid one is reported by the caller.
                Ok(None) if at < input.len() => {
                    self.carry.push(input[at]);
                    at += 1;
                    continue;
                }
                // The caller reports what is wrong.
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

    /// What a frame on a session link must be: masked, not compressed, not too long. Returns its mask.
    fn check(&self, header: &Header) -> Result<[u8; 4], FrameError> {
        if header.rsv1 {
            return Err(FrameError::ReservedBit);
        }
        if header.len > self.max_message {
            return Err(FrameError::MessageTooBig { limit: self.max_message });
        }
        header.mask.ok_or(FrameError::Unmasked)
    }

    fn frames(&mut self, input: &mut [u8], sink: &mut impl Sink) -> Result<(), LinkFault> {
        if self.closed {
            return Ok(());
        }
        let mut at = 0;
        let mut run = Run { start: 0, end: 0, units: 0 };
        let result = loop {
            let (header, head) = match Header::parse(&input[at..]) {
                Ok(Some(found)) => found,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
            };
            let key = match self.check(&header) {
                Ok(key) => key,
                Err(error) => break Err(error.into()),
            };
            let Some(total) = usize::try_from(header.len).ok().and_then(|len| len.checked_add(head)) else {
                break Err(FrameError::MessageTooBig { limit: self.max_message }.into());
            };
            if input.len() - at < total {
                break Ok(());
            }
            let whole_message = header.fin && self.assembly.is_none();
            match header.opcode {
                OpCode::Binary if whole_message => {
                    if sink.data(total - head) {
                        extend(&mut run, input, at, total);
                    }
                }
                OpCode::Text if whole_message && (total == head || input[at + head] ^ key[0] != MARK) => {
                    if sink.data(total - head) {
                        extend(&mut run, input, at, total);
                    }
                }
                OpCode::Text if whole_message => {
                    mask(&mut input[at + head..at + total], key, 0);
                    let payload = &input[at + head..at + total];
                    if payload.get(1) == Some(&MARK) {
                        if sink.data(payload.len() - 1) {
                            let frame = match encode_masked(OpCode::Text, &payload[1..]) {
                                Ok(frame) => frame,
                                Err(error) => break Err(error),
                            };
                            run.flush(input, at + total, sink);
                            sink.deliver(&frame, 1);
                        }
                    } else {
                        // Before the packet is acted on, everything that came before it is handed on.
                        if let Err(error) = parse_packet(payload).and_then(|packet| {
                            run.flush(input, at + total, sink);
                            sink.packet(packet)
                        }) {
                            break Err(error);
                        }
                    }
                }
                OpCode::Text | OpCode::Binary | OpCode::Continuation => {
                    mask(&mut input[at + head..at + total], key, 0);
                    run.flush(input, at + total, sink);
                    let payload = &input[at + head..at + total];
                    if let Err(error) = self.fragment(header, payload, sink) {
                        break Err(error);
                    }
                }
                OpCode::Ping => {
                    mask(&mut input[at + head..at + total], key, 0);
                    sink.ping(&input[at + head..at + total]);
                }
                OpCode::Pong => sink.pong(),
                OpCode::Close => {
                    mask(&mut input[at + head..at + total], key, 0);
                    run.flush(input, at + total, sink);
                    match undrop_frame::parse_close(&input[at + head..at + total]) {
                        Ok(Some((code, reason))) => sink.close(Some(code), &reason),
                        Ok(None) => sink.close(None, ""),
                        Err(error) => break Err(error.into()),
                    }
                    self.closed = true;
                    return Ok(());
                }
            }
            at += total;
        };
        run.flush(input, at, sink);
        result?;
        if at < input.len() {
            self.carry.reserve_exact((input.len() - at).max(16));
            self.carry.extend_from_slice(&input[at..]);
        }
        Ok(())
    }

    /// A piece of a fragmented message, already unmasked.
    fn fragment(&mut self, header: Header, payload: &[u8], sink: &mut impl Sink) -> Result<(), LinkFault> {
        match (&mut self.assembly, header.opcode) {
            (Some(assembly), OpCode::Continuation) => {
                if assembly.payload.len() as u64 + payload.len() as u64 > self.max_message {
                    return Err(FrameError::MessageTooBig { limit: self.max_message }.into());
                }
                assembly.payload.extend_from_slice(payload);
            }
            (None, OpCode::Text | OpCode::Binary) => {
                let text = header.opcode == OpCode::Text;
                self.assembly = Some(Box::new(Assembly { text, payload: payload.to_vec() }));
            }
            _ => return Err(FrameError::UnexpectedContinuation.into()),
        }
        if !header.fin {
            return Ok(());
        }
        let Some(message) = self.assembly.take() else { return Ok(()) };
        let payload = message.payload.as_slice();
        let (opcode, payload) = match (message.text, payload) {
            (true, [MARK, rest @ ..]) if rest.first() != Some(&MARK) => {
                return sink.packet(parse_packet(payload)?);
            }
            (true, [MARK, rest @ ..]) => (OpCode::Text, rest),
            (true, all) => (OpCode::Text, all),
            (false, all) => (OpCode::Binary, all),
        };
        if sink.data(payload.len()) {
            sink.deliver(&encode_masked(opcode, payload)?, 1);
        }
        Ok(())
    }
}

/// Adds the frame at `at` to the run, closing the gap that a cut-out frame left.
fn extend(run: &mut Run, input: &mut [u8], at: usize, total: usize) {
    if run.start == run.end {
        (run.start, run.end) = (at, at);
    }
    if run.end != at {
        input.copy_within(at..at + total, run.end);
    }
    run.end += total;
    run.units += 1;
}

fn parse_packet(payload: &[u8]) -> Result<Packet, LinkFault> {
    let text = std::str::from_utf8(payload).map_err(|_| FrameError::InvalidUtf8)?;
    Ok(Packet::parse(&text[1..])?)
}

/// A frame for the backend with a mask of its own.
pub(crate) fn encode_masked(opcode: OpCode, payload: &[u8]) -> Result<Vec<u8>, LinkFault> {
    let mut key = [0; 4];
    getrandom::fill(&mut key).map_err(LinkFault::Random)?;
    let mut frame = Vec::with_capacity(Header::MAX_LEN + payload.len());
    Encoder::new(Role::Client).plain(opcode, payload, key, &mut frame);
    Ok(frame)
}

#[cfg(test)]
mod tests;
