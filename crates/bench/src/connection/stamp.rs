//! The stamp at the start of each message: stream, number, intended time, and two hashes.
//!
//! ```text
//! "u1"  kind 1 · run 2 · stream 4 · number 6 · intended 6 · late 3 · digest 4 · chain 4  filler …
//! ```
//! A stamp has 30 bytes, big-endian; in a text message they are encoded as base64url. `digest` covers the filler and the rest of
//! the stamp, so it shows whether this message is intact; `chain` covers the digest and the chain of the previous message, so it
//! shows whether the stream is.

/// The length of a stamp in a binary message, in bytes.
pub const BINARY: usize = MAGIC.len() + RAW;
/// The length of a stamp in a text message, in bytes.
pub const TEXT: usize = MAGIC.len() + RAW / 3 * 4;

const MAGIC: &[u8; 2] = b"u1";
const RAW: usize = 30;
/// The largest message number, 48 bits.
const U48: u64 = (1 << 48) - 1;

/// The direction or purpose of a stamped message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum StampKind {
    /// From the load generator to the target.
    Up = 0,
    /// From a sink to the load generator, with a number of the sink's own stream.
    Down = 1,
    /// A query to a sink for its findings in this stream.
    Query = 2,
    /// The reply of the sink: JSON after the stamp.
    Totals = 3,
}

/// The stamp of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The direction or purpose.
    pub kind: StampKind,
    /// The number of the run, so that a sink can distinguish runs.
    pub run: u16,
    /// The number of the stream within the run.
    pub stream: u32,
    /// The number of the message in its stream and direction, from 1.
    pub number: u64,
    /// The time at which the schedule wanted the message sent, in microseconds since the epoch of the run.
    pub intended_us: u64,
    /// The delay after that time in microseconds; stored in steps of 10, at most 167 s.
    pub late_us: u64,
    /// The hash of the fields above and of the bytes after the stamp.
    pub digest: u32,
    /// The hash of the digest and of the previous chain.
    pub chain: u32,
}

impl Stamp {
    /// Returns the digest that this stamp must have before this filler.
    pub fn expected_digest(&self, filler: &[u8]) -> u32 {
        let who = u64::from(self.kind as u8) << 48 | u64::from(self.run) << 32 | u64::from(self.stream);
        let when = fold(self.number ^ 0x8ebc_6af0_9c88_c6e3, self.intended_us ^ 0x5899_65cc_7537_4cc3);
        let late = (self.late_us / 10).min(0xff_ffff);
        let state = fold(who ^ when, u64::from(digest(filler)) << 24 ^ late ^ 0xa076_1d64_78bd_642f);
        (state ^ state >> 32) as u32
    }

    /// Returns the encoded stamp: an array, and how many of its bytes are used.
    pub fn bytes(&self, binary: bool) -> ([u8; TEXT], usize) {
        let mut raw = [0; RAW];
        raw[0] = self.kind as u8;
        raw[1..3].copy_from_slice(&self.run.to_be_bytes());
        raw[3..7].copy_from_slice(&self.stream.to_be_bytes());
        raw[7..13].copy_from_slice(&self.number.min(U48).to_be_bytes()[2..]);
        raw[13..19].copy_from_slice(&self.intended_us.min(U48).to_be_bytes()[2..]);
        let late = u32::try_from(self.late_us / 10).unwrap_or(u32::MAX).min(0xff_ffff);
        raw[19..22].copy_from_slice(&late.to_be_bytes()[1..]);
        raw[22..26].copy_from_slice(&self.digest.to_be_bytes());
        raw[26..30].copy_from_slice(&self.chain.to_be_bytes());
        let mut bytes = [0; TEXT];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        if binary {
            bytes[MAGIC.len()..BINARY].copy_from_slice(&raw);
            return (bytes, BINARY);
        }
        for (three, four) in raw.chunks_exact(3).zip(bytes[MAGIC.len()..].chunks_exact_mut(4)) {
            let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            for (shift, letter) in [18, 12, 6, 0].into_iter().zip(four) {
                *letter = ALPHABET[(bits >> shift & 63) as usize];
            }
        }
        (bytes, TEXT)
    }

    /// Appends the encoded stamp to a message.
    pub fn write(&self, binary: bool, out: &mut Vec<u8>) {
        let (bytes, len) = self.bytes(binary);
        out.extend_from_slice(&bytes[..len]);
    }

