//! A backend that checks what it receives: `undrop bench sink`.
//!
//! It verifies the numbered streams of a run, replies to every message with one of a second numbered stream, and reports its
//! findings on request. A message that is not part of a numbered stream is echoed. It can be configured to lose, duplicate, swap or
//! corrupt replies, to test the verification.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use undrop_frame::deflate;
use undrop_frame::handshake::{check_upgrade, response_101, response_plain};
use undrop_frame::{Limits, Message, OpCode, Role};
use undrop_transport::{
    AcceptError, ListenOptions, Listener, Received, Stream, WebSocket, WebSocketConfig, read_request,
};

use crate::connection::proof::{IncomingStream, OutgoingStream, SinkTotals, StreamCounts};
use crate::connection::stamp::{Stamp, StampKind};

/// The maximum number of runs to remember; then the oldest is removed.
const MAX_RUNS: usize = 8;
/// The maximum number of streams of one run.
const MAX_STREAMS: usize = 1_000_000;

/// The maximum size of a broadcast message in bytes; up to 1,024 of them wait for slow members.
const MAX_BROADCAST: u64 = 1 << 20;

/// The options of a sink.
#[derive(Debug, Clone)]
pub struct SinkOptions {
    /// The address to listen on. Port 0 selects a free port.
    pub listen: SocketAddr,
    /// Whether to share the port with other processes.
    pub reuse_port: bool,
    /// The maximum size of a received message in bytes.
    pub max_message: u64,
    /// Whether to return messages unchanged instead of replying with a numbered stream.
    pub echo: bool,
    /// Whether to send every message to all connections instead of replying to it.
    pub broadcast: bool,
    /// The faults that the sink makes on purpose.
    pub sabotage: Option<Sabotage>,
    /// The age at which every connection is closed without a Close frame; `None` for no limit.
    pub lifetime: Option<Duration>,
}

/// Deliberate faults in replies, at a fixed interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sabotage {
    /// The kind of fault.
    pub how: Fault,
    /// The interval between faults in messages, counted over all connections.
    pub every: u64,
}

/// A deliberate fault in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A message gets no reply.
    Lose,
    /// A reply is sent twice.
    Double,
    /// A reply is swapped with the next one.
    Swap,
    /// A reply has a wrong byte.
    Corrupt,
}

/// The findings of a sink.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SinkCounts {
    /// The number of accepted connections.
    pub connections: u64,
    /// The number of open connections.
    pub open: u64,
    /// The number of received messages.
    pub messages: u64,
    /// The findings in all numbered streams.
    pub up: StreamCounts,
    /// The number of missing messages below the highest received numbers.
    pub missing: u64,
}

/// A listening sink. It serves while [`Sink::serve`] is polled.
#[derive(Debug)]
pub struct Sink {
    listener: Listener,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    options: SinkOptions,
    runs: Mutex<Runs>,
    connections: AtomicU64,
    open: AtomicU64,
    messages: AtomicU64,
    room: tokio::sync::broadcast::Sender<Arc<Message>>,
}

#[derive(Debug, Default)]
struct Runs {
    streams: HashMap<u16, HashMap<u32, Pair>>,
    order: VecDeque<u16>,
}

/// Both directions of one stream. It outlives its connections, since a resumed session may use a new one.
#[derive(Debug)]
struct Pair {
    up: IncomingStream,
    down: OutgoingStream,
}

impl Sink {
    /// Binds the listening socket.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn bind(options: SinkOptions) -> std::io::Result<Sink> {
        let listen =
            ListenOptions { reuse_port: options.reuse_port, backlog: 4096, ..ListenOptions::default() };
        let listener = Listener::bind(options.listen, listen)?;
        let state = State {
            options,
            runs: Mutex::default(),
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            room: tokio::sync::broadcast::Sender::new(1024),
        };
        Ok(Sink { listener, state: Arc::new(state) })
    }

    /// Returns the address on which the sink listens.
    ///
    /// # Errors
    /// The socket is no longer usable.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Returns a handle that reads the findings while the sink serves.
    pub fn watch(&self) -> SinkWatch {
        SinkWatch(self.state.clone())
    }

    /// Serves until dropped, or until the listening socket fails.
    ///
    /// # Errors
    /// The listening socket failed.
    pub async fn serve(self) -> std::io::Result<()> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            tokio::spawn(connection(Stream::from(stream), self.state.clone()));
        }
    }
}

