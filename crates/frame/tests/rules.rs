//! One test for each rule of RFC 6455 that a peer can break, and for the answers to it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use undrop_frame::{
    CloseCode, Decoder, Encoder, FrameError, Header, Incoming, Limits, Message, OpCode, Payload, Piece, Role,
    Scanner,
};

/// Returns the result for a whole stream: messages in order, then the error if there was one.
fn read(role: Role, limits: Limits, bytes: &[u8]) -> (Vec<String>, Option<FrameError>) {
    let mut decoder = Decoder::new(role, limits);
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    let mut seen = Vec::new();
    loop {
        match decoder.decode(&mut input) {
            Ok(Some(incoming)) => seen.push(show(&incoming)),
            Ok(None) => return (seen, None),
            Err(error) => {
                // An error is for good.
                assert_eq!(decoder.decode(&mut input).unwrap_err(), error);
                return (seen, Some(error));
            }
        }
    }
}

fn show(incoming: &Incoming<'_>) -> String {
    let text = |payload: &Payload<'_>| String::from_utf8_lossy(payload).into_owned();
    match incoming {
        Incoming::Text(payload) => format!("text {}", text(payload)),
        Incoming::Binary(payload) => format!("binary {}", text(payload)),
        Incoming::Ping(payload) => format!("ping {}", text(payload)),
        Incoming::Pong(payload) => format!("pong {}", text(payload)),
        Incoming::Close(None) => "close".to_owned(),
        Incoming::Close(Some((code, reason))) => format!("close {} {reason}", code.get()),
    }
}

/// A client's view: unmasked frames.
fn from_server(bytes: &[u8]) -> (Vec<String>, Option<FrameError>) {
    read(Role::Client, Limits::default(), bytes)
}

fn refused(bytes: &[u8]) -> FrameError {
    from_server(bytes).1.expect("an error")
}

/// RFC 6455 §5.7, the examples.
#[test]
fn examples_of_the_standard() {
    assert_eq!(from_server(b"\x81\x05Hello").0, ["text Hello"]);
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(read(Role::Server, Limits::default(), masked).0, ["text Hello"]);
    assert_eq!(from_server(b"\x01\x03Hel\x80\x02lo").0, ["text Hello"]);
    assert_eq!(from_server(b"\x89\x05Hello").0, ["ping Hello"]);
    let mut long = vec![0x82, 0x7e, 0x01, 0x00];
    long.extend_from_slice(&[b'x'; 256]);
    assert_eq!(from_server(&long).0[0].len(), "binary ".len() + 256);
    let mut longer = vec![0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0];
    longer.extend_from_slice(&[b'x'; 65536]);
    assert_eq!(from_server(&longer).0[0].len(), "binary ".len() + 65536);
}

// RFC 6455 §5.1
#[test]
fn mask_is_required_of_clients_and_forbidden_to_servers() {
    assert_eq!(read(Role::Server, Limits::default(), b"\x81\x00").1, Some(FrameError::Unmasked));
    assert_eq!(refused(b"\x81\x80\0\0\0\0"), FrameError::Masked);
}

// RFC 6455 §5.2
#[test]
fn reserved_bits_and_opcodes() {
    for first in [0x91, 0xa1, 0xb1, 0xc1, 0xf1, 0x99, 0xd9] {
        assert_eq!(refused(&[first, 0]), FrameError::ReservedBit, "{first:x}");
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        assert_eq!(refused(&[0x80 | opcode]), FrameError::ReservedOpCode(opcode));
    }
}

// RFC 6455 §5.2
#[test]
fn length_is_minimal_and_below_two_to_the_63() {
    assert_eq!(refused(&[0x82, 126, 0, 125]), FrameError::NonMinimalLength);
    assert_eq!(refused(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), FrameError::NonMinimalLength);
    assert_eq!(refused(&[0x82, 127, 0x80, 0, 0, 0, 0, 1, 0, 0]), FrameError::LengthOutOfRange);
    assert_eq!(Header::parse(&[0x82, 126, 0, 126]).unwrap().unwrap().0.len, 126);
    assert_eq!(Header::parse(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]).unwrap().unwrap().0.len, 65536);
}

