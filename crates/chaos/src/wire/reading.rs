//! What one direction of a connection carries: a head of the handshake, frames, or bytes that are none of ours.

use undrop_fault::Side;
use undrop_frame::handshake::{parse_request, parse_response};
use undrop_frame::{Header, Limits, OpCode, Piece as Scanned, Role, Scanner};

use crate::interpose::Frame;

/// Longest head that is waited for; what is longer passes unread.
const HEAD: usize = 64 * 1024;

/// The reader of one direction. It keeps an incomplete head (at most 64 KiB) or frame header (at most 13 bytes).
#[derive(Debug)]
pub(super) struct Reading {
    from: Side,
    state: State,
    frames: u64,
    compressed: bool,
    current: Option<Frame>,
    closed: bool,
}

#[derive(Debug)]
enum State {
    /// An incomplete head.
    Head(Vec<u8>),
    /// Frames; the bytes are an incomplete header.
    Frames(Box<Scanner>, Vec<u8>),
    Opaque,
}

/// Bytes that were received, and how far they are read.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) bytes: Vec<u8>,
    pub(super) at: usize,
}

impl Input {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self) -> Vec<u8> {
        let rest = self.rest().to_vec();
        self.at = self.bytes.len();
        rest
    }
}

/// What was read.
#[derive(Debug)]
pub(super) enum Step {
    /// A whole head; its fate decides what follows.
    Head(Vec<u8>, Outcome),
    /// Bytes at the front of the input, of a frame or (`None`) of nothing known.
    Piece(usize, Option<Frame>),
    /// No frames and no handshake from here on; what was held back so far.
    Opaque(Vec<u8>, Opaque),
    /// All is read; what is incomplete is kept.
    More,
}

/// What a head means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A request for a WebSocket, or the answer that opens one.
    WebSocket,
    /// Another head follows (1xx).
    Interim,
    /// Something else of HTTP.
    Other,
}

/// Why a stream cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opaque {
    Tls,
    NotHttp,
    NotFrames,
    /// The other direction said so.
    Told,
}

impl Reading {
    pub(super) fn new(from: Side) -> Reading {
        Reading {
            from,
            state: State::Head(Vec::new()),
            frames: 0,
            compressed: false,
            current: None,
            closed: false,
        }
    }

    /// The next step for `input`, which is moved past what was taken out of it for any step but [`Step::Piece`]; the
    /// caller moves past that.
    pub(super) fn next(&mut self, input: &mut Input) -> Step {
        match &mut self.state {
            State::Opaque => match input.rest().len() {
                0 => Step::More,
                len => Step::Piece(len, None),
            },
            State::Head(kept) => {
                kept.extend_from_slice(input.rest());
                input.at = input.bytes.len();
                if kept.is_empty() { Step::More } else { self.head(input) }
            }
            State::Frames(scanner, kept) => {
                if !kept.is_empty() {
                    kept.extend_from_slice(input.rest());
                    *input = Input { bytes: std::mem::take(kept), at: 0 };
                }
                match scanner.next(input.rest()) {
                    Ok(Some(Scanned::Header { header, len })) => {
                        Step::Piece(len, Some(self.begin(header, len)))
                    }
                    Ok(Some(Scanned::Payload { len, .. })) => {
                        let frame = self.current;
                        if let Some(current) = &mut self.current {
                            current.at += len as u64;
                        }
                        Step::Piece(len, frame)
                    }
                    Ok(None) => {
                        // Nothing, or an incomplete header.
                        *kept = input.take();
                        Step::More
                    }
                    Err(_) => self.opaque(input.take(), Opaque::NotFrames),
                }
            }
        }
    }

    /// The stream behind a head of the handshake is frames.
    pub(super) fn frames(&mut self) {
        // We read what a client sent as a server would. Whether RSV1 was agreed on is for the ends to judge.
        let role = if self.from == Side::A { Role::Server } else { Role::Client };
        self.state = State::Frames(Box::new(Scanner::new(role, Limits::NONE, true)), Vec::new());
    }

    /// Gives the reading up; what was held back.
    pub(super) fn give_up(&mut self) -> Vec<u8> {
        match std::mem::replace(&mut self.state, State::Opaque) {
            State::Head(kept) | State::Frames(_, kept) => kept,
            State::Opaque => Vec::new(),
        }
    }

    /// Waits for a head still.
    pub(super) fn in_handshake(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// A Close frame may be put in here: between two frames of a WebSocket that is not closed.
    pub(super) fn takes_close(&self) -> bool {
        matches!(&self.state, State::Frames(scanner, kept) if scanner.at_boundary() && kept.is_empty())
            && !self.closed
    }

    /// Frames, in the middle of one.
    pub(super) fn in_frame(&self) -> bool {
        matches!(&self.state, State::Frames(scanner, kept) if !scanner.at_boundary() || !kept.is_empty())
            && !self.closed
    }

    fn head(&mut self, input: &mut Input) -> Step {
        let State::Head(kept) = &mut self.state else { return Step::More };
        let client = self.from == Side::A;
        if kept.first() == Some(&0x16) {
            let kept = std::mem::take(kept);
            return self.opaque(kept, Opaque::Tls);
        }
        let expected: &[u8] = if client { b"GET " } else { b"HTTP/1." };
        let len = kept.len().min(expected.len());
        if kept[..len] != expected[..len] {
            let kept = std::mem::take(kept);
            return self.opaque(kept, Opaque::NotHttp);
        }
        let parsed = if client {
            parse_request(kept, HEAD).map(|parsed| {
                parsed.map(|(head, len)| match head.headers.has_token("Upgrade", "websocket") {
                    true => (len, Outcome::WebSocket),
                    false => (len, Outcome::Other),
                })
            })
        } else {
            parse_response(kept, HEAD).map(|parsed| {
                parsed.map(|(head, len)| match head.status {
                    101 => (len, Outcome::WebSocket),
                    100..=199 => (len, Outcome::Interim),
                    _ => (len, Outcome::Other),
                })
            })
        };
        match parsed {
            Ok(None) => Step::More,
            Ok(Some((len, outcome))) => {
                *input = Input { bytes: kept.split_off(len), at: 0 };
                Step::Head(std::mem::take(kept), outcome)
            }
            Err(_) => {
                let kept = std::mem::take(kept);
                self.opaque(kept, Opaque::NotHttp)
            }
        }
    }

    fn opaque(&mut self, kept: Vec<u8>, why: Opaque) -> Step {
        self.state = State::Opaque;
        Step::Opaque(kept, why)
    }

    /// A frame begins; its header is the first piece.
    fn begin(&mut self, header: Header, len: usize) -> Frame {
        self.frames += 1;
        if matches!(header.opcode, OpCode::Text | OpCode::Binary) {
            self.compressed = header.rsv1;
        }
        self.closed |= header.opcode == OpCode::Close;
        let frame = Frame {
            header,
            number: self.frames,
            compressed: self.compressed && !header.opcode.is_control(),
            at: 0,
            len: len as u64 + header.len,
        };
        self.current = Some(Frame { at: len as u64, ..frame });
        frame
    }
}
