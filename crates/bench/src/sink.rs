//! A backend that checks what it receives: `undrop bench sink`.
//!
//! It judges the numbered streams of a run on their way up, answers every message with one of a stream of its own, and tells
//! its count when it is asked. A message that is not part of a numbered stream is echoed. On purpose it can lose, double,
//! swap or corrupt a message now and then, to show that the proof finds it.

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

/// Runs that are remembered; then the oldest is forgotten.
const RUNS: usize = 8;
/// Streams that one run may have.
const STREAMS: usize = 1_000_000;

/// Largest message of a broadcast, bytes: up to 1,024 of them wait for slow members.
const COPIED: u64 = 1 << 20;

/// How a sink behaves.
#[derive(Debug, Clone)]
pub struct SinkOptions {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Share the port with other processes.
    pub reuse_port: bool,
    /// Largest message accepted, bytes.
    pub max_message: u64,
    /// Return messages as they came, instead of answering with a stream of its own.
    pub echo: bool,
    /// Send every message to all connections instead of answering it.
    pub broadcast: bool,
    /// What goes wrong on purpose.
    pub sabotage: Option<Sabotage>,
    /// Close every connection at this age, without a Close frame.
    pub lifetime: Option<Duration>,
}

/// What goes wrong on purpose with answers, each time after so many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sabotage {
    /// The fault.
    pub how: Fault,
    /// One in so many messages, counted over all connections.
    pub every: u64,
}

/// One fault in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A message is not answered.
    Lose,
    /// An answer is sent twice.
    Double,
    /// An answer changes places with the next one.
    Swap,
    /// An answer has a wrong byte.
    Corrupt,
}

/// What a sink has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SinkCounts {
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Messages received.
    pub messages: u64,
    /// What was found in all numbered streams.
    pub up: StreamCounts,
    /// Numbers that are missing below the highest ones seen.
    pub missing: u64,
}

/// A sink that is listening. Serves while [`Sink::serve`] is polled.
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

/// Both directions of one stream. It outlives its connections: a resumed session may come on a new one.
#[derive(Debug)]
struct Pair {
    up: IncomingStream,
    down: OutgoingStream,
}

impl Sink {
    /// Listens.
    ///
    /// # Errors
    /// The address cannot be had.
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

    /// Where it listens.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What it has seen, for whoever watches while it serves.
    pub fn watch(&self) -> SinkWatch {
        SinkWatch(self.state.clone())
    }

    /// Serves until dropped, or until the listening socket fails for good.
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

/// See [`Sink::watch`].
#[derive(Debug, Clone)]
pub struct SinkWatch(Arc<State>);

impl SinkWatch {
    /// What the sink has seen so far.
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
        // Counters stay usable whatever happened to another holder.
        self.runs.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether this message is one that goes wrong, and how.
    fn fault(&self) -> Option<Fault> {
        let nth = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
        let sabotage = self.options.sabotage?;
        nth.is_multiple_of(sabotage.every.max(1)).then_some(sabotage.how)
    }
}

impl Runs {
    /// The stream that a stamp belongs to; `None` when there are too many.
    fn pair(&mut self, stamp: &Stamp) -> Option<&mut Pair> {
        if !self.streams.contains_key(&stamp.run) {
            if self.order.len() == RUNS
                && let Some(oldest) = self.order.pop_front()
            {
                self.streams.remove(&oldest);
            }
            self.order.push_back(stamp.run);
        }
        let streams = self.streams.entry(stamp.run).or_default();
        if streams.len() >= STREAMS && !streams.contains_key(&stamp.stream) {
            return None;
        }
        Some(streams.entry(stamp.stream).or_insert_with(|| Pair {
            up: IncomingStream::default(),
            down: OutgoingStream::new(StampKind::Down, stamp.run, stamp.stream),
        }))
    }
}

/// Counts a connection as long as it is there.
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
        answer(socket, &state).await;
    }
}

async fn accept(mut stream: Stream, state: &State) -> Option<WebSocket> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let (head, leftover) = match read_request(&mut stream, 16 * 1024, deadline).await {
        Ok(read) => read,
        Err(error) => {
            if let Some(status) = AcceptError::status(&error) {
                // A peer that is gone needs no answer.
                let _ = stream.write_all(&response_plain(status, &[], &format!("{error}\n"))).await;
            }
            return None;
        }
    };
    let largest = state.options.max_message.min(if state.options.broadcast { COPIED } else { u64::MAX });
    let limits = Limits { frame: largest, message: largest };
    let mut config = WebSocketConfig { limits, ..WebSocketConfig::default() };
    let answer = match check_upgrade(&head) {
        Ok(request) => {
            let ours = deflate::Config::default();
            let agreed = request.extensions.as_deref().and_then(|offers| ours.negotiate(offers));
            let extensions = agreed.as_ref().map(|(_, answer)| answer.clone());
            config.deflate = agreed.map(|(params, _)| (params, ours));
            // A session's sub-protocol is for a gateway: nobody here speaks it.
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

/// Judges and answers until one side closes.
async fn answer(mut socket: WebSocket, state: &State) {
    let deadline = state.options.lifetime.map(|age| Instant::now() + age);
    // An answer that is to change places with the next one.
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
        // Its ending is told by the next read; what is not read is lost with the connection.
        if sent.is_err() {
            return;
        }
    }
}

struct Reply {
    message: Message,
    /// An answer to the load, which faults are counted on.
    counts: bool,
}

/// The answer to a message; `None`: there is none.
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
            // Stays ASCII, so that a text stays valid.
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

/// Every message goes to everybody, the sender included.
async fn broadcast(mut socket: WebSocket, state: &State) {
    let mut room = state.room.subscribe();
    loop {
        tokio::select! {
            received = socket.recv() => match received {
                Ok(Received::Message(message)) => {
                    state.messages.fetch_add(1, Ordering::Relaxed);
                    // Fails only when nobody listens, and we do.
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
                // Too slow: what it missed is lost, and the proof says so.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            },
        }
    }
}
