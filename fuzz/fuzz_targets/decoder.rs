//! Arbitrary frames: no panic, no more memory than limits allow, and the same events however the bytes are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use undrop_frame::deflate::{Inflater, Params};
use undrop_frame::{Decoder, Encoder, FrameError, Incoming, Limits, OpCode, Piece, Role, Scanner};

const LIMITS: Limits = Limits { frame: 1 << 16, message: 1 << 17 };

#[derive(Debug, PartialEq)]
enum Event {
    Message(OpCode, Vec<u8>),
    Close(Option<(u16, String)>),
    Error(FrameError),
}

// The first byte chooses role and extension, the second seeds the cuts, the rest is the stream.
fuzz_target!(|data: &[u8]| {
    let &[choice, seed, ref stream @ ..] = data else { return };
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let deflate = (choice & 2 != 0).then_some(Params {
        client_no_context_takeover: choice & 4 == 0,
        server_no_context_takeover: choice & 4 == 0,
        ..Params::default()
    });
    let whole = decode(role, deflate, stream, |_| usize::MAX);
    let mut state = u32::from(seed) | 1;
    let cut = decode(role, deflate, stream, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as usize % 37
    });
    assert_eq!(whole, cut);
    assert_eq!(decode(role, deflate, stream, |_| 1), whole);
    scan(role, deflate.is_some(), stream);
    if deflate.is_none() {
        again(role, &whole);
    }
});

/// Reads of the given sizes; 0 reads into the spare room when there is some.
fn decode(
    role: Role,
    deflate: Option<Params>,
    mut rest: &[u8],
    mut size: impl FnMut(usize) -> usize,
) -> Vec<Event> {
    let mut decoder = Decoder::new(role, LIMITS);
    if let Some(params) = deflate {
        decoder = decoder.with_deflate(Inflater::new(params, role, LIMITS.message));
    }
    let mut events = Vec::new();
    while !rest.is_empty() {
        let n = size(rest.len());
        let spare = if n == 0 { decoder.spare() } else { None };
        let mut buffer = Vec::new();
        if let Some(spare) = spare {
            let n = spare.len().min(1 + rest.len() * 2 / 3).min(rest.len());
            spare[..n].copy_from_slice(&rest[..n]);
            rest = &rest[n..];
            decoder.filled(n);
        } else {
            let (front, back) = rest.split_at(n.max(1).min(rest.len()));
            buffer.extend_from_slice(front);
            rest = back;
        }
        let mut input = &mut buffer[..];
        loop {
            events.push(match decoder.decode(&mut input) {
                Ok(Some(Incoming::Text(payload))) => {
                    assert!(payload.as_str().is_some());
                    Event::Message(OpCode::Text, payload.into_vec())
                }
                Ok(Some(Incoming::Binary(payload))) => Event::Message(OpCode::Binary, payload.into_vec()),
                Ok(Some(Incoming::Ping(payload))) => Event::Message(OpCode::Ping, payload.into_vec()),
                Ok(Some(Incoming::Pong(payload))) => Event::Message(OpCode::Pong, payload.into_vec()),
                Ok(Some(Incoming::Close(close))) => {
                    Event::Close(close.map(|(code, reason)| (code.get(), reason)))
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(error.close_code().may_be_sent());
                    events.push(Event::Error(error));
                    return events;
                }
            });
            if let Some(Event::Message(_, payload)) = events.last() {
                assert!(payload.len() as u64 <= LIMITS.message);
            }
        }
    }
    events
}

/// The scanner never passes the end of its input, and needs no more steps than there are bytes.
fn scan(role: Role, rsv1: bool, mut rest: &[u8]) {
    let mut scanner = Scanner::new(role, LIMITS, rsv1);
    while let Ok(Some(piece)) = scanner.next(rest) {
        let (Piece::Header { len, .. } | Piece::Payload { len, .. }) = piece;
        assert!(len > 0);
        rest = &rest[len..];
    }
}

/// A decoded message decodes to itself after encoding.
fn again(role: Role, events: &[Event]) {
    let mut encoder = Encoder::new(if role == Role::Server { Role::Client } else { Role::Server });
    let mut bytes = Vec::new();
    let mut expected = 0;
    for event in events {
        match event {
            Event::Message(opcode, payload) => encoder.message(*opcode, payload, [1, 2, 3, 4], &mut bytes),
            Event::Close(close) => {
                let code = close.as_ref().map(|(code, _)| (*code).into());
                encoder.close(code, close.as_ref().map_or("", |(_, reason)| reason), [5; 4], &mut bytes);
            }
            Event::Error(_) => break,
        }
        expected += 1;
    }
    assert_eq!(decode(role, None, &bytes, |_| usize::MAX), events[..expected]);
}
