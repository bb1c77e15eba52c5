//! However the bytes are cut, the replay buffer gets the same units.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use undrop_frame::{Decoder, Encoder, Incoming};

use super::*;

const LIMIT: u64 = 1000;

#[derive(Debug, Clone)]
enum Item {
    /// A message in fragments; each fragment but the last is followed by a Ping with its number.
    Message {
        text: bool,
        pieces: Vec<Vec<u8>>,
    },
    Ping(u8),
    Pong,
}

#[derive(Debug, Default)]
struct Recorder {
    open: Vec<u8>,
    units: Vec<Vec<u8>>,
    pings: Vec<Vec<u8>>,
    pongs: usize,
    closed: Option<(Option<CloseCode>, String)>,
}

impl Recorder {
    /// Does what the driver does with the bytes of one read. False after a Close frame.
    fn take(&mut self, backend: &mut FromBackend, mut input: &[u8]) -> Result<bool, FrameError> {
        while let Some(piece) = backend.next(&mut input)? {
            match piece {
                BackendPiece::Unit(unit) => self.append(unit, true),
                BackendPiece::Head { head, ends_unit } => self.append(head.as_bytes(), ends_unit),
                BackendPiece::Payload { bytes, ends_unit } => self.append(bytes, ends_unit),
                BackendPiece::Ping(payload) => self.pings.push(payload.to_vec()),
                BackendPiece::Pong => self.pongs += 1,
                BackendPiece::Close { code, reason } => {
                    assert!(self.closed.replace((code, reason)).is_none());
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn append(&mut self, bytes: &[u8], ends_unit: bool) {
        self.open.extend_from_slice(bytes);
        if ends_unit {
            self.units.push(std::mem::take(&mut self.open));
        }
    }
}

fn frame(fin: bool, opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
    let header = Header { fin, rsv1: false, opcode, mask: None, len: payload.len() as u64 };
    let mut head = [0; 14];
    let len = header.encode(&mut head);
    out.extend_from_slice(&head[..len]);
    out.extend_from_slice(payload);
}

/// Returns the message that a client reads from a unit, without the escape character.
fn read(unit: &[u8]) -> (bool, Vec<u8>) {
    let mut bytes = unit.to_vec();
    let mut input = &mut bytes[..];
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    let message = match decoder.decode(&mut input).unwrap().unwrap() {
        Incoming::Text(payload) => {
            let mut payload = payload.to_vec();
            if payload.first() == Some(&ESCAPE) {
                assert_eq!(payload.get(1), Some(&ESCAPE), "data never looks like a packet");
                payload.remove(0);
            }
            (true, payload)
        }
        Incoming::Binary(payload) => (false, payload.to_vec()),
        other => panic!("{other:?}"),
    };
    assert!(input.is_empty() && decoder.is_idle(), "one unit is one message");
    message
}

type Expected = (Vec<(bool, Vec<u8>)>, Vec<Vec<u8>>, usize);

fn script(items: &[Item]) -> (Vec<u8>, Expected) {
    let (mut wire, mut expected) = (Vec::new(), Expected::default());
    for item in items {
        match item {
            Item::Message { text, pieces } => {
                let first = if *text { OpCode::Text } else { OpCode::Binary };
                let last = pieces.len() - 1;
                for (at, piece) in pieces.iter().enumerate() {
                    let opcode = if at == 0 { first } else { OpCode::Continuation };
                    frame(at == last, opcode, piece, &mut wire);
                    if at != last {
                        frame(true, OpCode::Ping, &[at as u8; 2], &mut wire);
                        expected.1.push(vec![at as u8; 2]);
                    }
                }
                expected.0.push((*text, pieces.concat()));
            }
            Item::Ping(byte) => {
                frame(true, OpCode::Ping, &[*byte], &mut wire);
                expected.1.push(vec![*byte]);
            }
            Item::Pong => {
                frame(true, OpCode::Pong, b"", &mut wire);
                expected.2 += 1;
            }
        }
    }
    (wire, expected)
}

/// Feeds `wire` cut at `cuts`, the stash in front of each piece as the driver does it.
fn feed(wire: &[u8], cuts: &[usize]) -> (Result<bool, FrameError>, Recorder, FromBackend) {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (wire.len() + 1)).collect();
    at.extend([0, wire.len()]);
    at.sort_unstable();
    let (mut backend, mut recorder) = (FromBackend::new(LIMIT), Recorder::default());
    for pair in at.windows(2) {
        let bytes = [backend.stash(), &wire[pair[0]..pair[1]]].concat();
        match recorder.take(&mut backend, &bytes) {
            Ok(true) => assert!(backend.stash().len() <= 139, "a header or a control frame at most"),
            end => return (end, recorder, backend),
        }
    }
    (Ok(true), recorder, backend)
}

fn seen(recorder: &Recorder) -> Expected {
    (recorder.units.iter().map(|unit| read(unit)).collect(), recorder.pings.clone(), recorder.pongs)
}

fn item() -> impl Strategy<Value = Item> {
    let cut = |text: bool, bytes: Vec<u8>, cuts: Vec<usize>| {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        Item::Message { text, pieces: at.windows(2).map(|w| bytes[w[0]..w[1]].to_vec()).collect() }
    };
    let cuts = || proptest::collection::vec(any::<usize>(), 0..4);
    prop_oneof![
        4 => ("\u{1f}{0,2}[a-zü]{0,20}", cuts()).prop_map(move |(text, cuts)| cut(true, text.into_bytes(), cuts)),
        2 => (proptest::collection::vec(any::<u8>(), 0..300), cuts())
            .prop_map(move |(bytes, cuts)| cut(false, bytes, cuts)),
        1 => any::<u8>().prop_map(Item::Ping),
        1 => Just(Item::Pong),
    ]
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        items in proptest::collection::vec(item(), 0..24),
        cuts in proptest::collection::vec(any::<usize>(), 0..24),
    ) {
        let (wire, expected) = script(&items);
        let (result, recorder, backend) = feed(&wire, &cuts);
        prop_assert_eq!(result, Ok(true));
        prop_assert_eq!(seen(&recorder), expected);
        prop_assert!(recorder.open.is_empty());
        prop_assert_eq!(backend.stash.capacity(), 0, "between frames nothing is held");
    }

    #[test]
    fn noise_has_one_verdict(
        items in proptest::collection::vec(item(), 0..4),
        noise in proptest::collection::vec(any::<u8>(), 0..64),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let (mut wire, _) = script(&items);
        wire.extend(noise);
        let (at_once, whole, _) = feed(&wire, &[]);
        let (in_pieces, pieces, _) = feed(&wire, &cuts);
        prop_assert_eq!(at_once, in_pieces);
        prop_assert_eq!(whole.units, pieces.units);
        prop_assert_eq!((whole.pings, whole.pongs, whole.closed), (pieces.pings, pieces.pongs, pieces.closed));
    }
}

#[test]
fn every_single_cut_and_byte_by_byte() {
    let text = |pieces: &[&[u8]]| Item::Message {
        text: true,
        pieces: pieces.iter().map(|piece| piece.to_vec()).collect(),
    };
    let items = [
        text(&[b"plain"]),
        text(&[b"\x1fescaped"]),
        Item::Ping(1),
        text(&[b""]),
        text(&[b"", b"", b"\x1f", b"x", b""]),
        text(&[b"", b""]),
        text(&[b"", b"late"]),
        Item::Message { text: false, pieces: vec![vec![ESCAPE; 200], vec![], vec![1]] },
        Item::Pong,
        text(&[b"\x1f", b"\x1f"]),
    ];
    let (wire, expected) = script(&items);
    for cut in 0..wire.len() {
        assert_eq!(seen(&feed(&wire, &[cut]).1), expected, "cut at {cut}");
    }
    let all: Vec<usize> = (0..wire.len()).collect();
    assert_eq!(seen(&feed(&wire, &all).1), expected);
}

#[test]
fn a_close_ends_it_and_nothing_behind_it_counts() {
    let mut wire = Vec::new();
    frame(true, OpCode::Text, b"before", &mut wire);
    Encoder::new(Role::Server).close(Some(CloseCode::new(4001)), "why", [0; 4], &mut wire);
    let end = wire.len();
    frame(true, OpCode::Text, b"behind", &mut wire);
    for cut in 0..end {
        let (result, recorder, _) = feed(&wire, &[cut]);
        assert_eq!(result, Ok(false));
        assert_eq!(recorder.closed, Some((Some(CloseCode::new(4001)), "why".into())));
        assert_eq!(recorder.units.len(), 1, "cut at {cut}");
    }
}

#[test]
fn faults_and_their_codes() {
    let too_long = vec![0; LIMIT as usize + 1];
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut wire = Vec::new();
        frame(true, OpCode::Text, b"before", &mut wire);
        write(&mut wire);
        wire
    };
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("masked", written(&|w| w.extend(b"\x81\x82....hi")), 1002),
        ("compressed", written(&|w| w.extend(b"\xc1\x02hi")), 1002),
        ("reserved opcode", written(&|w| w.extend(b"\x8b\x00")), 1002),
        ("too long", written(&|w| frame(true, OpCode::Binary, &too_long, w)), 1009),
        (
            "too long in fragments",
            written(&|w| {
                frame(false, OpCode::Text, b"x", w);
                frame(true, OpCode::Continuation, &too_long[1..], w);
            }),
            1009,
        ),
        ("stray continuation", written(&|w| frame(true, OpCode::Continuation, b"1", w)), 1002),
        (
            "text inside a message",
            written(&|w| {
                frame(false, OpCode::Text, b"", w);
                frame(true, OpCode::Text, b"2", w);
            }),
            1002,
        ),
        ("half a close code", written(&|w| frame(true, OpCode::Close, b"1", w)), 1002),
    ];
    for (name, wire, code) in cases {
        for cut in 0..wire.len() {
            let (result, recorder, _) = feed(&wire, &[cut]);
            assert_eq!(result.map_err(|error| error.close_code().get()), Err(code), "{name}: cut at {cut}");
            assert_eq!(recorder.units.len(), 1, "{name}: cut at {cut}");
        }
    }
}

#[test]
fn a_message_inside_another_one_has_its_own_reason() {
    for (first, second) in [(&b""[..], OpCode::Text), (b"1", OpCode::Text), (b"1", OpCode::Binary)] {
        let mut wire = Vec::new();
        frame(false, OpCode::Text, first, &mut wire);
        frame(true, second, b"2", &mut wire);
        assert_eq!(feed(&wire, &[]).0, Err(FrameError::ExpectedContinuation));
    }
}
