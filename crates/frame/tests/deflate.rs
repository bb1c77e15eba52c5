//! permessage-deflate: what is negotiated, what is sent, what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "deflate/distance.rs"]
mod distance;

use undrop_frame::deflate::{Config, DeflateContext, Deflater, InflateContext, Inflater, Params};
use undrop_frame::{Decoder, Encoder, FrameError, Incoming, Limits, OpCode, Role};

const TAKEOVER: Params = Params {
    client_no_context_takeover: false,
    server_no_context_takeover: false,
    client_max_window_bits: 15,
    server_max_window_bits: 15,
};
const NO_TAKEOVER: Params =
    Params { client_no_context_takeover: true, server_no_context_takeover: true, ..TAKEOVER };

fn inflate(inflater: &mut Inflater, compressed: &[u8]) -> Result<Vec<u8>, FrameError> {
    let mut out = Vec::new();
    inflater.inflate(compressed, &mut out).map(|()| out)
}

/// RFC 7692 §7.2.3, the examples.
#[test]
fn examples_of_the_standard() {
    let mut inflater = Inflater::new(TAKEOVER, Role::Server, 100);
    assert_eq!(inflate(&mut inflater, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap(), b"Hello");
    // 7.2.3.2: the second message refers to the first.
    assert_eq!(inflate(&mut inflater, &[0xf2, 0x00, 0x11, 0x00, 0x00]).unwrap(), b"Hello");
    // 7.2.3.3: a block that is stored.
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    assert_eq!(inflate(&mut inflater, &stored).unwrap(), b"Hello");
    // 7.2.3.4: a block that is the last of its stream; the next message starts a new one.
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    assert_eq!(inflate(&mut inflater, &last).unwrap(), b"Hello");
    assert_eq!(inflate(&mut inflater, &last[..7]).unwrap(), b"Hello");
    // … and may refer to what stood in that message.
    assert_eq!(inflate(&mut inflater, &[0xf2, 0x00, 0x11, 0x00, 0x00]).unwrap(), b"Hello");
    // 7.2.3.5: two blocks.
    let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(inflate(&mut inflater, &two).unwrap(), b"Hello");
    // 7.2.3.6: an empty message.
    assert_eq!(inflate(&mut inflater, &[0x00]).unwrap(), b"");
    assert_eq!(inflate(&mut Inflater::new(NO_TAKEOVER, Role::Server, 100), &last).unwrap(), b"Hello");
}

#[test]
fn without_takeover_a_message_stands_for_itself() {
    let mut inflater = Inflater::new(NO_TAKEOVER, Role::Server, 100);
    assert_eq!(inflate(&mut inflater, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap(), b"Hello");
    let refers_back = [0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(inflate(&mut inflater, &refers_back), Err(FrameError::CorruptDeflate));
    inflater.lend(InflateContext::new());
    assert_eq!(inflate(&mut inflater, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap(), b"Hello");
    assert_eq!(inflate(&mut inflater, &refers_back), Err(FrameError::CorruptDeflate));
    assert_eq!(inflate(&mut inflater, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap(), b"Hello");
    assert!(inflater.reclaim().is_some());
}

fn sample(size: usize, seed: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let words: Vec<Vec<u8>> =
        (0..300).map(|_| (0..rng.usize(2..40)).map(|_| rng.alphabetic() as u8).collect()).collect();
    let mut text = Vec::new();
    while text.len() < size {
        text.extend_from_slice(&words[rng.usize(..words.len())]);
    }
    text.truncate(size);
    text
}

#[test]
fn every_level_and_window_round_trips() {
    for (params, lend) in [(TAKEOVER, false), (NO_TAKEOVER, false), (NO_TAKEOVER, true)] {
        for level in 1..=9 {
            for bits in 9..=15 {
                let params = Params { server_max_window_bits: bits, ..params };
                let mut deflater = Deflater::new(params, Role::Server, 0, level);
                let mut inflater = Inflater::new(params, Role::Client, 1 << 20);
                if lend {
                    deflater.lend(DeflateContext::new(level, bits));
                    inflater.lend(InflateContext::new());
                }
                for (at, size) in [1, 3, 100, 5000, 40_000, 70_000, 64, 1000].into_iter().enumerate() {
                    let message = sample(size, at as u64 % 3);
                    let mut compressed = Vec::new();
                    if deflater.deflate(&message, &mut compressed) {
                        assert_eq!(inflate(&mut inflater, &compressed).unwrap(), message);
                    } else {
                        assert!(
                            params.server_no_context_takeover && size < 5000,
                            "{size} bytes at level {level}, window {bits}"
                        );
                    }
                }
                assert_eq!(deflater.reclaim().is_some(), lend);
            }
        }
    }
}

/// RFC 7692 §7.1.2: no reference goes further back than the window.
#[test]
fn the_window_is_kept() {
    // The same 600 bytes at a distance of 20,000, and smaller ones: out of reach for small windows.
    let mut message = sample(600, 1);
    for (gap, seed) in [(19_400, 2), (400, 3), (2000, 4), (7000, 5)] {
        message.extend(sample(gap, seed));
        message.extend(sample(600, 1));
    }
    let mut seen = 0;
    for level in 1..=9 {
        for bits in 9..=15 {
            let params = Params { server_max_window_bits: bits, ..TAKEOVER };
            let mut deflater = Deflater::new(params, Role::Server, 0, level);
            for _ in 0..2 {
                let mut compressed = Vec::new();
                assert!(deflater.deflate(&message, &mut compressed));
                compressed.extend_from_slice(&[0, 0, 0xff, 0xff]);
                let distance = distance::largest(&compressed);
                assert!(distance <= 1 << bits, "{distance} at level {level}, window {bits}");
                seen = seen.max(distance);
            }
        }
    }
    assert!(seen > 1 << 14, "the test sees only {seen}");
}

/// RFC 7692 §8: a small message that would fill memory.
#[test]
fn a_bomb_is_refused_before_it_fills_memory() {
    let mut compressed = Vec::new();
    assert!(Deflater::new(NO_TAKEOVER, Role::Client, 0, 9).deflate(&vec![0; 64 << 20], &mut compressed));
    assert!(compressed.len() < 100_000);
    for params in [NO_TAKEOVER, TAKEOVER] {
        let mut out = Vec::new();
        let refused = Inflater::new(params, Role::Server, 1 << 20).inflate(&compressed, &mut out);
        assert_eq!(refused, Err(FrameError::MessageTooBig { limit: 1 << 20 }));
        assert!(out.capacity() <= 2 << 20, "{} bytes", out.capacity());
    }
    // The cap itself is allowed.
    let mut exact = Vec::new();
    assert!(Deflater::new(NO_TAKEOVER, Role::Client, 0, 9).deflate(&vec![0; 1 << 20], &mut exact));
    assert_eq!(
        inflate(&mut Inflater::new(NO_TAKEOVER, Role::Server, 1 << 20), &exact).unwrap().len(),
        1 << 20
    );
    let refused = inflate(&mut Inflater::new(NO_TAKEOVER, Role::Server, (1 << 20) - 1), &exact);
    assert_eq!(refused, Err(FrameError::MessageTooBig { limit: (1 << 20) - 1 }));
}

#[test]
fn garbage_is_refused_and_never_loops() {
    let mut rng = fastrand::Rng::with_seed(3);
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..rng.usize(..40)).map(|_| rng.u8(..)).collect();
        match inflate(&mut Inflater::new(NO_TAKEOVER, Role::Server, 1 << 16), &bytes) {
            Ok(_) => taken += 1,
            Err(FrameError::CorruptDeflate | FrameError::MessageTooBig { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > taken, "{refused} refused, {taken} taken");
}

fn messages(decoder: &mut Decoder, bytes: &[u8]) -> Result<Vec<Vec<u8>>, FrameError> {
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    let mut messages = Vec::new();
    while let Some(incoming) = decoder.decode(&mut input)? {
        if let Incoming::Text(payload) | Incoming::Binary(payload) = incoming {
            messages.push(payload.into_vec());
        }
    }
    Ok(messages)
}

/// RFC 7692 §6.1, §7.2.2
#[test]
fn frames_carry_rsv1_only_where_it_belongs() {
    let inflater = || Inflater::new(NO_TAKEOVER, Role::Client, 1 << 20);
    let decoder = || Decoder::new(Role::Client, Limits::default()).with_deflate(inflater());
    let hello = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
    assert_eq!(messages(&mut decoder(), hello).unwrap(), [b"Hello"]);
    assert_eq!(
        messages(&mut decoder(), b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00").unwrap(),
        [b"Hello"]
    );
    assert_eq!(messages(&mut decoder(), b"\x81\x05Hello").unwrap(), [b"Hello"]);
    assert_eq!(messages(&mut decoder(), b"\xc9\x00"), Err(FrameError::ReservedBit));
    assert_eq!(messages(&mut decoder(), b"\x41\x01\xf2\xc0\x00"), Err(FrameError::ReservedBit));
    assert_eq!(messages(&mut decoder(), b"\xc1\x01\xff"), Err(FrameError::CorruptDeflate));
    let mut plain = Decoder::new(Role::Client, Limits::default());
    assert_eq!(messages(&mut plain, hello), Err(FrameError::ReservedBit));
    // Text that is not UTF-8 once decompressed.
    let mut compressed = Vec::new();
    assert!(Deflater::new(NO_TAKEOVER, Role::Server, 0, 1).deflate(&[0xff; 100], &mut compressed));
    let mut frame = vec![0xc1, compressed.len() as u8];
    frame.extend_from_slice(&compressed);
    assert_eq!(messages(&mut decoder(), &frame), Err(FrameError::InvalidUtf8));
}

#[test]
fn small_and_incompressible_messages_go_as_they_are() {
    let mut encoder =
        Encoder::new(Role::Server).with_deflate(Deflater::new(NO_TAKEOVER, Role::Server, 64, 1));
    let mut out = Vec::new();
    encoder.message(OpCode::Text, &[b'a'; 63], [0; 4], &mut out);
    assert_eq!(out[0], 0x81);
    out.clear();
    encoder.message(OpCode::Text, &[b'a'; 64], [0; 4], &mut out);
    assert_eq!(out[0], 0xc1);
    out.clear();
    let mut rng = fastrand::Rng::with_seed(1);
    let noise: Vec<u8> = (0..500).map(|_| rng.u8(..)).collect();
    encoder.message(OpCode::Binary, &noise, [0; 4], &mut out);
    assert_eq!((out[0], out.len()), (0x82, 504));
    out.clear();
    encoder.plain(OpCode::Text, &[b'a'; 500], [0; 4], &mut out);
    assert_eq!(out[0], 0x81);
}

/// RFC 7692 §5.1, §7.1: the server's answer to each form of offer.
#[test]
fn negotiation_as_a_server() {
    let lenient =
        Config { client_no_context_takeover: false, server_no_context_takeover: false, ..Config::default() };
    let small = Config { server_max_window_bits: 10, client_max_window_bits: 11, ..lenient.clone() };
    let cases = [
        (&lenient, "permessage-deflate", Some("permessage-deflate")),
        (&lenient, "PERMESSAGE-DEFLATE", Some("permessage-deflate")),
        (
            &Config::default(),
            "permessage-deflate",
            Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
        ),
        (
            &lenient,
            "permessage-deflate; server_no_context_takeover; client_max_window_bits",
            Some("permessage-deflate; server_no_context_takeover"),
        ),
        (
            &lenient,
            "permessage-deflate; client_no_context_takeover",
            Some("permessage-deflate; client_no_context_takeover"),
        ),
        (
            &lenient,
            "permessage-deflate; server_max_window_bits=10",
            Some("permessage-deflate; server_max_window_bits=10"),
        ),
        (
            &lenient,
            "permessage-deflate; server_max_window_bits=\"15\"",
            Some("permessage-deflate; server_max_window_bits=15"),
        ),
        (
            &lenient,
            "permessage-deflate; client_max_window_bits=9",
            Some("permessage-deflate; client_max_window_bits=9"),
        ),
        (&small, "permessage-deflate", Some("permessage-deflate; server_max_window_bits=10")),
        (
            &small,
            "permessage-deflate; client_max_window_bits; server_max_window_bits=12",
            Some("permessage-deflate; server_max_window_bits=10; client_max_window_bits=11"),
        ),
        // Passed over: a window that the compressor cannot keep to, and what RFC 7692 §7.1 does not allow.
        (&lenient, "permessage-deflate; server_max_window_bits=8", None),
        (&lenient, "permessage-deflate; server_max_window_bits", None),
        (&lenient, "permessage-deflate; server_max_window_bits=16", None),
        (&lenient, "permessage-deflate; server_max_window_bits=09", None),
        (&lenient, "permessage-deflate; client_max_window_bits=7", None),
        (&lenient, "permessage-deflate; server_no_context_takeover=1", None),
        (&lenient, "permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
        (&lenient, "permessage-deflate; x", None),
        (&lenient, "x-webkit-deflate-frame", None),
        (&lenient, "permessage-deflate; =", None),
        (&lenient, "", None),
        // The first that can be met wins.
        (
            &lenient,
            "foo, permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9, permessage-deflate",
            Some("permessage-deflate; server_max_window_bits=9"),
        ),
    ];
    for (config, offer, answer) in cases {
        assert_eq!(config.negotiate(offer).map(|(_, answer)| answer).as_deref(), answer, "{offer}");
    }
    // A client that offers 8 for itself can be read with any window.
    let (params, answer) = lenient.negotiate("permessage-deflate; client_max_window_bits=8").unwrap();
    assert_eq!(
        (params.client_max_window_bits, answer.as_str()),
        (8, "permessage-deflate; client_max_window_bits=8")
    );
}

/// RFC 7692 §5.1, §7.1: the responses that a client accepts.
#[test]
fn negotiation_as_a_client() {
    let lenient =
        Config { client_no_context_takeover: false, server_no_context_takeover: false, ..Config::default() };
    let small = Config { server_max_window_bits: 10, client_max_window_bits: 11, ..Config::default() };
    assert_eq!(lenient.offer(), "permessage-deflate; client_max_window_bits");
    assert_eq!(
        small.offer(),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11"
    );
    assert_eq!(lenient.accept(None).unwrap(), None);
    assert_eq!(lenient.accept(Some("permessage-deflate")).unwrap(), Some(TAKEOVER));
    let all = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=10";
    let expected = Params { client_max_window_bits: 10, server_max_window_bits: 9, ..NO_TAKEOVER };
    assert_eq!(lenient.accept(Some(all)).unwrap(), Some(expected));
    assert_eq!(small.accept(Some(all)).unwrap(), Some(expected));
    let refused = [
        (&lenient, "foo"),
        (&lenient, "permessage-deflate, permessage-deflate"),
        (&lenient, "permessage-deflate; client_max_window_bits"),
        (&lenient, "permessage-deflate; server_max_window_bits"),
        (&lenient, "permessage-deflate; server_max_window_bits=16"),
        (&lenient, "permessage-deflate; unknown"),
        (&small, "permessage-deflate"),
        (&small, "permessage-deflate; server_no_context_takeover"),
        (&small, "permessage-deflate; server_no_context_takeover; server_max_window_bits=11"),
        (
            &small,
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=12",
        ),
        (&small, "permessage-deflate; server_max_window_bits=10"),
    ];
    for (config, answer) in refused {
        assert!(config.accept(Some(answer)).is_err(), "{answer}");
    }
    // A window of 2^8 for us: we take it and send nothing compressed.
    let params = lenient.accept(Some("permessage-deflate; client_max_window_bits=8")).unwrap().unwrap();
    assert!(!Deflater::new(params, Role::Client, 0, 6).deflate(&[b'a'; 500], &mut Vec::new()));
}

#[test]
fn a_relay_reads_what_was_agreed() {
    assert_eq!(Config::read_answer("permessage-deflate"), Some(TAKEOVER));
    assert_eq!(
        Config::read_answer("permessage-deflate; server_max_window_bits=12; client_no_context_takeover"),
        Some(Params { client_no_context_takeover: true, server_max_window_bits: 12, ..TAKEOVER })
    );
    assert_eq!(Config::read_answer("permessage-deflate; client_max_window_bits"), None);
    assert_eq!(Config::read_answer("foo"), None);
}

/// Client and server agree on whatever both configurations allow, and then understand each other.
#[test]
fn both_ends_together() {
    let mut configs = Vec::new();
    for takeover in 0..4 {
        for (client_max_window_bits, server_max_window_bits) in [(15, 15), (9, 15), (15, 9), (10, 12)] {
            configs.push(Config {
                client_no_context_takeover: takeover & 1 != 0,
                server_no_context_takeover: takeover & 2 != 0,
                client_max_window_bits,
                server_max_window_bits,
                threshold: 0,
                level: 6,
            });
        }
    }
    for client in &configs {
        for server in &configs {
            let (ours, answer) = server.negotiate(&client.offer()).unwrap();
            let theirs = client.accept(Some(&answer)).unwrap().unwrap();
            assert_eq!(ours, theirs, "{} → {answer}", client.offer());
            for (from, to) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
                let mut encoder = Encoder::new(from).with_deflate(Deflater::new(theirs, from, 0, 6));
                let mut decoder =
                    Decoder::new(to, Limits::default()).with_deflate(Inflater::new(ours, to, 1 << 20));
                let sent = [sample(3000, 1), sample(40_000, 1), sample(10, 1), sample(3000, 1)];
                let mut bytes = Vec::new();
                for message in &sent {
                    encoder.message(OpCode::Binary, message, [1, 2, 3, 4], &mut bytes);
                }
                assert_eq!(messages(&mut decoder, &bytes).unwrap(), sent);
            }
        }
    }
}
