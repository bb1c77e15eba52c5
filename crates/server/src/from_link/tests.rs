//! However the bytes are cut, what comes out is the same.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use undrop_session::ESCAPE;

use super::*;

const LIMIT: u64 = 1000;

/// One thing that a client sends.
#[derive(Debug, Clone)]
enum Item {
    Text(String),
    Binary(Vec<u8>),
    /// A message in fragments; each fragment but the last is followed by a Ping with its number.
    Fragments {
        text: bool,
        pieces: Vec<Vec<u8>>,
    },
    Packet(u64),
    /// The same packet, one byte per fragment.
    FragmentedPacket(u64),
    Ping(u8),
    Pong,
}

/// The output, in order. Pings may overtake data, so they are kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Out {
    main: Vec<Event>,
    pings: Vec<Vec<u8>>,
    pongs: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Message(OpCode, Vec<u8>),
    Packet(Packet),
    Close(Option<CloseCode>, String),
}

/// Records, and says that the first `known` units are duplicates.
struct Recorder {
    out: Out,
    known: usize,
    lengths: Vec<usize>,
    promised: u64,
}

impl Recorder {
    fn new(known: usize) -> Recorder {
        Recorder { out: Out::default(), known, lengths: Vec::new(), promised: 0 }
    }
}

impl Recorder {
    /// Does what the driver does with the bytes of one read.
    fn take(&mut self, link: &mut FromLink, bytes: &mut [u8]) -> Result<(), LinkFault> {
        let mut input = LinkInput::new(bytes);
        let result = self.take_pieces(link, &mut input);
        self.flush(&mut input);
        result
    }

    fn take_pieces(&mut self, link: &mut FromLink, input: &mut LinkInput<'_>) -> Result<(), LinkFault> {
        while let Some(piece) = link.next(input)? {
            match piece {
                LinkPiece::Unit { frame, len } if self.is_new(len) => match frame {
                    Span::Input(range) => input.keep(range),
                    Span::Owned { bytes, .. } => self.deliver(&bytes, 1),
                },
                LinkPiece::Rebuilt { opcode, payload } if self.is_new(payload.len()) => {
                    self.flush(input);
                    let frame = encode_masked(opcode, input.get(&payload))?;
                    self.deliver(&frame, 1);
                }
                LinkPiece::Unit { .. } | LinkPiece::Rebuilt { .. } => {}
                LinkPiece::Packet(packet) => {
                    self.flush(input);
                    self.out.main.push(Event::Packet(packet));
                }
                LinkPiece::Ping(payload) => self.out.pings.push(input.get(&payload).to_vec()),
                LinkPiece::Pong => self.out.pongs += 1,
                LinkPiece::Close { code, reason } => {
                    self.flush(input);
                    self.out.main.push(Event::Close(code, reason));
                }
            }
        }
        Ok(())
    }

    fn is_new(&mut self, len: usize) -> bool {
        self.lengths.push(len);
        self.lengths.len() > self.known
    }

    fn flush(&mut self, input: &mut LinkInput<'_>) {
        let (frames, units) = input.take_run();
        self.deliver(frames, units);
    }

    fn deliver(&mut self, frames: &[u8], units: u64) {
        let mut bytes = frames.to_vec();
        let (mut at, mut found) = (0, 0);
        while at < bytes.len() {
            let (header, head) = Header::parse(&bytes[at..]).unwrap().expect("whole frames only");
            assert!(header.fin && matches!(header.opcode, OpCode::Text | OpCode::Binary), "{header:?}");
            let end = at + head + header.len as usize;
            let payload = &mut bytes[at + head..end];
            mask(payload, header.mask.expect("masked"), 0);
            self.out.main.push(Event::Message(header.opcode, payload.to_vec()));
            (at, found) = (end, found + 1);
        }
        assert_eq!(found, units);
        self.promised += units;
    }
}

fn frame(fin: bool, opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
    let key = [7, out.len() as u8, 91, 200];
    let header = Header { fin, rsv1: false, opcode, mask: Some(key), len: payload.len() as u64 };
    let mut head = [0; 14];
    let len = header.encode(&mut head);
    out.extend_from_slice(&head[..len]);
    let at = out.len();
    out.extend_from_slice(payload);
    mask(&mut out[at..], key, 0);
}

