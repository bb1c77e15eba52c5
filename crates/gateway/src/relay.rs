//! Pass-through: a client that does not speak the session protocol, and its backend. Payload bytes go on as they
//! came; only the frame boundaries are tracked, for heartbeats, limits and clean endings.
//!
//! The future is polled by hand: it holds no buffer while idle, and what it holds at all is small.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use undrop_frame::{CloseCode, FrameError, Limits, OpCode, Piece, Role, Scanner, mask};
use undrop_server::{Command, close_frame, control, masked_close_frame, retire};
use undrop_transport::{Ending, Stream, scratch};

use crate::process::Seat;

/// What our own Pings carry, so that their answers are recognised and not passed on to the backend.
const PING: &[u8] = b"undrop.hb";

/// How long the backend has to answer the Close that we sent for the client's protocol error.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// What the relay must know besides its two sockets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RelayOptions {
    /// Silence of the client after which it gets a Ping; after twice that it is gone. Zero: no heartbeat.
    pub(crate) heartbeat: Duration,
    pub(crate) limits: Limits,
    /// A compression extension was negotiated between client and backend.
    pub(crate) compressed: bool,
}

/// One pass-through connection. Ends when both sides are closed.
pub(crate) struct Relay {
    /// None once the relay is over.
    client: Option<Stream>,
    backend: Stream,
    /// Client → backend.
    up: Pipe,
    /// Backend → client.
    down: Pipe,
    heartbeat: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// The client was heard since the timer last fired.
    heard: bool,
    /// A Ping of ours is unanswered.
    pinged: bool,
    phase: Phase,
    seat: Seat,
    waker: Option<std::task::Waker>,
    peer: SocketAddr,
}

#[derive(Debug)]
enum Phase {
    Open,
    /// The backend was told to close on the client's behalf; its answer is awaited until the timer fires.
    Closing {
        code: CloseCode,
        reason: String,
    },
    Over,
}

/// One direction.
struct Pipe {
    scanner: Scanner,
    /// An incomplete header, read but not forwarded.
    stash: [u8; 14],
    stashed: u8,
    /// A Close frame has gone through.
    closed: bool,
    /// No more input is read.
    done: bool,
    /// What the receiving socket did not take yet; at most one read.
    pending: Vec<u8>,
    sent: usize,
}

enum Step {
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

impl Relay {
    /// `from_client` and `from_backend` are bytes that came behind the handshakes.
    pub(crate) fn new(
        client: (Stream, Vec<u8>),
        backend: (Stream, Vec<u8>),
        peer: SocketAddr,
        options: RelayOptions,
        seat: Seat,
    ) -> Result<Relay, FrameError> {
        let mut relay = Relay {
            client: Some(client.0),
            backend: backend.0,
            up: Pipe::new(Role::Server, options),
            down: Pipe::new(Role::Client, options),
            heartbeat: options.heartbeat,
            timer: None,
            heard: true,
            pinged: false,
            phase: Phase::Open,
            seat,
            waker: None,
            peer,
        };
        relay.up.preload(client.1)?;
        relay.down.preload(backend.1)?;
        if !relay.heartbeat.is_zero() {
            relay.timer = Some(Box::pin(sleep_until(Instant::now() + relay.heartbeat)));
        }
        Ok(relay)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) {
        while let Some(timer) = &mut self.timer
            && timer.as_mut().poll(cx).is_ready()
        {
            if let Phase::Closing { code, reason } = &self.phase {
                let (code, reason) = (*code, reason.clone());
                return self.end(Some((code, reason)));
            }
            timer.as_mut().reset(Instant::now() + self.heartbeat);
            if std::mem::take(&mut self.heard) {
                self.pinged = false;
            } else if self.pinged {
                tracing::info!(peer = %self.peer, ending = %Ending::BlackHole, "plain client lost: no answer to a Ping");
                return self.end(None);
            } else if self.down.scanner.at_boundary()
                && self.down.pending.is_empty()
                && self.down.stashed == 0
            {
                self.pinged = true;
                self.down.queue(&control(OpCode::Ping, PING, None));
            }
        }
    }

