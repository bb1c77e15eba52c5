//! The reader of one direction of a connection: heads of the handshake, frames, or bytes of another protocol.

use undrop_fault::Side;
use undrop_frame::handshake::{parse_request, parse_response};
use undrop_frame::{Header, Limits, OpCode, Piece as Scanned, Role, Scanner};

use crate::injector::PieceFrame;

/// The maximum length of a head in bytes; a longer one is forwarded unread.
const HEAD: usize = 64 * 1024;

/// The reader of one direction. It buffers an incomplete head (at most 64 KiB) or frame header (at most 13 bytes).
#[derive(Debug)]
pub(super) struct StreamReader {
    from: Side,
    state: ReaderState,
    frames: u64,
    compressed: bool,
    current: Option<PieceFrame>,
    closed: bool,
}

#[derive(Debug)]
enum ReaderState {
    /// An incomplete head of the handshake.
    Head(Vec<u8>),
    /// Frames, and an incomplete header.
    Frames(Box<Scanner>, Vec<u8>),
    Unreadable,
}

/// Received bytes, and the position up to which they are read.
#[derive(Debug)]
pub(super) struct ReadInput {
    pub(super) bytes: Vec<u8>,
    pub(super) at: usize,
}

impl ReadInput {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.rest().to_vec();
        self.at = self.bytes.len();
        rest
    }
}

/// The result of reading.
#[derive(Debug)]
pub(super) enum ReadStep {
    /// A complete head, and its meaning.
    Head(Vec<u8>, HeadKind),
    /// A number of bytes at the front of the input, and their frame if there is one.
    Piece(usize, Option<PieceFrame>),
    /// The stream cannot be read from here on. The bytes are those that were buffered.
    Unreadable(Vec<u8>, Unreadable),
    /// The input is read; an incomplete rest is buffered.
    NeedsInput,
}

/// The meaning of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadKind {
    /// A request for a WebSocket, or the response that opens one.
    WebSocket,
    /// An interim response (1xx); another head follows.
    Interim,
    /// Another request or response of HTTP.
    Other,
}

/// The reason why a stream cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    Tls,
    NotHttp,
    NotFrames,
    /// The handshake ended without a WebSocket.
    NotUpgraded,
}

impl StreamReader {
    pub(super) fn new(from: Side) -> StreamReader {
        StreamReader {
            from,
            state: ReaderState::Head(Vec::new()),
            frames: 0,
            compressed: false,
            current: None,
            closed: false,
        }
    }

    /// Reads from `input` and advances it, except past a [`ReadStep::Piece`], which the caller skips.
    pub(super) fn next(&mut self, input: &mut ReadInput) -> ReadStep {
        match &mut self.state {
            ReaderState::Unreadable => match input.rest().len() {
                0 => ReadStep::NeedsInput,
                len => ReadStep::Piece(len, None),
            },
            ReaderState::Head(kept) => {
                kept.extend_from_slice(input.rest());
                input.at = input.bytes.len();
                if kept.is_empty() { ReadStep::NeedsInput } else { self.head(input) }
            }
            ReaderState::Frames(scanner, kept) => {
                if !kept.is_empty() {
                    kept.extend_from_slice(input.rest());
                    *input = ReadInput { bytes: std::mem::take(kept), at: 0 };
                }
                match scanner.next(input.rest()) {
                    Ok(Some(Scanned::Header { header, len })) => {
                        ReadStep::Piece(len, Some(self.start_frame(header, len)))
                    }
                    Ok(Some(Scanned::Payload { len, .. })) => {
                        let frame = self.current;
                        if let Some(current) = &mut self.current {
                            current.at += len as u64;
                        }
                        ReadStep::Piece(len, frame)
                    }
                    Ok(None) => {
                        // No input, or an incomplete header.
                        *kept = input.take_rest();
                        ReadStep::NeedsInput
                    }
                    Err(_) => self.unreadable(input.take_rest(), Unreadable::NotFrames),
                }
            }
        }
    }

