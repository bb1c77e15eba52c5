//! A WebSocket that takes and gives whole messages, over any stream, in either role.
//!
//! ```text
//!            our Close                peer's Close
//!   Open ───────────────▶ CloseSent ───────────────▶ Lingering ──▶ Ended
//!    │  peer's Close, or the peer broke a rule            ▲  our Close is out; FINs are exchanged
//!    └────────────────────────────────────────────────────┘
//!   FIN, RST, black hole, deadline: Ended from anywhere
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

use crate::tcp::tcp_info;
use crate::{Ending, Stream, ending_of};
use contexts::Shape;
use reader::{ReadError, Reader};
use writer::Writer;

/// How an endpoint behaves.
#[derive(Debug, Clone)]
pub struct WebSocketConfig {
    /// Largest frame and message accepted. Default: 64 MiB each.
    pub limits: Limits,
    /// permessage-deflate as negotiated, and our own wishes about threshold and level. Default: none.
    pub deflate: Option<(Params, DeflateConfig)>,
    /// Bytes that may wait for the socket before [`WebSocket::send`] does; one message of any size is always taken when
    /// nothing waits. Default: 64 KiB.
    pub pending_limit: usize,
    /// Time for the peer to answer our Close, and again for it to close the connection. Default: 5 s.
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

/// Something that came from the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A whole message.
    Message(Message),
    /// A Ping; its answer is already on its way.
    Ping(Vec<u8>),
    /// A Pong.
    Pong(Vec<u8>),
}

/// The connection is closing or has ended, so nothing can be sent; [`WebSocket::recv`] tells how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closing or has ended")]
pub struct SendError;

/// One end of a WebSocket connection. Holds no read or write buffer while idle.
///
/// All work is done inside the calls: call [`recv`](Self::recv) to have Pings answered, waiting output written and the
/// closing handshake carried through.
#[derive(Debug)]
pub struct WebSocket {
    stream: Stream,
    reader: Reader,
    writer: Writer,
    phase: Phase,
    close_timeout: Duration,
}

#[derive(Debug)]
enum Phase {
    Open,
    /// Our Close is written or waiting to be; the peer's has not come.
    CloseSent(Pin<Box<Sleep>>),
    Lingering(Box<Linger>),
    Ended(Box<Ending>),
}

/// How it ends is known; our last bytes still have to reach the peer.
#[derive(Debug)]
struct Linger {
    ending: Ending,
    /// We send our FIN first: as the server (RFC 6455 7.1.1), and when the peer broke a rule.
    finish_first: bool,
    /// What the peer still sends is read and dropped until its FIN: a socket closed over unread data sends a RST, which
    /// may overtake our Close.
    await_fin: bool,
    finished: bool,
    deadline: Pin<Box<Sleep>>,
}