    fn poll_mailbox(&mut self, cx: &Context<'_>) {
        self.seat.mailbox.register(cx, &mut self.waker);
        for command in self.seat.mailbox.take() {
            match command {
                Command::Close { code, reason } => self.close(code, reason),
                // Sessions only.
                Command::Link(_) | Command::Drain(_) | Command::Evict => {}
            }
        }
    }

    /// Closes both sides from here: the backend gets a Close frame, whose answer (and what it sent before) still
    /// goes to the client.
    fn close(&mut self, code: CloseCode, reason: String) {
        if !matches!(self.phase, Phase::Open) {
            return;
        }
        self.up.done = true;
        let mut key = [0; 4];
        if !self.up.scanner.at_boundary() || getrandom::fill(&mut key).is_err() {
            // The backend is in the middle of a frame: it cannot be told.
            return self.end(Some((code, reason)));
        }
        self.up.queue(&masked_close_frame(Some(code), &reason, key));
        self.phase = Phase::Closing { code, reason };
        self.timer = Some(Box::pin(sleep_until(Instant::now() + CLOSE_DEADLINE)));
    }

    /// Ends the relay. A client that has not seen a Close frame gets this one, where the stream allows it.
    fn end(&mut self, close: Option<(CloseCode, String)>) {
        self.phase = Phase::Over;
        if let Some((code, reason)) = close
            && !self.down.closed
            && self.down.scanner.at_boundary()
        {
            self.down.pending.extend_from_slice(&close_frame(Some(code), &reason));
        }
    }

    fn step_up(&mut self, cx: &mut Context<'_>) -> bool {
        let pinged = self.pinged;
        let Some(client) = &mut self.client else { return false };
        match self.up.poll(cx, client, &mut self.backend, pinged) {
            Step::Moved => {
                self.heard = true;
                true
            }
            Step::Waiting => false,
            Step::SourceEnded(ending) => {
                if !self.up.closed && !self.down.closed {
                    tracing::info!(peer = %self.peer, %ending, browser = ending.browser_view().get(), "plain client lost");
                }
                self.end(None);
                true
            }
            Step::SinkEnded(ending) => self.backend_lost(&ending),
            Step::Violation(error) => {
                tracing::warn!(peer = %self.peer, cause = %error, code = error.close_code().get(), "client broke RFC 6455");
                self.close(error.close_code(), error.to_string());
                true
            }
        }
    }

    fn step_down(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(client) = &mut self.client else { return false };
        match self.down.poll(cx, &mut self.backend, client, false) {
            Step::Moved => true,
            Step::Waiting => false,
            Step::SourceEnded(ending) => self.backend_lost(&ending),
            Step::SinkEnded(ending) => {
                tracing::info!(peer = %self.peer, %ending, browser = ending.browser_view().get(), "plain client lost");
                self.end(None);
                true
            }
            Step::Violation(error) => {
                tracing::warn!(peer = %self.peer, cause = %error, "backend broke RFC 6455");
                self.end(Some((CloseCode::BAD_GATEWAY, format!("backend broke RFC 6455: {error}"))));
                true
            }
        }
    }

    fn backend_lost(&mut self, ending: &Ending) -> bool {
        if let Phase::Closing { code, reason } = &self.phase {
            let (code, reason) = (*code, reason.clone());
            self.end(Some((code, reason)));
        } else {
            if !self.down.closed {
                tracing::warn!(peer = %self.peer, %ending, "backend connection lost");
            }
            self.end(Some((CloseCode::BAD_GATEWAY, format!("backend connection lost: {ending}"))));
        }
        true
    }
}

impl Future for Relay {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let relay = self.get_mut();
        relay.poll_mailbox(cx);
        relay.poll_timer(cx);
        loop {
            if matches!(relay.phase, Phase::Over) {
                if let Some(client) = relay.client.take() {
                    tokio::spawn(retire(client, relay.down.pending.split_off(relay.down.sent)));
                }
                return Poll::Ready(());
            }
            let up = relay.step_up(cx);
            let down = relay.step_down(cx);
            if !up && !down {
                return Poll::Pending;
            }
        }
    }
}