/// A handle for the findings of a sink. See [`Sink::watch`].
#[derive(Debug, Clone)]
pub struct SinkWatch(Arc<State>);

impl SinkWatch {
    /// Returns the findings so far.
    pub fn counts(&self) -> SinkCounts {
        let mut counts = SinkCounts {
            connections: self.0.connections.load(Ordering::Relaxed),
            open: self.0.open.load(Ordering::Relaxed),
            messages: self.0.messages.load(Ordering::Relaxed),
            ..SinkCounts::default()
        };
        let mut seen = 0;
        for pair in self.0.runs().streams.values().flat_map(HashMap::values) {
            counts.up.add(&pair.up.counts());
            seen += pair.up.highest();
        }
        counts.missing = seen.saturating_sub(counts.up.received);
        counts
    }
}

impl State {
    fn runs(&self) -> MutexGuard<'_, Runs> {
        // The counters remain usable after a panic in another task.
        self.runs.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Counts a message and returns its deliberate fault, if any.
    fn fault(&self) -> Option<Fault> {
        let nth = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
        let sabotage = self.options.sabotage?;
        nth.is_multiple_of(sabotage.every.max(1)).then_some(sabotage.how)
    }
}

impl Runs {
    /// Returns the stream of a stamp, or `None` if the run has too many streams.
    fn pair(&mut self, stamp: &Stamp) -> Option<&mut Pair> {
        if !self.streams.contains_key(&stamp.run) {
            if self.order.len() == MAX_RUNS
                && let Some(oldest) = self.order.pop_front()
            {
                self.streams.remove(&oldest);
            }
            self.order.push_back(stamp.run);
        }
        let streams = self.streams.entry(stamp.run).or_default();
        if streams.len() >= MAX_STREAMS && !streams.contains_key(&stamp.stream) {
            return None;
        }
        Some(streams.entry(stamp.stream).or_insert_with(|| Pair {
            up: IncomingStream::default(),
            down: OutgoingStream::new(StampKind::Down, stamp.run, stamp.stream),
        }))
    }
}

/// Counts a connection while it is open.
struct Counted<'a>(&'a State);