// RFC 6455 §5.5
#[test]
fn control_frames_are_short_and_whole() {
    for opcode in [8, 9, 10] {
        assert_eq!(refused(&[opcode]), FrameError::ControlFragmented);
        assert_eq!(refused(&[0x80 | opcode, 126]), FrameError::ControlTooLong);
        assert_eq!(refused(&[0x80 | opcode, 127]), FrameError::ControlTooLong);
    }
    let mut ping = vec![0x89, 125];
    ping.extend_from_slice(&[b'x'; 125]);
    assert_eq!(from_server(&ping).0[0].len(), "ping ".len() + 125);
}

// RFC 6455 §5.4
#[test]
fn fragments_follow_their_message() {
    assert_eq!(refused(b"\x80\x00"), FrameError::UnexpectedContinuation);
    assert_eq!(refused(b"\x00\x00"), FrameError::UnexpectedContinuation);
    assert_eq!(refused(b"\x01\x01a\x01\x01b"), FrameError::ExpectedContinuation);
    assert_eq!(refused(b"\x01\x01a\x82\x01b"), FrameError::ExpectedContinuation);
    assert_eq!(refused(b"\x01\x01a\x80\x01b\x80\x01c"), FrameError::UnexpectedContinuation);
    let control_between = b"\x01\x01a\x89\x01p\x00\x01b\x8a\x00\x80\x01c\x82\x01d";
    assert_eq!(from_server(control_between).0, ["ping p", "pong ", "text abc", "binary d"]);
    assert_eq!(from_server(b"\x02\x00\x00\x00\x80\x00").0, ["binary "]);
}

// RFC 6455 §5.5.1, §7.4
#[test]
fn close_frames() {
    assert_eq!(from_server(b"\x88\x00").0, ["close"]);
    assert_eq!(from_server(b"\x88\x02\x03\xe8").0, ["close 1000 "]);
    assert_eq!(from_server(b"\x88\x05\x03\xe9bye").0, ["close 1001 bye"]);
    assert_eq!(refused(b"\x88\x01\x03"), FrameError::CloseTooShort);
    assert_eq!(refused(b"\x88\x04\x03\xe8\xc3\x28"), FrameError::InvalidUtf8);
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        let [high, low] = code.to_be_bytes();
        assert_eq!(refused(&[0x88, 2, high, low]), FrameError::InvalidCloseCode(code));
    }
    for code in
        [1000u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    {
        let [high, low] = code.to_be_bytes();
        assert_eq!(from_server(&[0x88, 2, high, low]).0, [format!("close {code} ")]);
    }
    // What follows a Close frame is ignored, whatever it is.
    assert_eq!(from_server(b"\x88\x00\x81\x01a\xff\xff"), (vec!["close".to_owned()], None));
}

// RFC 6455 §8.1
#[test]
fn text_is_checked_while_it_arrives() {
    assert_eq!(refused(b"\x81\x01\xff"), FrameError::InvalidUtf8);
    assert_eq!(refused(b"\x81\x02\xce\xba\x81\x01\xce"), FrameError::InvalidUtf8);
    assert_eq!(from_server(b"\x01\x01\xce\x80\x01\xba").0, ["text κ"]);
    // The bad byte is refused before its frame, its message and even its character are complete.
    assert_eq!(refused(b"\x81\x7f\0\0\0\0\0\x01\0\0abc\xf4\x90"), FrameError::InvalidUtf8);
    assert_eq!(refused(b"\x01\x02ok\x00\x05\xc0"), FrameError::InvalidUtf8);
    // Binary messages are not text, and text that is cut between frames may be cut inside a character.
    assert_eq!(from_server(b"\x82\x01\xff").1, None);
    assert_eq!(refused(b"\x01\x01\xce\x80\x00"), FrameError::InvalidUtf8);
}

