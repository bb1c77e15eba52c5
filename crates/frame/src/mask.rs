//! Masking: XOR of the payload with a repeating four-byte key (RFC 6455 §5.3).

/// Masks or unmasks `buf` in place. `offset` is the position of `buf[0]` in its frame's payload; only its value
/// modulo 4 matters, so a payload may be handled piece by piece.
///
/// ```
/// let mut text = *b"Hello";
/// undrop_frame::mask(&mut text, [0x37, 0xfa, 0x21, 0x3d], 0);
/// assert_eq!(text, [0x7f, 0x9f, 0x4d, 0x51, 0x58]); // the example of RFC 6455 §5.7
/// ```
#[inline(always)]
pub fn mask(buf: &mut [u8], key: [u8; 4], offset: usize) {
    let key = u32::from_le_bytes(key).rotate_right(8 * (offset as u32 & 3));
    if buf.len() < LONG { short(buf, key) } else { long(buf, key) }
}

/// The length from which alignment to a cache line pays.
const LONG: usize = 256;

/// Applies a key that starts at the first byte.
#[inline(always)]
fn short(buf: &mut [u8], key: u32) {
    let wide = u64::from(key) | u64::from(key) << 32;
    // 32 bytes per step become two 16-byte vector operations on every target; the rest is at most 3 words of 8
    // bytes and 7 single bytes.
    let (blocks, rest) = buf.as_chunks_mut::<32>();
    for block in blocks {
        let (words, _) = block.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_le_bytes(*word) ^ wide).to_le_bytes();
        }
    }
    let (words, rest) = rest.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_le_bytes(*word) ^ wide).to_le_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(wide.to_le_bytes()) {
        *byte ^= key;
    }
}

/// A payload starts anywhere in a read buffer. From the start of a cache line on, no step touches two lines, which
/// doubles the speed.
#[inline(never)]
fn long(buf: &mut [u8], key: u32) {
    let ahead = buf.as_ptr().align_offset(64).min(buf.len());
    let (front, back) = buf.split_at_mut(ahead);
    short(front, key);
    short(back, key.rotate_right(8 * (ahead as u32 & 3)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition_at_every_length_and_offset() {
        let key = [0x12, 0x34, 0x56, 0x78];
        for len in (0..200).chain(250..420) {
            for offset in 0..9 {
                let plain: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
                let expected: Vec<u8> =
                    plain.iter().enumerate().map(|(i, b)| b ^ key[(i + offset) % 4]).collect();
                let mut masked = plain;
                mask(&mut masked, key, offset);
                assert_eq!(masked, expected, "length {len}, offset {offset}");
            }
        }
    }
}
