//! A WebSocket that sends and receives whole messages, over any stream and in either role.
//!
//! ```text
//!            our Close                peer's Close
//!   Open ───────────────▶ CloseSent ───────────────▶ Lingering ──▶ Ended
//!    │  peer's Close, or a violation by the peer          ▲  our Close is sent; FINs are exchanged
//!    └────────────────────────────────────────────────────┘
//!   FIN, RST, black hole, deadline: Ended from any phase
//! ```

mod contexts;
mod reader;
mod writer;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::Sleep;
use undrop_frame::deflate::{Config as DeflateConfig, Deflater, Inflater, Params};
use undrop_frame::{CloseCode, Decoder, Encoder, Limits, Message, OpCode, ProtocolFault, Role};

use crate::io_ending::io_ending;
use crate::tcp::tcp_info;
use crate::{Ending, Stream};
use contexts::Shape;
use reader::{ReadError, ReadEvent, Reader};
use writer::Writer;

/// The options of a [`WebSocket`].
#[derive(Debug, Clone)]
pub struct WebSocketConfig {
    /// The maximum size of received frames and messages. Default: 64 MiB each.
    pub limits: Limits,
    /// The negotiated parameters of permessage-deflate, and the local threshold and level. Default: no compression.
    pub deflate: Option<(Params, DeflateConfig)>,
    /// The number of bytes in the output buffer above which [`WebSocket::send`] waits. A message of any size is accepted when
    /// the buffer is empty. Default: 64 KiB.
    pub pending_limit: usize,
    /// The time for the peer to reply to a Close frame, and again for it to close the connection. Default: 5 s.
    pub close_timeout: Duration,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        WebSocketConfig {
            limits: Limits::default(),
            deflate: None,
            pending_limit: 64 * 1024,
            close_timeout: Duration::from_secs(5),
        }
    }
}

/// A message or control frame from the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A complete data message.
    Message(Message),
    /// A Ping with its payload. The Pong is already queued.
    Ping(Vec<u8>),
    /// A Pong with its payload.
    Pong(Vec<u8>),
}

/// The connection is closing or has ended, so nothing can be sent. [`WebSocket::recv`] returns how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closing or has ended")]
pub struct SendError;

/// One end of a WebSocket connection. It holds no read or write buffer while it is idle.
///
/// All work is done inside the method calls. Call [`recv`](Self::recv) continuously, because it also replies to Pings,
/// writes pending output and completes the closing handshake.
#[derive(Debug)]
pub struct WebSocket {
    stream: Stream,
    reader: Reader,
    writer: Writer,
    phase: SocketPhase,
    close_timeout: Duration,
}

#[derive(Debug)]
enum SocketPhase {
    Open,
    /// A Close frame was queued; the one of the peer has not arrived.
    CloseSent(Pin<Box<Sleep>>),
    Lingering(Box<Linger>),
    Ended(Box<Ending>),
}

/// The ending is known, but the last bytes still have to reach the peer.
#[derive(Debug)]
struct Linger {
    ending: Ending,
    /// This side sends its FIN first: as the server (RFC 6455 §7.1.1), and after a violation by the peer.
    finish_first: bool,
    /// Data from the peer is read and discarded until its FIN. Closing a socket with unread data sends a RST, which can
    /// destroy the Close frame on its way.
    await_fin: bool,
    finished: bool,
    deadline: Pin<Box<Sleep>>,
}

impl WebSocket {
    /// Returns an endpoint over a stream after the opening handshake. `leftover`: the bytes that were read after it.
    pub fn new(stream: Stream, role: Role, leftover: Vec<u8>, config: &WebSocketConfig) -> WebSocket {
        let mut decoder = Decoder::new(role, config.limits);
        let mut encoder = Encoder::new(role);
        let mut shared = None;
        if let Some((params, ours)) = &config.deflate {
            let (alone, window_bits) = match role {
                Role::Client => (params.client_no_context_takeover, params.client_max_window_bits),
                Role::Server => (params.server_no_context_takeover, params.server_max_window_bits),
            };
            shared = alone.then_some(Shape { level: ours.level, window_bits });
            decoder = decoder.with_deflate(Inflater::new(*params, role, config.limits.message));
            encoder = encoder.with_deflate(Deflater::new(*params, role, ours.threshold, ours.level));
        }
        WebSocket {
            stream,
            reader: Reader::new(decoder, leftover),
            writer: Writer::new(encoder, role, shared, config.pending_limit),
            phase: SocketPhase::Open,
            close_timeout: config.close_timeout,
        }
    }