    /// Reads frames from here on: the handshake is complete.
    pub(super) fn start_frames(&mut self) {
        // Data from a client is read as a server would. The endpoints check whether RSV1 was negotiated.
        let role = if self.from == Side::A { Role::Server } else { Role::Client };
        self.state = ReaderState::Frames(Box::new(Scanner::new(role, Limits::NONE, true)), Vec::new());
    }

    /// Stops reading and returns the buffered bytes.
    pub(super) fn give_up(&mut self) -> Vec<u8> {
        match std::mem::replace(&mut self.state, ReaderState::Unreadable) {
            ReaderState::Head(kept) | ReaderState::Frames(_, kept) => kept,
            ReaderState::Unreadable => Vec::new(),
        }
    }

    /// Returns whether the reader waits for a head.
    pub(super) fn in_handshake(&self) -> bool {
        matches!(self.state, ReaderState::Head(_))
    }

    /// Returns whether a Close frame can be inserted here: between two frames of a WebSocket that is not closed.
    pub(super) fn accepts_close(&self) -> bool {
        matches!(&self.state, ReaderState::Frames(scanner, kept) if scanner.at_boundary() && kept.is_empty())
            && !self.closed
    }

    /// Returns whether the reader is inside a frame.
    pub(super) fn in_frame(&self) -> bool {
        matches!(&self.state, ReaderState::Frames(scanner, kept) if !scanner.at_boundary() || !kept.is_empty())
            && !self.closed
    }

    fn head(&mut self, input: &mut ReadInput) -> ReadStep {
        let ReaderState::Head(kept) = &mut self.state else { return ReadStep::NeedsInput };
        let client = self.from == Side::A;
        if kept.first() == Some(&0x16) {
            let kept = std::mem::take(kept);
            return self.unreadable(kept, Unreadable::Tls);
        }
        let expected: &[u8] = if client { b"GET " } else { b"HTTP/1." };
        let len = kept.len().min(expected.len());
        if kept[..len] != expected[..len] {
            let kept = std::mem::take(kept);
            return self.unreadable(kept, Unreadable::NotHttp);
        }
        let parsed = if client {
            parse_request(kept, HEAD).map(|parsed| {
                parsed.map(|(head, len)| match head.headers.has_token("Upgrade", "websocket") {
                    true => (len, HeadKind::WebSocket),
                    false => (len, HeadKind::Other),
                })
            })
        } else {
            parse_response(kept, HEAD).map(|parsed| {
                parsed.map(|(head, len)| match head.status {
                    101 => (len, HeadKind::WebSocket),
                    100..=199 => (len, HeadKind::Interim),
                    _ => (len, HeadKind::Other),
                })
            })
        };
        match parsed {
            Ok(None) => ReadStep::NeedsInput,
            Ok(Some((len, outcome))) => {
                *input = ReadInput { bytes: kept.split_off(len), at: 0 };
                ReadStep::Head(std::mem::take(kept), outcome)
            }
            Err(_) => {
                let kept = std::mem::take(kept);
                self.unreadable(kept, Unreadable::NotHttp)
            }
        }
    }

    fn unreadable(&mut self, kept: Vec<u8>, why: Unreadable) -> ReadStep {
        self.state = ReaderState::Unreadable;
        ReadStep::Unreadable(kept, why)
    }

    /// Starts a frame, of which the header is the first piece.
    fn start_frame(&mut self, header: Header, len: usize) -> PieceFrame {
        self.frames += 1;
        if matches!(header.opcode, OpCode::Text | OpCode::Binary) {
            self.compressed = header.rsv1;
        }
        self.closed |= header.opcode == OpCode::Close;
        let frame = PieceFrame {
            header,
            number: self.frames,
            compressed: self.compressed && !header.opcode.is_control(),
            at: 0,
            len: len as u64 + header.len,
        };
        self.current = Some(PieceFrame { at: len as u64, ..frame });
        frame
    }
}
