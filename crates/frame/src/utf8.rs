//! Validation of UTF-8 while it arrives (RFC 6455 §8.1, RFC 3629).

use crate::FrameError;

/// Checks text in pieces and fails at the first byte that no valid text can have there, even inside a character.
#[derive(Debug, Default)]
pub(crate) struct Utf8 {
    /// The bytes of a character that is not complete; 3 at most between calls.
    tail: [u8; 4],
    len: usize,
}

impl Utf8 {
    /// Takes the next piece.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), FrameError> {
        while self.len > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return Ok(()) };
            let Some(slot) = self.tail.get_mut(self.len) else { return Err(FrameError::InvalidUtf8) };
            *slot = byte;
            self.len += 1;
            bytes = rest;
            match std::str::from_utf8(self.tail.get(..self.len).unwrap_or_default()) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(FrameError::InvalidUtf8),
            }
        }
        match simdutf8::compat::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_none() => {
                let rest = bytes.get(error.valid_up_to()..).unwrap_or_default();
                self.len = rest.len().min(self.tail.len());
                for (slot, byte) in self.tail.iter_mut().zip(rest) {
                    *slot = *byte;
                }
                Ok(())
            }
            Err(_) => Err(FrameError::InvalidUtf8),
        }
    }

    /// The text ends here.
    pub(crate) fn finish(&self) -> Result<(), FrameError> {
        if self.len == 0 { Ok(()) } else { Err(FrameError::InvalidUtf8) }
    }
}

/// Whether a whole text is valid.
#[inline(always)]
pub(crate) fn check(bytes: &[u8]) -> bool {
    // Most text is short or ASCII, or both.
    bytes.is_ascii() || check_wide(bytes)
}

#[inline(never)]
fn check_wide(bytes: &[u8]) -> bool {
    simdutf8::basic::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bytes: &[u8]) -> Result<usize, usize> {
        let mut utf8 = Utf8::default();
        for (at, byte) in bytes.iter().enumerate() {
            if utf8.feed(&[*byte]).is_err() {
                return Err(at);
            }
        }
        utf8.finish().map(|()| bytes.len()).map_err(|_| bytes.len())
    }

    #[test]
    fn fails_at_the_first_impossible_byte() {
        // RFC 3629 §4: each pair is (bytes, index of the first byte that is invalid there).
        for (bytes, at) in [
            (&b"\xc0\x80"[..], 0),
            (b"\xe0\x80\x80", 1),
            (b"\xed\xa0\x80", 1),
            (b"\xf4\x90\x80\x80", 1),
            (b"\xf5", 0),
            (b"ok\x80", 2),
            (b"\xf0\x9f\x98A", 3),
        ] {
            assert_eq!(verdict(bytes), Err(at), "{bytes:x?}");
        }
        assert_eq!(verdict("κόσμε 😀".as_bytes()), Ok(15));
        assert_eq!(verdict(b"\xf0\x9f\x98"), Err(3));
    }

    #[test]
    fn every_split_of_every_two_characters_agrees_with_the_standard_library() {
        for text in ["aé", "é€", "€😀", "😀\u{7ff}", "\u{10ffff}\u{800}"] {
            for flip in 0..=255u8 {
                for at in 0..text.len() {
                    let mut bytes = text.as_bytes().to_vec();
                    bytes[at] = flip;
                    let expected = std::str::from_utf8(&bytes).is_ok();
                    for split in 0..=bytes.len() {
                        let (front, back) = bytes.split_at(split);
                        let mut utf8 = Utf8::default();
                        let result =
                            utf8.feed(front).and_then(|()| utf8.feed(back)).and_then(|()| utf8.finish());
                        assert_eq!(result.is_ok(), expected, "{bytes:x?} at {split}");
                    }
                    assert_eq!(check(&bytes), expected);
                }
            }
        }
    }
}