impl Pipe {
    fn new(role: Role, options: RelayOptions) -> Pipe {
        Pipe {
            scanner: Scanner::new(role, options.limits, options.compressed),
            stash: [0; 14],
            stashed: 0,
            closed: false,
            done: false,
            pending: Vec::new(),
            sent: 0,
        }
    }

    /// Bytes that were read together with the handshake.
    fn preload(&mut self, mut bytes: Vec<u8>) -> Result<(), FrameError> {
        let (forward, rest) = self.filter(&mut bytes, false).map_err(|(_, error)| error)?;
        self.stash(&bytes[rest..]);
        bytes.truncate(forward);
        self.pending = bytes;
        Ok(())
    }

    /// Puts a frame of ours behind what is pending.
    fn queue(&mut self, frame: &[u8]) {
        self.pending.extend_from_slice(frame);
    }

    fn stash(&mut self, rest: &[u8]) {
        // An incomplete header is at most 13 bytes.
        let len = rest.len().min(self.stash.len());
        self.stash[..len].copy_from_slice(&rest[..len]);
        self.stashed = len as u8;
    }

    fn poll(&mut self, cx: &mut Context<'_>, source: &mut Stream, sink: &mut Stream, swallow: bool) -> Step {
        if !self.pending.is_empty() {
            match self.flush(cx, sink) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Step::SinkEnded(Ending::from_io(&error)),
                Poll::Pending => return Step::Waiting,
            }
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
                Poll::Ready(Err(error)) => return Step::SourceEnded(Ending::from_io(&error)),
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
                Err((forward, error)) => (forward, Some(error)),
            };
            match self.forward(cx, sink, &bytes[..forward]) {
                Ok(()) => violation.map_or(Step::Moved, Step::Violation),
                Err(error) => Step::SinkEnded(Ending::from_io(&error)),
            }
        })
    }

    /// Looks at every header in `bytes`. Returns how many bytes from the front go on (answers to our own Pings are
    /// cut out by closing the gap) and where the incomplete header at the end begins; at a violation, what came
    /// before it still goes on.
    fn filter(&mut self, bytes: &mut [u8], swallow: bool) -> Result<(usize, usize), (usize, FrameError)> {
        let (mut at, mut out) = (0, 0);
        loop {
            let piece = match self.scanner.next(&bytes[at..]) {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok((out, at)),
                Err(error) => return Err((out, error)),
            };
            let len = match piece {
                Piece::Payload { len, .. } => len,
                Piece::Header { header, len } => {
                    match header.opcode {
                        OpCode::Close => self.closed = true,
                        OpCode::Pong if swallow && header.len == PING.len() as u64 => {
                            let end = at + len + PING.len();
                            if let (Some(payload), Some(key)) = (bytes.get(at + len..end), header.mask) {
                                let mut seen = [0; PING.len()];
                                seen.copy_from_slice(payload);
                                mask(&mut seen, key, 0);
                                if seen == *PING {
                                    // Its payload is passed over too.
                                    let _ = self.scanner.next(&bytes[at + len..end]);
                                    at = end;
                                    continue;
                                }
                            }
                        }
                        _ => {}
                    }
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
    fn forward(&mut self, cx: &mut Context<'_>, sink: &mut Stream, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            match Pin::new(&mut *sink).poll_write(cx, bytes)? {
                Poll::Ready(0) => return Err(std::io::ErrorKind::WriteZero.into()),
                Poll::Ready(n) => bytes = &bytes[n..],
                Poll::Pending => {
                    self.pending.extend_from_slice(bytes);
                    return Ok(());
                }
            }
        }
        if let Poll::Ready(Err(error)) = Pin::new(sink).poll_flush(cx) {
            return Err(error);
        }
        Ok(())
    }

    fn flush(&mut self, cx: &mut Context<'_>, sink: &mut Stream) -> Poll<std::io::Result<()>> {
        while self.sent < self.pending.len() {
            match Pin::new(&mut *sink).poll_write(cx, &self.pending[self.sent..])? {
                Poll::Ready(0) => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                Poll::Ready(n) => self.sent += n,
                Poll::Pending => return Poll::Pending,
            }
        }
        (self.pending, self.sent) = (Vec::new(), 0);
        Pin::new(sink).poll_flush(cx)
    }
}
