//! The decoder beside two others, on random and damaged streams: the same verdict and the same messages, or a
//! difference that is named in [`deliberate`].
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::WebSocketConfig;
use undrop_frame::{Decoder, Header, Incoming, Limits, OpCode, Role, mask};

const LIMIT: usize = 100_000;
const LIMITS: Limits = Limits { frame: LIMIT as u64, message: LIMIT as u64 };

/// The result of an implementation for a stream.
#[derive(Debug, PartialEq)]
struct Outcome {
    seen: Vec<(OpCode, Vec<u8>)>,
    end: End,
}

#[derive(Debug, PartialEq)]
enum End {
    /// Waits for more bytes.
    Open,
    /// Saw a Close frame.
    Closed(Option<u16>),
    Refused(String),
}

fn ours(role: Role, bytes: &[u8]) -> Outcome {
    let mut decoder = Decoder::new(role, LIMITS);
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    let mut seen = Vec::new();
    loop {
        let (opcode, payload) = match decoder.decode(&mut input) {
            Ok(None) => return Outcome { seen, end: End::Open },
            Ok(Some(Incoming::Close(close))) => {
                return Outcome { seen, end: End::Closed(close.map(|(code, _)| code.get())) };
            }
            Err(error) => return Outcome { seen, end: End::Refused(error.to_string()) },
            Ok(Some(Incoming::Text(payload))) => (OpCode::Text, payload),
            Ok(Some(Incoming::Binary(payload))) => (OpCode::Binary, payload),
            Ok(Some(Incoming::Ping(payload))) => (OpCode::Ping, payload),
            Ok(Some(Incoming::Pong(payload))) => (OpCode::Pong, payload),
        };
        seen.push((opcode, payload.into_vec()));
    }
}

/// A connection that has sent all it will, and takes what is written.
struct Wire(Cursor<Vec<u8>>);