/// Writes the items as a client does, and says what must come out.
fn script(items: &[Item], known: usize) -> (Vec<u8>, Out) {
    let (mut wire, mut out, mut units) = (Vec::new(), Out::default(), 0);
    let mut message = |out: &mut Out, opcode, payload: &[u8]| {
        units += 1;
        if units > known {
            out.main.push(Event::Message(opcode, payload.to_vec()));
        }
    };
    for item in items {
        match item {
            Item::Text(text) => {
                message(&mut out, OpCode::Text, text.as_bytes());
                frame(true, OpCode::Text, &undrop_session::escape(text.as_bytes()), &mut wire);
            }
            Item::Binary(bytes) => {
                message(&mut out, OpCode::Binary, bytes);
                frame(true, OpCode::Binary, bytes, &mut wire);
            }
            Item::Fragments { text, pieces } => {
                let whole = pieces.concat();
                let opcode = if *text { OpCode::Text } else { OpCode::Binary };
                message(&mut out, opcode, &whole);
                let mut pieces = pieces.clone();
                if *text && whole.first() == Some(&ESCAPE) {
                    pieces.insert(0, vec![ESCAPE]);
                }
                let last = pieces.len() - 1;
                for (at, piece) in pieces.iter().enumerate() {
                    let opcode = if at == 0 { opcode } else { OpCode::Continuation };
                    frame(at == last, opcode, piece, &mut wire);
                    if at != last {
                        frame(true, OpCode::Ping, &[at as u8], &mut wire);
                        out.pings.push(vec![at as u8]);
                    }
                }
            }
            Item::Packet(number) => {
                frame(true, OpCode::Text, Packet::Ack(*number).encode().as_bytes(), &mut wire);
                out.main.push(Event::Packet(Packet::Ack(*number)));
            }
            Item::FragmentedPacket(number) => {
                let text = Packet::Ack(*number).encode().into_bytes();
                for (at, byte) in text.iter().enumerate() {
                    let opcode = if at == 0 { OpCode::Text } else { OpCode::Continuation };
                    frame(at + 1 == text.len(), opcode, &[*byte], &mut wire);
                }
                out.main.push(Event::Packet(Packet::Ack(*number)));
            }
            Item::Ping(byte) => {
                frame(true, OpCode::Ping, &[*byte; 3], &mut wire);
                out.pings.push(vec![*byte; 3]);
            }
            Item::Pong => {
                frame(true, OpCode::Pong, b"whatever", &mut wire);
                out.pongs += 1;
            }
        }
    }
    (wire, out)
}

/// Feeds `wire` cut at `cuts` (taken modulo what is there), with bytes of a live buffer behind nothing.
fn feed(wire: &[u8], cuts: &[usize], known: usize) -> (Result<(), String>, Recorder, FromLink) {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (wire.len() + 1)).collect();
    at.extend([0, wire.len()]);
    at.sort_unstable();
    let (mut link, mut recorder) = (FromLink::new(LIMIT), Recorder::new(known));
    for pair in at.windows(2) {
        let mut bytes = wire[pair[0]..pair[1]].to_vec();
        if let Err(error) = recorder.take(&mut link, &mut bytes) {
            return (Err(error.to_string()), recorder, link);
        }
        assert!(link.carry.capacity() as u64 <= 2 * (LIMIT + 14), "the carry is bounded by one frame");
    }
    (Ok(()), recorder, link)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zä]{0,12}",
        2 => "\u{1f}{1,3}[a-z]{0,4}",
        1 => proptest::collection::vec(any::<char>(), 120..200).prop_map(|all| all.into_iter().collect()),
    ]
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        3 => text().prop_map(Item::Text),
        2 => proptest::collection::vec(any::<u8>(), 0..200).prop_map(Item::Binary),
        2 => (text(), proptest::collection::vec(any::<usize>(), 0..4)).prop_map(|(text, cuts)| {
            let bytes = text.into_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            Item::Fragments { text: true, pieces: at.windows(2).map(|w| bytes[w[0]..w[1]].to_vec()).collect() }
        }),
        1 => proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 1..4)
            .prop_map(|pieces| Item::Fragments { text: false, pieces }),
        2 => (0u64..99_999).prop_map(Item::Packet),
        1 => (0u64..99_999).prop_map(Item::FragmentedPacket),
        1 => any::<u8>().prop_map(Item::Ping),
        1 => Just(Item::Pong),
    ]
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        items in proptest::collection::vec(item(), 0..24),
        cuts in proptest::collection::vec(any::<usize>(), 0..24),
        known in 0usize..6,
    ) {
        let (wire, expected) = script(&items, known);
        let (result, recorder, link) = feed(&wire, &cuts, known);
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(&recorder.out, &expected);
        prop_assert!(recorder.promised as usize == recorder.lengths.len().saturating_sub(known));
        prop_assert_eq!(link.carry.capacity(), 0, "between frames nothing is held");
        prop_assert!(link.assembly.is_none());
    }

    /// Noise neither panics nor lets the carry grow beyond a frame, and the split changes nothing about the verdict.
    #[test]
    fn noise_has_one_verdict(
        items in proptest::collection::vec(item(), 0..4),
        noise in proptest::collection::vec(any::<u8>(), 0..64),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let (mut wire, _) = script(&items, 0);
        wire.extend(noise);
        let (at_once, whole, _) = feed(&wire, &[], 0);
        let (in_pieces, pieces, _) = feed(&wire, &cuts, 0);
        prop_assert_eq!(at_once, in_pieces);
        prop_assert_eq!(whole.out, pieces.out);
    }
}

