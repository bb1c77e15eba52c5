//! A compressed message decompresses to itself; arbitrary input never inflates past the limit.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use undrop_frame::Role;
use undrop_frame::deflate::{Deflater, Inflater, Params};

const CAP: u64 = 1 << 16;

#[derive(Arbitrary, Debug)]
struct Input {
    takeover: bool,
    bits: u8,
    level: u8,
    messages: Vec<Vec<u8>>,
    noise: Vec<u8>,
}

fuzz_target!(|input: Input| {
    let bits = 9 + input.bits % 7;
    let params = Params {
        client_no_context_takeover: !input.takeover,
        server_no_context_takeover: !input.takeover,
        client_max_window_bits: bits,
        server_max_window_bits: bits,
    };
    let mut deflater = Deflater::new(params, Role::Client, 0, 1 + input.level % 9);
    let mut inflater = Inflater::new(params, Role::Server, CAP);
    for message in &input.messages {
        let mut compressed = Vec::new();
        if !deflater.deflate(message, &mut compressed) {
            continue;
        }
        let mut back = Vec::new();
        assert_eq!(inflater.inflate(&compressed, &mut back), Ok(()));
        assert_eq!(&back, message);
    }
    let mut out = Vec::new();
    let taken = inflater.inflate(&input.noise, &mut out).is_ok();
    assert!(out.len() as u64 <= if taken { CAP } else { 2 * CAP });
});
