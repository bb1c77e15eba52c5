//! Just enough of RFC 6455 for a load generator that shares one core with the backend: a streaming reader that never copies a
//! payload, and headers.

/// A piece of what was read.
pub enum Piece<'a> {
    /// The header of a frame.
    Start { opcode: u8, fin: bool, len: u64 },
    /// Part of its payload, not unmasked; `offset` is its place in the payload.
    Payload { bytes: &'a [u8], mask: Option<[u8; 4]>, offset: u64 },
    /// The frame is complete.
    End,
}

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// Splits a byte stream into frames, wherever reads cut it.
#[derive(Default)]
pub struct Reader {
    head: [u8; 14],
    have: usize,
    in_frame: bool,
    len: u64,
    taken: u64,
    mask: Option<[u8; 4]>,
}

impl Reader {
    /// Calls `sink` with every piece in `input`; `Err` when the peer breaks the framing.
    pub fn read(&mut self, mut input: &[u8], mut sink: impl FnMut(Piece)) -> Result<(), String> {
        loop {
            if !self.in_frame {
                let (opcode, fin) = match self.header(&mut input)? {
                    Some(found) => found,
                    None => return Ok(()),
                };
                sink(Piece::Start { opcode, fin, len: self.len });
            }
            let left = self.len - self.taken;
            let n = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
            if n > 0 {
                let (bytes, rest) = input.split_at(n);
                sink(Piece::Payload { bytes, mask: self.mask, offset: self.taken });
                self.taken += n as u64;
                input = rest;
            }
            if self.taken < self.len {
                return Ok(());
            }
            self.in_frame = false;
            sink(Piece::End);
        }
    }

    fn header(&mut self, input: &mut &[u8]) -> Result<Option<(u8, bool)>, String> {
        loop {
            let need = match self.have {
                0 | 1 => 2,
                _ => {
                    let extended = match self.head[1] & 0x7f {
                        126 => 2,
                        127 => 8,
                        _ => 0,
                    };
                    2 + extended + if self.head[1] & 0x80 != 0 { 4 } else { 0 }
                }
            };
            if self.have >= 2 && self.have >= need {
                break;
            }
            let n = (need - self.have).min(input.len());
            if n == 0 {
                return Ok(None);
            }
            self.head[self.have..self.have + n].copy_from_slice(&input[..n]);
            *input = &input[n..];
            self.have += n;
        }
        let [first, second, rest @ ..] = self.head;
        if first & 0x70 != 0 {
            return Err(format!("reserved bits in {first:#x}"));
        }
        let (len, mask_at) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes([rest[0], rest[1]])), 2),
            127 => (
                u64::from_be_bytes([rest[0], rest[1], rest[2], rest[3], rest[4], rest[5], rest[6], rest[7]]),
                8,
            ),
            n => (u64::from(n), 0),
        };
        let key = [rest[mask_at], rest[mask_at + 1], rest[mask_at + 2], rest[mask_at + 3]];
        self.mask = (second & 0x80 != 0).then_some(key);
        (self.len, self.taken, self.have, self.in_frame) = (len, 0, 0, true);
        Ok(Some((first & 0x0f, first & 0x80 != 0)))
    }
}

/// Appends a frame header.
pub fn header(out: &mut Vec<u8>, opcode: u8, fin: bool, len: u64, mask: Option<[u8; 4]>) {
    out.push(opcode | if fin { 0x80 } else { 0 });
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match len {
        0..=125 => out.push(masked | len as u8),
        126..=0xffff => {
            out.push(masked | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
    if let Some(key) = mask {
        out.extend_from_slice(&key);
    }
}

/// Appends `bytes` masked with `key`; `offset` is their place in the payload.
pub fn masked(out: &mut Vec<u8>, bytes: &[u8], key: [u8; 4], offset: u64) {
    let turn = (offset & 3) as usize;
    let key = [key[turn], key[(turn + 1) & 3], key[(turn + 2) & 3], key[(turn + 3) & 3]];
    let start = out.len();
    out.extend_from_slice(bytes);
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let mut chunks = out[start..].chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One masked frame, cut at every place, comes out the same.
    #[test]
    fn any_cut_gives_the_same_payload() {
        for len in [0_usize, 1, 125, 126, 1000, 70_000] {
            let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let key = [1, 2, 3, 4];
            let mut wire = Vec::new();
            header(&mut wire, BINARY, true, len as u64, Some(key));
            masked(&mut wire, &payload, key, 0);
            let cuts: Vec<usize> =
                if len < 2000 { (0..wire.len()).collect() } else { vec![1, 5, 13, 14, 15, 40_001] };
            for cut in cuts {
                let (mut reader, mut got, mut ends) = (Reader::default(), Vec::new(), 0);
                for part in [&wire[..cut], &wire[cut..]] {
                    let result = reader.read(part, |piece| match piece {
                        Piece::Start { opcode, fin, len: found } => {
                            assert_eq!((opcode, fin, found), (BINARY, true, len as u64));
                        }
                        Piece::Payload { bytes, mask, offset } => {
                            assert_eq!(mask, Some(key));
                            masked(&mut got, bytes, key, offset);
                        }
                        Piece::End => ends += 1,
                    });
                    assert_eq!(result, Ok(()));
                }
                assert_eq!((ends, &got), (1, &payload), "length {len} cut at {cut}");
            }
        }
    }
}
