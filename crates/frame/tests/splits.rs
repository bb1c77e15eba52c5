//! However the bytes of a stream are cut into reads, the events are the same.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use undrop_frame::deflate::{Deflater, Inflater, Params};
use undrop_frame::{Decoder, Encoder, FrameError, Incoming, Limits, OpCode, Piece, Role, Scanner};

const LIMITS: Limits = Limits { frame: 200_000, message: 300_000 };

/// An event without its place in memory.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Message(OpCode, Vec<u8>),
    Close(Option<(u16, String)>),
    Error(FrameError),
}

fn event(incoming: Incoming<'_>) -> Event {
    match incoming {
        Incoming::Text(payload) => Event::Message(OpCode::Text, payload.into_vec()),
        Incoming::Binary(payload) => Event::Message(OpCode::Binary, payload.into_vec()),
        Incoming::Ping(payload) => Event::Message(OpCode::Ping, payload.into_vec()),
        Incoming::Pong(payload) => Event::Message(OpCode::Pong, payload.into_vec()),
        Incoming::Close(close) => Event::Close(close.map(|(code, reason)| (code.get(), reason))),
    }
}

fn decoder(role: Role, deflate: Option<Params>) -> Decoder {
    let decoder = Decoder::new(role, LIMITS);
    match deflate {
        Some(params) => decoder.with_deflate(Inflater::new(params, role, LIMITS.message)),
        None => decoder,
    }
}

/// Feeds `bytes` in reads of the given sizes, over and over; a size of 0 reads into the spare room when there is
/// some.
fn decode(role: Role, deflate: Option<Params>, bytes: &[u8], sizes: &[usize]) -> Vec<Event> {
    let mut decoder = decoder(role, deflate);
    let mut events = Vec::new();
    let mut rest = bytes;
    let mut sizes = sizes.iter().copied().cycle();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(1);
        let mut buffer = Vec::new();
        let spare = if size == 0 { decoder.spare() } else { None };
        if let Some(spare) = spare {
            // Not always all of it: what is lent and not filled must not become payload.
            let n = spare.len().min(1 + rest.len() * 2 / 3).min(rest.len());
            spare[..n].copy_from_slice(&rest[..n]);
            rest = &rest[n..];
            decoder.filled(n);
        } else {
            let (front, back) = rest.split_at(size.max(1).min(rest.len()));
            buffer.extend_from_slice(front);
            rest = back;
        }
        let mut input = &mut buffer[..];
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(incoming)) => events.push(event(incoming)),
                Ok(None) => break,
                Err(error) => {
                    events.push(Event::Error(error));
                    return events;
                }
            }
        }
        assert!(input.is_empty(), "`None` means that all is used");
    }
    events
}

/// Headers and payload lengths that the scanner sees.
fn scan(role: Role, bytes: &[u8], sizes: &[usize]) -> (Vec<String>, Option<FrameError>) {
    let mut scanner = Scanner::new(role, LIMITS, true);
    let mut seen: Vec<String> = Vec::new();
    let mut payload = 0;
    let (mut start, mut end) = (0, 0);
    let mut sizes = sizes.iter().copied().cycle();
    while end < bytes.len() {
        end = (end + sizes.next().unwrap_or(1).max(1)).min(bytes.len());
        loop {
            match scanner.next(&bytes[start..end]) {
                Ok(Some(Piece::Header { header, len })) => {
                    seen.push(format!("{header:?}"));
                    start += len;
                }
                Ok(Some(Piece::Payload { len, last })) => {
                    start += len;
                    payload += len;
                    if last {
                        seen.push(format!("payload {payload}"));
                        payload = 0;
                    }
                }
                Ok(None) => break,
                Err(error) => return (seen, Some(error)),
            }
        }
        assert!(end - start < 14, "only an incomplete header may be left");
    }
    (seen, None)
}

/// A frame to send: opcode, FIN, payload, and whether it is one of a few broken forms.
fn frame() -> impl Strategy<Value = (u8, bool, Vec<u8>)> {
    let opcode =
        prop_oneof![4 => Just(0u8), 4 => Just(1), 4 => Just(2), 1 => Just(8), 2 => Just(9), 1 => Just(10)];
    let payload = prop_oneof![
        6 => "[a-zé€😀]{0,12}".prop_map(String::into_bytes),
        3 => proptest::collection::vec(any::<u8>(), 0..300),
        1 => (0usize..150_000).prop_map(|len| vec![b'z'; len]),
    ];
    (opcode, any::<bool>(), payload)
}