impl Read for Wire {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.read(out.initialize_unfilled()) {
            Ok(n) => {
                out.advance(n);
                Poll::Ready(Ok(()))
            }
            Err(_) => Poll::Pending,
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn tungstenite(role: Role, bytes: &[u8]) -> Outcome {
    use tungstenite::{Error, Message};
    let side = match role {
        Role::Client => tungstenite::protocol::Role::Client,
        Role::Server => tungstenite::protocol::Role::Server,
    };
    let config = WebSocketConfig::default().max_frame_size(Some(LIMIT)).max_message_size(Some(LIMIT));
    let wire = Wire(Cursor::new(bytes.to_vec()));
    let mut socket = tungstenite::WebSocket::from_raw_socket(wire, side, Some(config));
    let mut seen = Vec::new();
    loop {
        seen.push(match socket.read() {
            Ok(Message::Text(text)) => (OpCode::Text, text.as_bytes().to_vec()),
            Ok(Message::Binary(bytes)) => (OpCode::Binary, bytes.to_vec()),
            Ok(Message::Ping(bytes)) => (OpCode::Ping, bytes.to_vec()),
            Ok(Message::Pong(bytes)) => (OpCode::Pong, bytes.to_vec()),
            Ok(Message::Close(close)) => {
                return Outcome { seen, end: End::Closed(close.map(|close| close.code.into())) };
            }
            Ok(Message::Frame(_)) => unreachable!("only written"),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return Outcome { seen, end: End::Open };
            }
            Err(error) => return Outcome { seen, end: End::Refused(error.to_string()) },
        });
    }
}

fn tokio_websockets(role: Role, bytes: &[u8]) -> Outcome {
    let wire = Wire(Cursor::new(bytes.to_vec()));
    let limits = tokio_websockets::Limits::default().max_payload_len(Some(LIMIT));
    let mut socket = match role {
        Role::Server => tokio_websockets::ServerBuilder::new().limits(limits).serve(wire),
        Role::Client => tokio_websockets::ClientBuilder::new().limits(limits).take_over(wire),
    };
    let mut context = Context::from_waker(futures_util::task::noop_waker_ref());
    let mut seen = Vec::new();
    loop {
        match Pin::new(&mut socket).poll_next(&mut context) {
            Poll::Pending | Poll::Ready(None) => return Outcome { seen, end: End::Open },
            Poll::Ready(Some(Err(error))) => return Outcome { seen, end: End::Refused(error.to_string()) },
            Poll::Ready(Some(Ok(message))) => {
                let opcode = if message.is_text() {
                    OpCode::Text
                } else if message.is_binary() {
                    OpCode::Binary
                } else if message.is_ping() {
                    OpCode::Ping
                } else if message.is_pong() {
                    OpCode::Pong
                } else {
                    let code = (!message.as_payload().is_empty())
                        .then(|| message.as_close().map(|(code, _)| u16::from(code)))
                        .flatten();
                    return Outcome { seen, end: End::Closed(code) };
                };
                seen.push((opcode, message.as_payload().to_vec()));
            }
        }
    }
}

/// A stream of frames that are mostly in order, mostly well-formed, and then damaged or not.
fn stream(rng: &mut fastrand::Rng, role: Role) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut open = false;
    for _ in 0..rng.usize(1..8) {
        let opcode = match rng.u8(..40) {
            0..12 => OpCode::Text,
            12..24 => OpCode::Binary,
            24..30 => OpCode::Ping,
            30..34 => OpCode::Pong,
            34..35 => OpCode::Close,
            _ => OpCode::Continuation,
        };
        let fits = opcode.is_control() || open == (opcode == OpCode::Continuation);
        let opcode = match (fits || rng.u8(..50) == 0, open) {
            (true, _) => opcode,
            (false, true) => OpCode::Continuation,
            (false, false) => OpCode::Text,
        };
        let fin = opcode.is_control() || rng.bool();
        if !opcode.is_control() {
            open = !fin;
        }
        let mut payload = payload(rng, opcode);
        let masked = (role == Role::Server) != (rng.u8(..100) == 0);
        let key = rng.u32(..).to_le_bytes();
        let header =
            Header { fin, rsv1: false, opcode, mask: masked.then_some(key), len: payload.len() as u64 };
        let mut head = [0; Header::MAX_LEN];
        let used = header.encode(&mut head);
        bytes.extend_from_slice(&head[..used]);
        if masked {
            mask(&mut payload, key, 0);
        }
        bytes.extend_from_slice(&payload);
    }
    match rng.u8(..4) {
        0 => {
            let at = rng.usize(..bytes.len());
            bytes[at] ^= 1 << rng.u8(..8);
        }
        1 => {
            let at = rng.usize(..bytes.len());
            bytes.truncate(at);
        }
        2 => {
            let at = rng.usize(..bytes.len());
            bytes.insert(at, rng.u8(..));
        }
        _ => {}
    }
    bytes
}

fn payload(rng: &mut fastrand::Rng, opcode: OpCode) -> Vec<u8> {
    if opcode == OpCode::Close {
        let code = [1000u16, 1001, 1005, 1011, 1012, 2999, 3000, 4999, 5000, rng.u16(..)][rng.usize(..10)];
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(["", "bye", "é"][rng.usize(..3)].as_bytes());
        payload.truncate(rng.usize(..8));
        return payload;
    }
    let len = match rng.u8(..20) {
        0 if !opcode.is_control() => rng.usize(..70_000),
        1..4 => rng.usize(..126),
        _ => rng.usize(..12),
    };
    let alphabet = ["a", "z", " ", "é", "€", "😀"];
    let mut text = String::new();
    while text.len() < len {
        text.push_str(alphabet[rng.usize(..alphabet.len())]);
    }
    let mut payload = text.into_bytes();
    // Cuts characters in two, which is wrong at the end of a text and right between its fragments.
    if rng.u8(..10) == 0 || opcode.is_control() {
        payload.truncate(len.min(125));
    }
    payload
}