impl WebSocket {
    /// An endpoint over a stream on which the opening handshake is done. `leftover`: what came behind the handshake.
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
            phase: Phase::Open,
            close_timeout: config.close_timeout,
        }
    }

    /// The next message, Ping or Pong; in the end, and from then on, how the connection ended.
    ///
    /// Cancel-safe. After [`start_close`](Self::start_close) it still returns what the peer sends before its Close.
    pub async fn recv(&mut self) -> Result<Received, Ending> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Sends a message once there is room for it ([`WebSocketConfig::pending_limit`]). What the socket does not take at
    /// once is written by later calls: [`flush`](Self::flush), [`recv`](Self::recv) or the next `send`.
    ///
    /// Cancel-safe: when dropped before it is done, nothing of the message was sent.
    pub async fn send(&mut self, message: &Message) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        poll_fn(|cx| {
            Poll::Ready(self.writer.send(&mut self.stream, cx, message.opcode(), message.as_bytes()))
        })
        .await
    }

    /// Like [`send`](Self::send), but writes nothing yet: several messages then share one write.
    pub async fn feed(&mut self, message: &Message) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.writer.message(message.opcode(), message.as_bytes())
    }

    /// Waits until the socket has taken everything.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Closes: sends a Close, drops what the peer still sends, and returns how the connection ended.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Ending {
        self.start_close(Some(code), reason);
        loop {
            if let Err(ending) = self.recv().await {
                return ending;
            }
        }
    }

    /// Puts a Close behind everything queued; nothing can be queued after it. [`recv`](Self::recv) carries the handshake
    /// through. Does nothing when the connection is already closing. `None`: a Close without a code.
    pub fn start_close(&mut self, code: Option<CloseCode>, reason: &str) {
        if matches!(self.phase, Phase::Open) {
            self.writer.close(code, reason);
            self.phase = Phase::CloseSent(self.deadline());
        }
    }

    /// Queues a message, whatever [`pending`](Self::pending) says, and writes nothing; for callers with their own idea
    /// of fairness. `opcode`: Text or Binary. `payload`: for Text, UTF-8.
    pub fn queue(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), SendError> {
        self.writable()?;
        self.writer.message(opcode, payload)
    }

    /// Queues a message that must not be compressed; else as [`queue`](Self::queue).
    pub fn queue_plain(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), SendError> {
        self.writable()?;
        self.writer.plain(opcode, payload)
    }

    /// Queues a Ping of at most 125 bytes.
    pub fn queue_ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.writable()?;
        self.writer.control(OpCode::Ping, payload)
    }

    /// Bytes that wait for the socket.
    pub fn pending(&self) -> usize {
        self.writer.pending()
    }

    /// The stream below.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// How the connection ended, once it has.
    pub fn ending(&self) -> Option<&Ending> {
        match &self.phase {
            Phase::Ended(ending) => Some(ending),
            _ => None,
        }
    }

    /// Ends the connection with a RST, where there is a TCP connection.
    pub fn abort(self) {
        if let Some(tcp) = self.stream.tcp() {
            // A failure means that the connection is gone already.
            let _ = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO));
        }
    }

    /// [`recv`](Self::recv) as a poll function.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, Ending>> {
        loop {
            match &mut self.phase {
                Phase::Ended(ending) => return Poll::Ready(Err((**ending).clone())),
                Phase::Lingering(_) => {
                    let ending = ready!(self.poll_linger(cx));
                    self.end(ending);
                    continue;
                }
                Phase::CloseSent(deadline) => {
                    if deadline.as_mut().poll(cx).is_ready() {
                        let ending = self.unanswered();
                        self.end(ending);
                        continue;
                    }
                }
                Phase::Open => {}
            }
            // A write that fails says less than what the peer may have sent before: read on.
            let _ = self.writer.poll_flush(&mut self.stream, cx);
            match ready!(self.reader.poll(&mut self.stream, cx)) {
                Ok(reader::Event::Received(received)) => {
                    if let Received::Ping(payload) = &received
                        && matches!(self.phase, Phase::Open)
                    {
                        self.writer.pong(payload);
                        let _ = self.writer.poll_flush(&mut self.stream, cx);
                    }
                    return Poll::Ready(Ok(received));
                }
                Ok(reader::Event::Close(close)) => self.peer_closed(close),
                Err(ReadError::Frame(error)) => {
                    if matches!(self.phase, Phase::Open) {
                        self.writer.close(Some(error.close_code()), &error.to_string());
                    }
                    self.linger(Ending::from(error), true, true);
                }
                Err(ReadError::Fin) => {
                    let ending = if self.writer.was_reset() { Ending::Reset } else { Ending::Fin };
                    self.end(ending);
                }
                Err(ReadError::Io(error)) => self.end(ending_of(&error)),
            }
        }
    }

    /// Waits for room for one more message.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.writable()?;
        self.writer.poll_ready(&mut self.stream, cx)
    }

    /// [`flush`](Self::flush) as a poll function.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.writer.poll_flush(&mut self.stream, cx)
    }

    fn writable(&self) -> Result<(), SendError> {
        if matches!(self.phase, Phase::Open) { Ok(()) } else { Err(SendError) }
    }

    fn deadline(&self) -> Pin<Box<Sleep>> {
        Box::pin(tokio::time::sleep(self.close_timeout))
    }

    /// RFC 6455 5.5.1: answer with the same code, unless it was us who began.
    fn peer_closed(&mut self, close: Option<(CloseCode, String)>) {
        if matches!(self.phase, Phase::Open) {
            self.writer.close(close.as_ref().map(|(code, _)| *code), "");
        }
        let (code, reason) = close.unwrap_or((CloseCode::NO_STATUS, String::new()));
        let server = self.writer.role() == Role::Server;
        self.linger(Ending::Close { code, reason }, server, !server);
    }

    fn linger(&mut self, ending: Ending, finish_first: bool, await_fin: bool) {
        let deadline = self.deadline();
        self.phase =
            Phase::Lingering(Box::new(Linger { ending, finish_first, await_fin, finished: false, deadline }));
    }

    fn end(&mut self, ending: Ending) {
        self.writer.discard();
        self.phase = Phase::Ended(Box::new(ending));
    }

    /// Our last bytes out, FIN, the peer's FIN; no longer than the deadline.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let Phase::Lingering(linger) = &mut self.phase else { return Poll::Pending };
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

    /// The peer did not answer our Close in time: is it out of reach, or does it not want to?
    fn unanswered(&self) -> Ending {
        let unreachable = match self.stream.tcp().map(tcp_info) {
            Some(Ok(info)) => info.unacked > 0,
            _ => self.writer.pending() > 0,
        };
        if unreachable { Ending::BlackHole } else { ProtocolFault::CloseUnanswered.into() }
    }
}