    /// Returns the next message, Ping or Pong. Cancel-safe.
    ///
    /// After [`start_close`](Self::start_close), it still returns what the peer sends before its Close frame.
    ///
    /// # Errors
    /// The connection has ended. Later calls return the same [`Ending`].
    pub async fn recv(&mut self) -> Result<Received, Ending> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Sends a message, after waiting for room in the output buffer ([`WebSocketConfig::pending_limit`]). Bytes that the
    /// socket does not accept immediately are written by later calls of [`flush`](Self::flush), [`recv`](Self::recv) or
    /// `send`.
    ///
    /// Cancel-safe: if the future is dropped before it resolves, nothing of the message was sent.
    pub async fn send(&mut self, message: &Message) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        poll_fn(|cx| {
            Poll::Ready(self.writer.send(&mut self.stream, cx, message.opcode(), message.as_bytes()))
        })
        .await
    }

    /// Like [`send`](Self::send), but only queues the message, so several messages can share one write.
    pub async fn feed(&mut self, message: &Message) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.writer.message(message.opcode(), message.as_bytes())
    }

    /// Writes all pending output.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Closes the connection: sends a Close frame, discards what the peer still sends, and returns how the connection ended.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Ending {
        self.start_close(Some(code), reason);
        loop {
            if let Err(ending) = self.recv().await {
                return ending;
            }
        }
    }

    /// Queues a Close frame after the pending output; nothing can be queued after it. [`recv`](Self::recv) then completes the
    /// closing handshake. Does nothing if the connection is already closing. `None`: a Close frame without a code.
    pub fn start_close(&mut self, code: Option<CloseCode>, reason: &str) {
        if matches!(self.phase, SocketPhase::Open) {
            self.writer.close(code, reason);
            self.phase = SocketPhase::CloseSent(self.deadline());
        }
    }

    /// Queues a message regardless of [`WebSocketConfig::pending_limit`], for callers that limit the output themselves.
    /// `opcode`: Text or Binary. `payload`: UTF-8 in a Text message.
    pub fn queue(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), SendError> {
        self.writable()?;
        self.writer.message(opcode, payload)
    }

    /// Like [`queue`](Self::queue), for a message that must not be compressed.
    pub fn queue_plain(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), SendError> {
        self.writable()?;
        self.writer.plain(opcode, payload)
    }

    /// Queues a Ping with a payload of at most 125 bytes.
    pub fn queue_ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.writable()?;
        self.writer.control(OpCode::Ping, payload)
    }

    /// Returns the number of bytes in the output buffer.
    pub fn pending(&self) -> usize {
        self.writer.pending()
    }

    /// Returns the stream that carries the WebSocket.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Returns how the connection ended, if it has.
    pub fn ending(&self) -> Option<&Ending> {
        match &self.phase {
            SocketPhase::Ended(ending) => Some(ending),
            _ => None,
        }
    }

    /// Ends the connection with a RST, if it is a TCP connection.
    pub fn abort(self) {
        if let Some(tcp) = self.stream.tcp() {
            // Fails only if the connection has already ended.
            let _ = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO));
        }
    }

    /// The poll function of [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, Ending>> {
        loop {
            match &mut self.phase {
                SocketPhase::Ended(ending) => return Poll::Ready(Err((**ending).clone())),
                SocketPhase::Lingering(_) => {
                    let ending = ready!(self.poll_linger(cx));
                    self.end(ending);
                    continue;
                }
                SocketPhase::CloseSent(deadline) => {
                    if deadline.as_mut().poll(cx).is_ready() {
                        let ending = self.unanswered();
                        self.end(ending);
                        continue;
                    }
                }
                SocketPhase::Open => {}
            }
            // After a failed write, received data may explain the failure, so reading continues.
            let _ = self.writer.poll_flush(&mut self.stream, cx);
            match ready!(self.reader.poll(&mut self.stream, cx)) {
                Ok(ReadEvent::Received(received)) => {
                    if let Received::Ping(payload) = &received
                        && matches!(self.phase, SocketPhase::Open)
                    {
                        self.writer.pong(payload);
                        let _ = self.writer.poll_flush(&mut self.stream, cx);
                    }
                    return Poll::Ready(Ok(received));
                }
                Ok(ReadEvent::Close(close)) => self.peer_closed(close),
                Err(ReadError::Frame(error)) => {
                    if matches!(self.phase, SocketPhase::Open) {
                        self.writer.close(Some(error.close_code()), &error.to_string());
                    }
                    self.linger(Ending::from(error), true, true);
                }
                Err(ReadError::Fin) => {
                    let ending = if self.writer.was_reset() { Ending::Reset } else { Ending::Fin };
                    self.end(ending);
                }
                Err(ReadError::Io(error)) => self.end(io_ending(&error)),
            }
        }
    }

    /// Waits for room for one more message in the output buffer.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.writable()?;
        self.writer.poll_ready(&mut self.stream, cx)
    }

    /// The poll function of [`flush`](Self::flush).
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.writer.poll_flush(&mut self.stream, cx)
    }

    fn writable(&self) -> Result<(), SendError> {
        if matches!(self.phase, SocketPhase::Open) { Ok(()) } else { Err(SendError) }
    }

    fn deadline(&self) -> Pin<Box<Sleep>> {
        Box::pin(tokio::time::sleep(self.close_timeout))
    }

    /// Replies with the same code, unless this side closed first (RFC 6455 §5.5.1).
    fn peer_closed(&mut self, close: Option<(CloseCode, String)>) {
        if matches!(self.phase, SocketPhase::Open) {
            self.writer.close(close.as_ref().map(|(code, _)| *code), "");
        }
        let (code, reason) = close.unwrap_or((CloseCode::NO_STATUS, String::new()));
        let server = self.writer.role() == Role::Server;
        self.linger(Ending::Close { code, reason }, server, !server);
    }

    fn linger(&mut self, ending: Ending, finish_first: bool, await_fin: bool) {
        let deadline = self.deadline();
        self.phase = SocketPhase::Lingering(Box::new(Linger {
            ending,
            finish_first,
            await_fin,
            finished: false,
            deadline,
        }));
    }

    fn end(&mut self, ending: Ending) {
        self.writer.discard();
        self.phase = SocketPhase::Ended(Box::new(ending));
    }

    /// Sends the last bytes and the FIN, and waits for the FIN of the peer, up to the deadline.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let SocketPhase::Lingering(linger) = &mut self.phase else { return Poll::Pending };
        let over = linger.deadline.as_mut().poll(cx).is_ready();
        let ending = || linger.ending.clone();
        if over {
            return Poll::Ready(ending());
        }
        if ready!(self.writer.poll_flush(&mut self.stream, cx)).is_err() {
            return Poll::Ready(ending());
        }
        if linger.finish_first && !linger.finished {
            let done = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            if done.is_err() {
                return Poll::Ready(ending());
            }
            linger.finished = true;
        }
        if linger.await_fin {
            while matches!(ready!(self.stream.poll_read_shared(cx, |chunk| chunk.len())), Ok(1..)) {}
        }
        Poll::Ready(ending())
    }

    /// Returns the ending for a Close frame without a reply: the peer is unreachable, or it violates the protocol.
    fn unanswered(&self) -> Ending {
        let unreachable = match self.stream.tcp().map(tcp_info) {
            Some(Ok(info)) => info.unacked > 0,
            _ => self.writer.pending() > 0,
        };
        if unreachable { Ending::BlackHole } else { ProtocolFault::CloseUnanswered.into() }
    }
}
