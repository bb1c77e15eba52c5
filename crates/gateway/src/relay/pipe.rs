//! One direction of a relay: bytes go on as they came, frame boundaries are tracked.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use undrop_frame::{FrameError, OpCode, Piece, Role, Scanner, mask};
use undrop_transport::{Ending, Stream, ending_of, scratch};

use super::RelayOptions;

/// What a Ping of ours carries: a name, and four bytes that are the relay's own, so that the answer to somebody else's
/// Ping (another gateway's behind this one, say) is not taken for ours.
pub(super) type Nonce = [u8; 11];

/// A masked frame with a [`Nonce`].
const ANSWER: usize = 2 + 4 + size_of::<Nonce>();

/// See the module documentation.
pub(super) struct Pipe {
    pub(super) scanner: Scanner,
    /// An incomplete header or answer to a Ping, read but not forwarded.
    stash: [u8; ANSWER - 1],
    pub(super) stashed: u8,
    /// A Close frame has gone through.
    pub(super) closed: bool,
    /// A Close frame is not to go through: it ends the input.
    pub(super) hold_close: bool,
    /// No more input is read.
    pub(super) done: bool,
    /// The sink holds bytes that its socket did not take yet (a TLS layer does).
    unflushed: bool,
    /// What the receiving socket did not take yet; at most one read.
    pub(super) pending: Vec<u8>,
    sent: usize,
}

pub(super) enum Step {
    /// Something moved.
    Moved,
    Waiting,
    /// The side that is read from ended.
    SourceEnded(Ending),
    /// The side that is written to ended.
    SinkEnded(Ending),
    /// The side that is read from broke a rule of RFC 6455.
    Violation(FrameError),
}

impl Pipe {
    pub(super) fn new(role: Role, options: RelayOptions) -> Pipe {
        Pipe {
            scanner: Scanner::new(role, options.limits, options.compressed),
            stash: [0; ANSWER - 1],
            stashed: 0,
            closed: false,
            hold_close: false,
            done: false,
            unflushed: false,
            pending: Vec::new(),
            sent: 0,
        }
    }

    /// Takes bytes that were read together with the handshake. At a violation, what came before it still goes on.
    pub(super) fn preload(&mut self, mut bytes: Vec<u8>) -> Result<(), FrameError> {
        let (forward, verdict) = match self.filter(&mut bytes, None) {
            Ok((forward, rest)) => {
                self.stash(&bytes[rest..]);
                (forward, Ok(()))
            }
            Err((forward, error)) => (forward, Err(error)),
        };
        bytes.truncate(forward);
        self.pending = bytes;
        verdict
    }

    /// Puts a frame of ours behind what is pending.
    pub(super) fn queue(&mut self, frame: &[u8]) {
        self.pending.extend_from_slice(frame);
    }