impl<'a> Counted<'a> {
    fn new(state: &'a State) -> Self {
        state.connections.fetch_add(1, Ordering::Relaxed);
        state.open.fetch_add(1, Ordering::Relaxed);
        Counted(state)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn connection(stream: Stream, state: Arc<State>) {
    let Some(socket) = Box::pin(accept(stream, &state)).await else { return };
    let _counted = Counted::new(&state);
    if state.options.broadcast {
        Box::pin(broadcast(socket, &state)).await;
    } else {
        serve_replies(socket, &state).await;
    }
}

async fn accept(mut stream: Stream, state: &State) -> Option<WebSocket> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let (head, leftover) = match read_request(&mut stream, 16 * 1024, deadline).await {
        Ok(read) => read,
        Err(error) => {
            if let Some(status) = AcceptError::status(&error) {
                // Fails if the peer is gone, which is irrelevant here.
                let _ = stream.write_all(&response_plain(status, &[], &format!("{error}\n"))).await;
            }
            return None;
        }
    };
    let largest =
        state.options.max_message.min(if state.options.broadcast { MAX_BROADCAST } else { u64::MAX });
    let limits = Limits { frame: largest, message: largest };
    let mut config = WebSocketConfig { limits, ..WebSocketConfig::default() };
    let answer = match check_upgrade(&head) {
        Ok(request) => {
            let ours = deflate::Config::default();
            let agreed = request.extensions.as_deref().and_then(|offers| ours.negotiate(offers));
            let extensions = agreed.as_ref().map(|(_, answer)| answer.clone());
            config.deflate = agreed.map(|(params, _)| (params, ours));
            // The subprotocol of sessions is for a gateway, and not supported here.
            let protocol =
                request.protocols.iter().map(String::as_str).find(|name| !name.starts_with("undrop."));
            response_101(&request.key, protocol, extensions.as_deref(), &[])
        }
        Err(error) => {
            let answer = response_plain(error.status(), error.headers(), &format!("{error}\n"));
            let _ = stream.write_all(&answer).await;
            return None;
        }
    };
    stream.write_all(&answer).await.ok()?;
    stream.flush().await.ok()?;
    Some(WebSocket::new(stream, Role::Server, leftover, &config))
}

/// Verifies and replies until one side closes.
async fn serve_replies(mut socket: WebSocket, state: &State) {
    let deadline = state.options.lifetime.map(|age| Instant::now() + age);
    // A reply that is to be swapped with the next one.
    let mut held: Option<Message> = None;
    let mut out = Vec::new();
    loop {
        let received = match deadline {
            None => socket.recv().await,
            Some(deadline) => match tokio::time::timeout_at(deadline, socket.recv()).await {
                Ok(received) => received,
                Err(_) => return,
            },
        };
        let message = match received {
            Ok(Received::Message(message)) => message,
            Ok(_) => continue,
            Err(_) => return,
        };
        let Some(mut reply) = reply(&message, state, &mut out) else { continue };
        let fault = if reply.counts { state.fault() } else { None };
        let sent = match fault {
            Some(Fault::Lose) => Ok(()),
            Some(Fault::Swap) if held.is_none() => {
                held = Some(reply.message);
                continue;
            }
            Some(Fault::Double) => match socket.send(&reply.message).await {
                Ok(()) => socket.send(&reply.message).await,
                failed => failed,
            },
            Some(Fault::Corrupt) => {
                reply.message = corrupt(reply.message);
                socket.send(&reply.message).await
            }
            Some(Fault::Swap) | None => socket.send(&reply.message).await,
        };
        let sent = match (sent, held.take()) {
            (Ok(()), Some(message)) => socket.send(&message).await,
            (sent, _) => sent,
        };
        // The connection is lost, and unread messages with it.
        if sent.is_err() {
            return;
        }
    }
}

struct Reply {
    message: Message,
    /// Whether the reply counts for the interval between faults.
    counts: bool,
}

/// Returns the reply to a message, if there is one.
fn reply(message: &Message, state: &State, out: &mut Vec<u8>) -> Option<Reply> {
    let binary = message.opcode() == OpCode::Binary;
    let Some((stamp, filler)) = Stamp::read(binary, message.as_bytes()) else {
        return Some(Reply { message: message.clone(), counts: true });
    };
    out.clear();
    match stamp.kind {
        StampKind::Up => {
            let mut runs = state.runs();
            let pair = runs.pair(&stamp)?;
            pair.up.accept(&stamp, filler);
            if state.options.echo {
                return Some(Reply { message: message.clone(), counts: true });
            }
            pair.down.next(filler, stamp.intended_us, stamp.late_us).write(binary, out);
            out.extend_from_slice(filler);
        }
        StampKind::Query => {
            let mut runs = state.runs();
            let pair = runs.pair(&stamp)?;
            let totals = SinkTotals { up: pair.up.counts(), sent: pair.down.sent() };
            let json = serde_json::to_vec(&totals).ok()?;
            OutgoingStream::new(StampKind::Totals, stamp.run, stamp.stream)
                .next(&json, 0, 0)
                .write(binary, out);
            out.extend_from_slice(&json);
            return Some(Reply { message: owned(binary, out), counts: false });
        }
        StampKind::Down | StampKind::Totals => return None,
    }
    Some(Reply { message: owned(binary, out), counts: true })
}

fn owned(binary: bool, bytes: &[u8]) -> Message {
    match std::str::from_utf8(bytes) {
        Ok(text) if !binary => Message::Text(text.to_owned()),
        _ => Message::Binary(bytes.to_vec()),
    }
}

fn corrupt(message: Message) -> Message {
    let flip = |mut bytes: Vec<u8>| {
        if let Some(last) = bytes.last_mut() {
            // The result stays ASCII, so a text message remains valid.
            *last ^= 1;
        }
        bytes
    };
    match message {
        Message::Text(text) => match String::from_utf8(flip(text.into_bytes())) {
            Ok(text) => Message::Text(text),
            Err(error) => Message::Binary(error.into_bytes()),
        },
        Message::Binary(bytes) => Message::Binary(flip(bytes)),
    }
}

/// Sends every message to all connections, including the sender.
async fn broadcast(mut socket: WebSocket, state: &State) {
    let mut room = state.room.subscribe();
    loop {
        tokio::select! {
            received = socket.recv() => match received {
                Ok(Received::Message(message)) => {
                    state.messages.fetch_add(1, Ordering::Relaxed);
                    // Fails only without receivers, and this task is one.
                    let _ = state.room.send(Arc::new(message));
                }
                Ok(_) => {}
                Err(_) => return,
            },
            message = room.recv() => match message {
                Ok(message) => {
                    if socket.send(&message).await.is_err() {
                        return;
                    }
                }
                // This connection is too slow. The messages that it missed are lost, which the verification reports.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            },
        }
    }
}