fn sample() -> Vec<Item> {
    vec![
        Item::Text("plain".into()),
        Item::Packet(7),
        Item::Text("\u{1f}looks like a packet".into()),
        Item::Text(String::new()),
        Item::Ping(9),
        Item::Binary(vec![ESCAPE; 130]),
        Item::Fragments { text: true, pieces: vec![vec![], b"\x1f".to_vec(), vec![], b"x".to_vec()] },
        Item::FragmentedPacket(36),
        Item::Fragments { text: false, pieces: vec![vec![ESCAPE], vec![]] },
        Item::Pong,
        Item::Text("\u{1f}".into()),
    ]
}

#[test]
fn every_single_cut_and_byte_by_byte() {
    for known in [0, 2, 5, 99] {
        let (wire, expected) = script(&sample(), known);
        for cut in 0..wire.len() {
            assert_eq!(feed(&wire, &[cut], known).1.out, expected, "cut at {cut}, {known} known");
        }
        let all: Vec<usize> = (0..wire.len()).collect();
        assert_eq!(feed(&wire, &all, known).1.out, expected);
    }
}

/// The gateway does not look into payloads, so the backend refuses such a text.
#[test]
fn text_that_is_not_utf8_is_forwarded() {
    let mut wire = Vec::new();
    frame(true, OpCode::Text, b"\x80", &mut wire);
    let (result, recorder, _) = feed(&wire, &[], 0);
    assert_eq!(result, Ok(()));
    assert_eq!(recorder.out.main, [Event::Message(OpCode::Text, b"\x80".to_vec())]);
}

#[test]
fn nothing_behind_a_close_is_read() {
    let (mut wire, mut expected) = script(&[Item::Text("before".into())], 0);
    let payload = [&4001u16.to_be_bytes()[..], b"why"].concat();
    frame(true, OpCode::Close, &payload, &mut wire);
    expected.main.push(Event::Close(Some(CloseCode::new(4001)), "why".into()));
    frame(true, OpCode::Text, b"behind", &mut wire);
    frame(true, OpCode::Ping, b"behind", &mut wire);
    frame(false, OpCode::Ping, b"a fragmented Ping is an error", &mut wire);
    for cut in 0..wire.len() {
        let (result, recorder, _) = feed(&wire, &[cut], 0);
        assert_eq!(result, Ok(()), "cut at {cut}");
        assert_eq!(recorder.out, expected, "cut at {cut}");
    }
}

