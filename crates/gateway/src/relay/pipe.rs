//! One direction of a relay: bytes are forwarded unchanged, and frame boundaries are tracked.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use undrop_frame::{FrameError, OpCode, Piece, Role, Scanner, mask};
use undrop_transport::{Ending, Stream, ending_of, scratch};

use super::RelayOptions;

/// The payload of a Ping from the gateway: a name and four random bytes of the relay. They distinguish the reply from the
/// reply to a Ping of another origin, for example of another gateway after this one.
pub(super) type Nonce = [u8; 11];

/// The length of a masked Pong frame with a [`Nonce`].
const PONG_LEN: usize = 2 + 4 + size_of::<Nonce>();

/// The state of one direction.
pub(super) struct RelayPipe {
    pub(super) scanner: Scanner,
    /// An incomplete header or Pong that was read but not forwarded.
    stash: [u8; PONG_LEN - 1],
    pub(super) stashed: u8,
    /// A Close frame was forwarded.
    pub(super) closed: bool,
    /// A Close frame is not forwarded; it ends the input.
    pub(super) hold_close: bool,
    /// The input is no longer read.
    pub(super) done: bool,
    /// The sink may hold bytes that are not yet in its socket, as a TLS layer does.
    unflushed: bool,
    /// The bytes that the sink has not accepted yet; at most those of one read.
    pub(super) pending: Vec<u8>,
    sent: usize,
}

/// The result of [`RelayPipe::poll`].
pub(super) enum PipeStep {
    /// Some data was forwarded.
    Moved,
    /// The task is woken when there is more to do.
    Waiting,
    /// The connection that is read from ended.
    SourceEnded(Ending),
    /// The connection that is written to ended.
    SinkEnded(Ending),
    /// The input violates RFC 6455.
    Violation(FrameError),
}

impl RelayPipe {
    pub(super) fn new(role: Role, options: RelayOptions) -> RelayPipe {
        RelayPipe {
            scanner: Scanner::new(role, options.limits, options.compressed),
            stash: [0; PONG_LEN - 1],
            stashed: 0,
            closed: false,
            hold_close: false,
            done: false,
            unflushed: false,
            pending: Vec::new(),
            sent: 0,
        }
    }

    /// Adds bytes that were read together with the handshake. Bytes before a violation are still forwarded.
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

    /// Appends a frame of the gateway to the pending bytes.
    pub(super) fn queue(&mut self, frame: &[u8]) {
        self.pending.extend_from_slice(frame);
    }

    /// Returns the bytes that are still to be written to the sink.
    pub(super) fn take_pending(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending).split_off(self.sent)
    }

    fn stash(&mut self, rest: &[u8]) {
        let len = rest.len().min(self.stash.len());
        self.stash[..len].copy_from_slice(&rest[..len]);
        self.stashed = len as u8;
    }

    /// Forwards what is available. Pongs with the nonce `swallow` reply to the gateway's own Pings and are removed.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        sink: &mut Stream,
        swallow: Option<&Nonce>,
    ) -> PipeStep {
        if !self.pending.is_empty() {
            match self.write_pending(cx, sink) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return PipeStep::SinkEnded(ending_of(&error)),
                Poll::Pending => return PipeStep::Waiting,
            }
        }
        if self.unflushed
            && let Err(error) = self.flush(cx, sink)
        {
            return PipeStep::SinkEnded(ending_of(&error));
        }
        if self.done {
            return PipeStep::Waiting;
        }
        scratch::with(|buffer| {
            let stashed = usize::from(self.stashed);
            buffer[..stashed].copy_from_slice(&self.stash[..stashed]);
            let mut read = ReadBuf::new(&mut buffer[stashed..]);
            match Pin::new(source).poll_read(cx, &mut read) {
                Poll::Pending => return PipeStep::Waiting,
                Poll::Ready(Err(error)) => return PipeStep::SourceEnded(ending_of(&error)),
                Poll::Ready(Ok(())) => {}
            }
            let got = read.filled().len();
            if got == 0 {
                return PipeStep::SourceEnded(Ending::Fin);
            }
            let bytes = &mut buffer[..stashed + got];
            let (forward, violation) = match self.filter(bytes, swallow) {
                Ok((forward, rest)) => {
                    self.stash(&bytes[rest..]);
                    (forward, None)
                }
                Err((forward, error)) => {
                    // The start of the next frame is unknown.
                    self.done = true;
                    (forward, Some(error))
                }
            };
            match self.forward(cx, sink, &bytes[..forward]) {
                Ok(()) => violation.map_or(PipeStep::Moved, PipeStep::Violation),
                Err(error) => PipeStep::SinkEnded(ending_of(&error)),
            }
        })
    }

    /// Scans every frame header in `bytes` and removes Pongs to the gateway's own Pings. Returns the number of bytes at the
    /// front to forward, and the position of the incomplete header at the end. An error also contains the number of bytes
    /// to forward.
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
                match swallow.map(|nonce| is_pong_with(frame, nonce)) {
                    Some(Some(true)) => {
                        // The scanner takes header and payload in two steps.
                        for part in [0, PONG_LEN - size_of::<Nonce>()] {
                            self.scanner.next(&frame[part..PONG_LEN]).map_err(|error| (out, error))?;
                        }
                        at += PONG_LEN;
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

    /// Writes as much as the sink accepts and keeps the rest.
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

/// Returns whether the frame is a Pong with this nonce, or `None` if that is undecided because the frame is incomplete.
fn is_pong_with(frame: &[u8], nonce: &Nonce) -> Option<bool> {
    let head = [0x80 | OpCode::Pong as u8, 0x80 | size_of::<Nonce>() as u8];
    let known = frame.len().min(head.len());
    if frame[..known] != head[..known] {
        return Some(false);
    }
    let &[_, _, a, b, c, d, ref payload @ ..] = frame.get(..PONG_LEN)? else { return Some(false) };
    let mut seen = [0; size_of::<Nonce>()];
    seen.copy_from_slice(payload);
    mask(&mut seen, [a, b, c, d], 0);
    Some(seen == *nonce)
}