    /// What the sink still has to get.
    pub(super) fn take_pending(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending).split_off(self.sent)
    }

    fn stash(&mut self, rest: &[u8]) {
        let len = rest.len().min(self.stash.len());
        self.stash[..len].copy_from_slice(&rest[..len]);
        self.stashed = len as u8;
    }

    /// Moves what can be moved. `swallow`: answers to Pings with this nonce are ours and go no further.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        sink: &mut Stream,
        swallow: Option<&Nonce>,
    ) -> Step {
        if !self.pending.is_empty() {
            match self.write_pending(cx, sink) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Step::SinkEnded(ending_of(&error)),
                Poll::Pending => return Step::Waiting,
            }
        }
        if self.unflushed
            && let Err(error) = self.flush(cx, sink)
        {
            return Step::SinkEnded(ending_of(&error));
        }
        if self.done {
            return Step::Waiting;
        }
        scratch::with(|buffer| {
            let stashed = usize::from(self.stashed);
            buffer[..stashed].copy_from_slice(&self.stash[..stashed]);
            let mut read = ReadBuf::new(&mut buffer[stashed..]);
            match Pin::new(source).poll_read(cx, &mut read) {
                Poll::Pending => return Step::Waiting,
                Poll::Ready(Err(error)) => return Step::SourceEnded(ending_of(&error)),
                Poll::Ready(Ok(())) => {}
            }
            let got = read.filled().len();
            if got == 0 {
                return Step::SourceEnded(Ending::Fin);
            }
            let bytes = &mut buffer[..stashed + got];
            let (forward, violation) = match self.filter(bytes, swallow) {
                Ok((forward, rest)) => {
                    self.stash(&bytes[rest..]);
                    (forward, None)
                }
                Err((forward, error)) => {
                    // Nobody knows where the next frame would begin.
                    self.done = true;
                    (forward, Some(error))
                }
            };
            match self.forward(cx, sink, &bytes[..forward]) {
                Ok(()) => violation.map_or(Step::Moved, Step::Violation),
                Err(error) => Step::SinkEnded(ending_of(&error)),
            }
        })
    }

    /// Looks at every header in `bytes`. Returns how many bytes from the front go on (answers to our own Pings are
    /// cut out by closing the gap) and where the incomplete header at the end begins; at a violation, what came
    /// before it still goes on.
    fn filter(
        &mut self,
        bytes: &mut [u8],
        swallow: Option<&Nonce>,
    ) -> Result<(usize, usize), (usize, FrameError)> {
        let (mut at, mut out) = (0, 0);
        loop {
            let whole = self.scanner.whole_messages(&bytes[at..]);
            if whole > 0 && out != at {
                bytes.copy_within(at..at + whole, out);
            }
            at += whole;
            out += whole;
            if (swallow.is_some() || self.hold_close) && self.scanner.at_boundary() {
                let frame = &bytes[at..];
                if self.hold_close && frame.first().is_some_and(|first| first & 0x0f == OpCode::Close as u8) {
                    self.done = true;
                    return Ok((out, bytes.len()));
                }
                match swallow.map(|nonce| answers(frame, nonce)) {
                    Some(Some(true)) => {
                        // Header and payload.
                        for part in [0, ANSWER - size_of::<Nonce>()] {
                            self.scanner.next(&frame[part..ANSWER]).map_err(|error| (out, error))?;
                        }
                        at += ANSWER;
                        continue;
                    }
                    Some(None) => return Ok((out, at)),
                    Some(Some(false)) | None => {}
                }
            }
            let piece = match self.scanner.next(&bytes[at..]) {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok((out, at)),
                Err(error) => return Err((out, error)),
            };
            let len = match piece {
                Piece::Payload { len, .. } => len,
                Piece::Header { header, len } => {
                    self.closed |= header.opcode == OpCode::Close;
                    len
                }
            };
            if out != at {
                bytes.copy_within(at..at + len, out);
            }
            at += len;
            out += len;
        }
    }

    /// Writes what the socket takes and keeps the rest.
    fn forward(&mut self, cx: &mut Context<'_>, sink: &mut Stream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match Pin::new(&mut *sink).poll_write(cx, bytes)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(n) => bytes = &bytes[n..],
                Poll::Pending => {
                    self.pending.extend_from_slice(bytes);
                    return Ok(());
                }
            }
        }
        self.flush(cx, sink)
    }

    fn write_pending(&mut self, cx: &mut Context<'_>, sink: &mut Stream) -> Poll<io::Result<()>> {
        while self.sent < self.pending.len() {
            match Pin::new(&mut *sink).poll_write(cx, &self.pending[self.sent..])? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(n) => self.sent += n,
                Poll::Pending => return Poll::Pending,
            }
        }
        (self.pending, self.sent) = (Vec::new(), 0);
        self.unflushed = true;
        Poll::Ready(Ok(()))
    }

    fn flush(&mut self, cx: &mut Context<'_>, sink: &mut Stream) -> io::Result<()> {
        self.unflushed = Pin::new(sink).poll_flush(cx)?.is_pending();
        Ok(())
    }
}

/// Whether the frame is the answer to a Ping with this nonce; None: it begins like one, and more of it is needed.
fn answers(frame: &[u8], nonce: &Nonce) -> Option<bool> {
    let head = [0x80 | OpCode::Pong as u8, 0x80 | size_of::<Nonce>() as u8];
    let known = frame.len().min(head.len());
    if frame[..known] != head[..known] {
        return Some(false);
    }
    let &[_, _, a, b, c, d, ref payload @ ..] = frame.get(..ANSWER)? else { return Some(false) };
    let mut seen = [0; size_of::<Nonce>()];
    seen.copy_from_slice(payload);
    mask(&mut seen, [a, b, c, d], 0);
    Some(seen == *nonce)
}