/// Everything before a fault is delivered first, then the fault is reported, wherever the bytes are split.
#[test]
fn faults_and_their_codes() {
    let bad = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut wire = Vec::new();
        frame(true, OpCode::Text, b"before", &mut wire);
        write(&mut wire);
        wire
    };
    let too_long = vec![0; LIMIT as usize + 1];
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("unmasked", bad(&|w| w.extend(b"\x81\x02hi")), 1002),
        ("reserved bit", bad(&|w| w.extend(b"\xa1\x82....hi")), 1002),
        ("compressed", bad(&|w| w.extend(b"\xc1\x82....hi")), 1002),
        ("reserved opcode", bad(&|w| w.extend(b"\x83\x82....hi")), 1002),
        ("too long", bad(&|w| frame(true, OpCode::Binary, &too_long, w)), 1009),
        (
            "too long in fragments",
            bad(&|w| {
                frame(false, OpCode::Binary, &too_long[1..], w);
                frame(true, OpCode::Continuation, b"1", w);
            }),
            1009,
        ),
        ("stray continuation", bad(&|w| frame(true, OpCode::Continuation, b"1", w)), 1002),
        (
            "text inside a message",
            bad(&|w| {
                frame(false, OpCode::Text, b"1", w);
                frame(true, OpCode::Text, b"2", w);
            }),
            1002,
        ),
        ("unknown packet", bad(&|w| frame(true, OpCode::Text, b"\x1fZ", w)), 1002),
        ("empty packet", bad(&|w| frame(true, OpCode::Text, b"\x1f", w)), 1002),
        ("packet that is not UTF-8", bad(&|w| frame(true, OpCode::Text, b"\x1fa\xff", w)), 1007),
        ("half a close code", bad(&|w| frame(true, OpCode::Close, b"1", w)), 1002),
        ("forbidden close code", bad(&|w| frame(true, OpCode::Close, &1005u16.to_be_bytes(), w)), 1002),
        ("length of 2^63", bad(&|w| w.extend(b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff....")), 1002),
    ];
    for (name, wire, code) in cases {
        for cut in 0..wire.len() {
            let (mut link, mut recorder) = (FromLink::new(LIMIT), Recorder::new(0));
            let mut both = [wire[..cut].to_vec(), wire[cut..].to_vec()];
            let fault = both.iter_mut().find_map(|bytes| recorder.take(&mut link, bytes).err());
            let fault = fault.unwrap_or_else(|| panic!("{name}: cut at {cut}: accepted"));
            assert_eq!(fault.close_code().get(), code, "{name}: {fault}");
            let before = Event::Message(OpCode::Text, b"before".to_vec());
            assert_eq!(recorder.out.main, [before], "{name}: cut at {cut}");
        }
    }
}

#[test]
fn an_announced_length_alone_reserves_one_step() {
    let mut link = FromLink::new(1 << 30);
    let mut recorder = Recorder::new(0);
    let mut wire = b"\x82\xff\x00\x00\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00".to_vec();
    wire.extend([1; 10]);
    recorder.take(&mut link, &mut wire).unwrap();
    assert!(link.carry.capacity() <= 2 * CARRY_STEP, "{}", link.carry.capacity());
    let mut arrived = wire.len();
    while arrived < 1 << 20 {
        let mut more = vec![2; 60_000];
        arrived += more.len();
        recorder.take(&mut link, &mut more).unwrap();
        assert!(link.carry.capacity() <= 2 * arrived + CARRY_STEP, "{arrived} arrived");
    }
    assert!(recorder.lengths.is_empty());
}

#[test]
fn a_large_frame_leaves_no_memory_behind() {
    let mut link = FromLink::new(1 << 20);
    let mut recorder = Recorder::new(0);
    let mut wire = Vec::new();
    frame(true, OpCode::Binary, &vec![5; 1 << 20], &mut wire);
    frame(true, OpCode::Text, b"small", &mut wire);
    for piece in wire.chunks_mut(50_000) {
        recorder.take(&mut link, piece).unwrap();
    }
    assert_eq!(recorder.lengths, [1 << 20, 5]);
    assert_eq!(link.carry.capacity(), 0);
}

#[test]
fn a_message_inside_another_one_has_its_own_reason() {
    for opcode in [OpCode::Text, OpCode::Binary] {
        let mut wire = Vec::new();
        frame(false, OpCode::Text, b"1", &mut wire);
        frame(true, opcode, b"2", &mut wire);
        let (result, ..) = feed(&wire, &[], 0);
        assert_eq!(result, Err(FrameError::ExpectedContinuation.to_string()));
    }
}