    /// Returns the stamp of a message and the bytes after it, or `None` if the message has no stamp.
    pub fn read(binary: bool, message: &[u8]) -> Option<(Stamp, &[u8])> {
        let rest = message.strip_prefix(MAGIC)?;
        let mut raw = [0; RAW];
        let filler = if binary {
            let (head, filler) = rest.split_at_checked(RAW)?;
            raw.copy_from_slice(head);
            filler
        } else {
            let (head, filler) = rest.split_at_checked(TEXT - MAGIC.len())?;
            for (four, three) in head.chunks_exact(4).zip(raw.chunks_exact_mut(3)) {
                let mut bits = 0;
                for &byte in four {
                    let value = VALUES[usize::from(byte)];
                    if value > 63 {
                        return None;
                    }
                    bits = bits << 6 | u32::from(value);
                }
                three.copy_from_slice(&bits.to_be_bytes()[1..]);
            }
            filler
        };
        let kind = match raw[0] {
            0 => StampKind::Up,
            1 => StampKind::Down,
            2 => StampKind::Query,
            3 => StampKind::Totals,
            _ => return None,
        };
        let stamp = Stamp {
            kind,
            run: u16::from_be_bytes([raw[1], raw[2]]),
            stream: number(&raw[3..7]) as u32,
            number: number(&raw[7..13]),
            intended_us: number(&raw[13..19]),
            late_us: number(&raw[19..22]) * 10,
            digest: number(&raw[22..26]) as u32,
            chain: number(&raw[26..30]) as u32,
        };
        Some((stamp, filler))
    }
}

/// Returns the hash of the bytes after a stamp.
fn digest(filler: &[u8]) -> u32 {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ filler.len() as u64;
    let (words, rest) = filler.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), 0xa076_1d64_78bd_642f);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let state = fold(state ^ u64::from_le_bytes(last), 0xe703_7ed1_a0b4_28db);
    (state ^ state >> 32) as u32
}

/// Returns the chain after a message with this digest and number, given the previous chain.
pub fn link(chain: u32, number: u64, digest: u32) -> u32 {
    let state = fold(u64::from(chain) << 32 | u64::from(digest), number ^ 0xa076_1d64_78bd_642f);
    (state ^ state >> 32) as u32
}

/// Appends `len` letters that depend on `at`: a slice of one table.
pub fn filler(at: u64, len: usize, out: &mut Vec<u8>) {
    let start = (at.wrapping_mul(0x9e37_79b9) % TABLE as u64) as usize;
    let mut left = len;
    let mut from = start;
    while left > 0 {
        let piece = left.min(TABLE - from);
        out.extend_from_slice(&FILLER[from..from + piece]);
        left -= piece;
        from = 0;
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut i = 0;
    while i < 64 {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values
};

/// The length of the table that fillers are taken from; a prime, so that consecutive fillers differ.
const TABLE: usize = 4093;

static FILLER: [u8; TABLE] = {
    let mut table = [0; TABLE];
    let mut state: u64 = 0x2545_f491_4f6c_dd1d;
    let mut i = 0;
    while i < TABLE {
        // xorshift64*, Vigna 2016.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        table[i] = ALPHABET[(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 58) as usize];
        i += 1;
    }
    table
};

fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide as u64) ^ (wide >> 64) as u64
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stamp() -> Stamp {
        Stamp {
            kind: StampKind::Down,
            run: 0xbeef,
            stream: 4_000_000_000,
            number: 281_474_976_710_655,
            intended_us: 86_400_000_000,
            late_us: 1230,
            digest: 0xdead_beef,
            chain: 0x0102_0304,
        }
    }

    #[test]
    fn a_stamp_comes_back_in_both_forms() {
        for (binary, len) in [(true, BINARY), (false, TEXT)] {
            let mut message = Vec::new();
            stamp().write(binary, &mut message);
            assert_eq!(message.len(), len);
            message.extend_from_slice(b"rest");
            assert_eq!(Stamp::read(binary, &message), Some((stamp(), &b"rest"[..])));
            assert!(binary || std::str::from_utf8(&message).is_ok());
        }
    }

    #[test]
    fn a_foreign_message_has_no_stamp() {
        let mut message = Vec::new();
        stamp().write(false, &mut message);
        for foreign in
            [&b"hello"[..], b"", b"u1", &message[..TEXT - 1], &[b"u1".as_slice(), &[b'!'; 60]].concat()]
        {
            assert_eq!(Stamp::read(false, foreign), None);
        }
        assert_eq!(Stamp::read(true, &[b"u1".as_slice(), &[9; 30]].concat()), None);
    }

    #[test]
    fn every_changed_byte_changes_the_digest() {
        let mut text = Vec::new();
        filler(7, 100, &mut text);
        let whole = digest(&text);
        for i in 0..text.len() {
            text[i] ^= 1;
            assert_ne!(digest(&text), whole, "{i}");
            text[i] ^= 1;
        }
        assert_ne!(digest(&text[..99]), whole);
        assert_ne!(digest(b"\0"), digest(b""));
    }

    #[test]
    fn fillers_differ_and_have_the_length_asked_for() {
        let of = |at, len| {
            let mut text = Vec::new();
            filler(at, len, &mut text);
            text
        };
        assert_eq!(of(1, 0).len(), 0);
        assert_eq!(of(1, 10_000).len(), 10_000);
        assert_ne!(of(1, 40), of(2, 40));
        assert!(of(3, 5000).iter().all(u8::is_ascii));
    }

    #[test]
    fn a_chain_depends_on_everything_before() {
        let a = link(link(0, 1, 10), 2, 20);
        assert_ne!(a, link(link(0, 1, 11), 2, 20));
        assert_ne!(a, link(link(0, 1, 20), 2, 10));
        assert_ne!(a, link(0, 2, 20));
    }
}