/// A mostly valid stream: fragments are kept in order, then a byte may be changed.
fn stream(role: Role, frames: &[(u8, bool, Vec<u8>)], flip: Option<(usize, u8)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut open = false;
    for (at, (opcode, fin, payload)) in frames.iter().enumerate() {
        let mut opcode = OpCode::from_u8(*opcode).unwrap();
        let mut payload = &payload[..];
        let mut fin = *fin;
        if opcode.is_control() {
            payload = &payload[..payload.len().min(125)];
            fin = true;
        } else {
            opcode = match (open, opcode) {
                (true, _) => OpCode::Continuation,
                (false, OpCode::Continuation) => OpCode::Text,
                (false, opcode) => opcode,
            };
            open = !fin;
        }
        let key = (at as u32).wrapping_mul(0x9e37_79b9).to_le_bytes();
        let mask = (role == Role::Server).then_some(key);
        let header = undrop_frame::Header { fin, rsv1: false, opcode, mask, len: payload.len() as u64 };
        let mut head = [0; 14];
        let used = header.encode(&mut head);
        bytes.extend_from_slice(&head[..used]);
        let start = bytes.len();
        bytes.extend_from_slice(payload);
        if mask.is_some() {
            undrop_frame::mask(&mut bytes[start..], key, 0);
        }
    }
    if let Some((at, value)) = flip
        && !bytes.is_empty()
    {
        let at = at % bytes.len();
        bytes[at] ^= value;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_split_gives_the_same_events(
        frames in proptest::collection::vec(frame(), 0..12),
        server in any::<bool>(),
        flip in proptest::option::of((any::<usize>(), 1u8..)),
        sizes in proptest::collection::vec(prop_oneof![Just(0usize), 1usize..20, 1usize..5000], 1..20),
    ) {
        let role = if server { Role::Server } else { Role::Client };
        let bytes = stream(role, &frames, flip);
        let whole = decode(role, None, &bytes, &[usize::MAX]);
        prop_assert_eq!(&decode(role, None, &bytes, &sizes), &whole);
        if bytes.len() < 3000 {
            prop_assert_eq!(&decode(role, None, &bytes, &[1]), &whole);
        }
        let scanned = scan(role, &bytes, &[usize::MAX]);
        prop_assert_eq!(scan(role, &bytes, &sizes), scanned);
    }

    #[test]
    fn any_split_of_compressed_messages_gives_the_same_events(
        messages in proptest::collection::vec("[a-cé]{0,400}", 1..8),
        server in any::<bool>(),
        takeover in any::<bool>(),
        fragment in 1usize..200,
        flip in proptest::option::of((any::<usize>(), 1u8..)),
        sizes in proptest::collection::vec(prop_oneof![1usize..20, 1usize..500], 1..10),
    ) {
        let (role, peer) = if server { (Role::Server, Role::Client) } else { (Role::Client, Role::Server) };
        let params = Params {
            client_no_context_takeover: !takeover,
            server_no_context_takeover: !takeover,
            ..Params::default()
        };
        let mut encoder = Encoder::new(peer).with_deflate(Deflater::new(params, peer, 0, 6));
        let mut bytes = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            let key = [at as u8, 1, 2, 3];
            encoder.message_fragmented(OpCode::Text, message.as_bytes(), fragment, || key, &mut bytes);
            encoder.control(OpCode::Ping, b"", key, &mut bytes);
        }
        if flip.is_none() {
            let events = decode(role, Some(params), &bytes, &sizes);
            let texts: Vec<_> = events.into_iter().filter(|e| matches!(e, Event::Message(OpCode::Text, _))).collect();
            let sent: Vec<_> =
                messages.iter().map(|m| Event::Message(OpCode::Text, m.clone().into_bytes())).collect();
            prop_assert_eq!(texts, sent);
        }
        if let Some((at, value)) = flip {
            let at = at % bytes.len();
            bytes[at] ^= value;
        }
        let whole = decode(role, Some(params), &bytes, &[usize::MAX]);
        prop_assert_eq!(decode(role, Some(params), &bytes, &sizes), whole);
    }

    #[test]
    fn what_is_encoded_is_decoded(
        messages in proptest::collection::vec((any::<bool>(), "[ -~é😀]{0,200}"), 0..10),
        client in any::<bool>(),
        key in any::<[u8; 4]>(),
    ) {
        let (role, peer) = if client { (Role::Client, Role::Server) } else { (Role::Server, Role::Client) };
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(role);
        let mut sent = Vec::new();
        for (text, message) in &messages {
            let opcode = if *text { OpCode::Text } else { OpCode::Binary };
            encoder.message(opcode, message.as_bytes(), key, &mut bytes);
            sent.push(Event::Message(opcode, message.clone().into_bytes()));
        }
        prop_assert_eq!(decode(peer, None, &bytes, &[usize::MAX]), sent);
    }
}

/// A frame of every length around the borders of the length forms and of the carry, cut at every kind of place.
#[test]
fn borders() {
    for len in [0, 1, 124, 125, 126, 127, 4095, 4096, 4097, 65535, 65536, 65537, 131_072, 200_000] {
        for role in [Role::Client, Role::Server] {
            let bytes = stream(role, &[(2, true, vec![7; len]), (9, true, b"end".to_vec())], None);
            let expected =
                [Event::Message(OpCode::Binary, vec![7; len]), Event::Message(OpCode::Ping, b"end".to_vec())];
            for sizes in [&[1, 1, 1, 0][..], &[13, 0], &[14, 0, 0, 3], &[5000, 0], &[65536], &[20, 1, 0]] {
                assert_eq!(decode(role, None, &bytes, sizes), expected, "{len} bytes in {sizes:?}");
            }
        }
    }
}