/// RFC 6455 §10.4: limits on frame and on message.
#[test]
fn sizes_are_bounded_before_the_bytes_arrive() {
    let limits = Limits { frame: 4, message: 6 };
    let verdict = |bytes: &[u8]| read(Role::Client, limits, bytes).1;
    assert_eq!(verdict(b"\x82\x04abcd"), None);
    assert_eq!(verdict(b"\x82\x05"), Some(FrameError::FrameTooBig { limit: 4 }));
    assert_eq!(verdict(b"\x02\x04abcd\x80\x02ef"), None);
    assert_eq!(verdict(b"\x02\x04abcd\x80\x03"), Some(FrameError::MessageTooBig { limit: 6 }));
    // A control frame does not count, and the next message starts again.
    assert_eq!(verdict(b"\x02\x04abcd\x89\x05hello\x80\x02ef\x82\x04abcd"), None);
    let mut huge = [0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(refused(&huge), FrameError::FrameTooBig { limit: 64 << 20 });
    huge[0] = 0x02;
    assert_eq!(read(Role::Client, Limits::NONE, &huge).1, None);
}

#[test]
fn each_error_has_its_close_code() {
    assert_eq!(FrameError::InvalidUtf8.close_code(), CloseCode::INVALID_PAYLOAD);
    assert_eq!(FrameError::CorruptDeflate.close_code(), CloseCode::INVALID_PAYLOAD);
    assert_eq!(FrameError::FrameTooBig { limit: 1 }.close_code(), CloseCode::MESSAGE_TOO_BIG);
    assert_eq!(FrameError::MessageTooBig { limit: 1 }.close_code(), CloseCode::MESSAGE_TOO_BIG);
    assert_eq!(FrameError::ReservedBit.close_code(), CloseCode::PROTOCOL_ERROR);
    assert_eq!(FrameError::InvalidCloseCode(5).close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn header_survives_its_own_encoding() {
    for len in [0, 1, 125, 126, 127, 65535, 65536, (1 << 63) - 1] {
        for mask in [None, Some([1, 2, 3, 4])] {
            for (fin, rsv1) in [(true, false), (false, true), (false, false)] {
                let header = Header { fin, rsv1, opcode: OpCode::Binary, mask, len };
                let mut out = [0; Header::MAX_LEN];
                let used = header.encode(&mut out);
                assert_eq!(used, header.encoded_len());
                assert_eq!(Header::parse(&out[..used]).unwrap(), Some((header, used)));
                for cut in 0..used {
                    assert_eq!(Header::parse(&out[..cut]).unwrap(), None);
                }
            }
        }
    }
}

/// RFC 6455 §5.5: what we send keeps to the rules too.
#[test]
fn encoder_cuts_what_does_not_fit_a_control_frame() {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(Role::Server);
    encoder.control(OpCode::Ping, &[b'x'; 200], [0; 4], &mut out);
    assert_eq!(from_server(&out).0[0].len(), "ping ".len() + 125);
    out.clear();
    encoder.close(Some(CloseCode::GOING_AWAY), &"é".repeat(100), [0; 4], &mut out);
    assert_eq!(from_server(&out).0, [format!("close 1001 {}", "é".repeat(61))]);
    out.clear();
    for code in [CloseCode::NO_STATUS, CloseCode::ABNORMAL, CloseCode::TLS_HANDSHAKE, CloseCode::new(7)] {
        encoder.close(Some(code), "why", [0; 4], &mut out);
    }
    assert_eq!(out, b"\x88\x00\x88\x00\x88\x00\x88\x00");
}

// RFC 6455 §5.4
#[test]
fn encoder_fragments() {
    let mut out = Vec::new();
    let mut keys = 0u32;
    let mut encoder = Encoder::new(Role::Client);
    let next_key = || {
        keys += 1;
        keys.to_le_bytes()
    };
    encoder.message_fragmented(OpCode::Text, "grüße".as_bytes(), 3, next_key, &mut out);
    assert_eq!(keys, 3);
    assert_eq!(
        read(Role::Server, Limits { frame: 3, message: 7 }, &out),
        (vec!["text grüße".to_owned()], None)
    );
    let mut headers = Vec::new();
    let mut scanner = Scanner::new(Role::Server, Limits::default(), false);
    let mut rest = &out[..];
    while let Some(piece) = scanner.next(rest).unwrap() {
        rest = match piece {
            Piece::Header { header, len } => {
                headers.push((header.opcode, header.fin, header.len));
                &rest[len..]
            }
            Piece::Payload { len, .. } => &rest[len..],
        };
    }
    let expected =
        [(OpCode::Text, false, 3), (OpCode::Continuation, false, 3), (OpCode::Continuation, true, 1)];
    assert_eq!(headers, expected);
    out.clear();
    Encoder::new(Role::Server).message_fragmented(OpCode::Binary, b"", 0, || [0; 4], &mut out);
    assert_eq!(out, b"\x82\x00");
}

#[test]
fn header_alone_and_payload_in_place_make_the_same_frame() {
    for role in [Role::Client, Role::Server] {
        let mut encoder = Encoder::new(role);
        let (key, payload) = ([9, 8, 7, 6], b"payload written from where it is");
        let mut whole = Vec::new();
        encoder.message(OpCode::Binary, payload, key, &mut whole);
        let mut head = [0; Header::MAX_LEN];
        let used = encoder.header(OpCode::Binary, payload.len() as u64, key, &mut head);
        let mut body = *payload;
        if role == Role::Client {
            undrop_frame::mask(&mut body, key, 0);
        }
        assert_eq!([&head[..used], &body].concat(), whole);
    }
}

#[test]
fn scanner_knows_where_control_frames_fit() {
    let mut scanner = Scanner::new(Role::Client, Limits::default(), false);
    assert!(scanner.at_boundary() && !scanner.in_message());
    assert!(matches!(scanner.next(b"\x01\x03ab").unwrap(), Some(Piece::Header { len: 2, .. })));
    assert!(!scanner.at_boundary() && scanner.in_message());
    assert_eq!(scanner.next(b"ab").unwrap(), Some(Piece::Payload { len: 2, last: false }));
    assert_eq!(scanner.next(b"").unwrap(), None);
    assert_eq!(scanner.next(b"c\x80").unwrap(), Some(Piece::Payload { len: 1, last: true }));
    assert!(scanner.at_boundary() && scanner.in_message());
    assert_eq!(scanner.next(b"\x80").unwrap(), None);
    assert!(matches!(scanner.next(b"\x80\x00").unwrap(), Some(Piece::Header { len: 2, .. })));
    assert!(scanner.at_boundary() && !scanner.in_message());
}

/// RFC 7692 §6.1: RSV1 on the first frame of a data message only, and only when negotiated.
#[test]
fn scanner_passes_compressed_frames_when_told_so() {
    let verdict = |rsv1, bytes: &[&[u8]]| {
        let mut scanner = Scanner::new(Role::Client, Limits::default(), rsv1);
        bytes.iter().find_map(|frame| scanner.next(frame).err())
    };
    assert_eq!(verdict(true, &[b"\xc1\x00"]), None);
    assert_eq!(verdict(true, &[b"\x41\x00", b"\x80\x00"]), None);
    assert_eq!(verdict(false, &[b"\xc1\x00"]), Some(FrameError::ReservedBit));
    assert_eq!(verdict(true, &[b"\x01\x00", b"\xc0\x00"]), Some(FrameError::ReservedBit));
    assert_eq!(verdict(true, &[b"\xc9\x00"]), Some(FrameError::ReservedBit));
}

#[test]
fn owned_messages() {
    let mut bytes = *b"\x81\x02hi\x82\x01x\x89\x00";
    let mut input = &mut bytes[..];
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    let mut next = || decoder.decode(&mut input).unwrap().unwrap().into_message();
    assert_eq!(next(), Ok(Message::from("hi")));
    assert_eq!(next(), Ok(Message::from(vec![b'x'])));
    assert!(matches!(next(), Err(Incoming::Ping(_))));
}