/// The stream with its last frame made complete by zeros: a refusal that needed no more than a part of a frame has
/// to come from everybody then.
fn completed(role: Role, bytes: &[u8]) -> Vec<u8> {
    let mut whole = bytes.to_vec();
    let mut at = 0;
    let byte = |whole: &mut Vec<u8>, at: usize, fill: u8| {
        while whole.len() <= at {
            whole.push(fill);
        }
        u64::from(whole[at])
    };
    while at < bytes.len() {
        let second = byte(&mut whole, at + 1, if role == Role::Server { 0x80 } else { 0 });
        at += 2;
        let extra = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mut len = if extra == 0 { second & 0x7f } else { 0 };
        for i in 0..extra {
            len = len << 8 | byte(&mut whole, at + i, 0);
        }
        at += extra + if second & 0x80 == 0 { 0 } else { 4 };
        at = at.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
        if at > 4 * LIMIT {
            // Over every limit: refused at the header.
            at = whole.len().max(bytes.len()) + 14;
        }
    }
    if at > whole.len() {
        whole.resize(at, 0);
    }
    whole
}

/// Returns why a difference is intended; `None` if it is a fault of one of the two.
fn deliberate(
    role: Role,
    bytes: &[u8],
    ours: &Outcome,
    theirs: &Outcome,
    again: impl Fn(Role, &[u8]) -> Outcome,
) -> Option<&'static str> {
    let refused = |outcome: &Outcome| matches!(outcome.end, End::Refused(_));
    if theirs.seen.iter().any(|(opcode, text)| *opcode == OpCode::Text && std::str::from_utf8(text).is_err())
    {
        return Some("they hand out text that ends inside a character, before an empty last frame");
    }
    if ours.seen != theirs.seen {
        return None;
    }
    match (&ours.end, &theirs.end) {
        (End::Refused(error), End::Closed(Some(1002))) if error.starts_with("close code") => {
            Some("they report a forbidden close code as a close with 1002")
        }
        (End::Refused(_), End::Open) => {
            let again = again(role, &completed(role, bytes));
            (refused(&again) || again.end == End::Closed(Some(1002)))
                .then_some("we refuse a part of a frame, they wait for all of it")
        }
        (End::Open, End::Refused(_)) => refused(&self::ours(role, &completed(role, bytes)))
            .then_some("they refuse a part of a frame, we wait for its header"),
        _ => None,
    }
}

fn compare(name: &str, known: &[&str], theirs: impl Fn(Role, &[u8]) -> Outcome + Copy) {
    let mut rng = fastrand::Rng::with_seed(20_261_120);
    let mut differences: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut refused, mut closed) = (0, 0);
    for _ in 0..6000 {
        let role = if rng.bool() { Role::Server } else { Role::Client };
        let bytes = stream(&mut rng, role);
        let ours = ours(role, &bytes);
        let others = theirs(role, &bytes);
        refused += usize::from(matches!(ours.end, End::Refused(_)));
        closed += usize::from(matches!(ours.end, End::Closed(_)));
        let same_end =
            ours.end == others.end || matches!((&ours.end, &others.end), (End::Refused(_), End::Refused(_)));
        if same_end && ours.seen == others.seen {
            continue;
        }
        let Some(why) = deliberate(role, &bytes, &ours, &others, theirs) else {
            panic!("{role:?} {bytes:02x?}\nours: {ours:?}\n{name}: {others:?}");
        };
        *differences.entry(why).or_default() += 1;
    }
    assert_eq!(differences.keys().copied().collect::<Vec<_>>(), known, "{differences:?}");
    // The streams have to be worth comparing.
    assert!((600..4000).contains(&refused) && closed > 90, "{refused} refused, {closed} closed");
}

#[test]
fn beside_tungstenite() {
    let known = [
        "they report a forbidden close code as a close with 1002",
        "we refuse a part of a frame, they wait for all of it",
    ];
    compare("tungstenite", &known, tungstenite);
}

#[test]
fn beside_tokio_websockets() {
    let known = [
        "they hand out text that ends inside a character, before an empty last frame",
        "they refuse a part of a frame, we wait for its header",
        "we refuse a part of a frame, they wait for all of it",
    ];
    compare("tokio-websockets", &known, tokio_websockets);
}
