//! The scanner accepts any bytes without a panic, and finds the same frames as the decoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use undrop_frame::{Decoder, Header, Limits, Piece, Role, Scanner};

const LIMITS: Limits = Limits { frame: 1 << 14, message: 1 << 14 };

fuzz_target!(|input: (bool, Vec<u8>)| {
    let (server, bytes) = input;
    let role = if server { Role::Server } else { Role::Client };
    let mut scanner = Scanner::new(role, LIMITS, false);
    let (mut at, mut due) = (0, 0);
    let error = loop {
        match scanner.next(&bytes[at..]) {
            Ok(None) => {
                assert_eq!(scanner.remaining(), due);
                break None;
            }
            Ok(Some(Piece::Header { header, len })) => {
                assert_eq!(due, 0, "a header inside a payload");
                assert!(header.len <= LIMITS.frame);
                let mut encoded = [0; Header::MAX_LEN];
                let n = header.encode(&mut encoded);
                assert_eq!(
                    &encoded[..n],
                    &bytes[at..at + len],
                    "a header that encodes differently was taken"
                );
                (at, due) = (at + len, header.len);
            }
            Ok(Some(Piece::Payload { len, last })) => {
                assert!(len > 0 && len as u64 <= due);
                (at, due) = (at + len, due - len as u64);
                assert_eq!(last, due == 0);
            }
            Err(error) => break Some(error),
        }
        assert_eq!(scanner.at_boundary(), due == 0);
    };
    // What the scanner refuses, the decoder refuses too (it may stop earlier: at bad text, or after a Close frame).
    if error.is_some() {
        let mut decoder = Decoder::new(role, LIMITS);
        let mut copy = bytes.clone();
        let (mut rest, mut closed) = (&mut copy[..], false);
        let refused = loop {
            match decoder.decode(&mut rest) {
                Ok(None) => break false,
                Ok(Some(incoming)) => closed |= matches!(incoming, undrop_frame::Incoming::Close(_)),
                Err(_) => break true,
            }
        };
        assert!(refused || closed, "the scanner refused what the decoder takes: {error:?}");
    }
});
