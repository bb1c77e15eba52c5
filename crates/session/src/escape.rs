//! The rule that separates control packets from data: the first characters of a text message.

use std::borrow::Cow;

/// U+001F: the first character of a control packet, and of data that would look like one.
pub const ESCAPE: u8 = 0x1f;

/// The kind of a text message on a session link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// Data without an escape character.
    Data,
    /// Data whose first byte, an added U+001F, must be removed.
    EscapedData,
    /// A control packet: U+001F followed by another character.
    Packet,
}

impl TextKind {
    /// Determines the kind from the first bytes of a payload. `ended`: there are no more bytes. Returns `None` if one more
    /// byte is needed.
    #[inline]
    pub fn of(payload: &[u8], ended: bool) -> Option<Self> {
        match payload {
            [] if !ended => None,
            [ESCAPE, ESCAPE, ..] => Some(Self::EscapedData),
            [ESCAPE] if !ended => None,
            [ESCAPE, ..] => Some(Self::Packet),
            _ => Some(Self::Data),
        }
    }
}

/// Returns whether a data text with this payload needs one more U+001F in front on the wire.
#[inline]
pub fn needs_escape(payload: &[u8]) -> bool {
    payload.first() == Some(&ESCAPE)
}

/// Returns the payload of a data text as it is sent.
pub fn escape(payload: &[u8]) -> Cow<'_, [u8]> {
    if !needs_escape(payload) {
        return Cow::Borrowed(payload);
    }
    let mut escaped = Vec::with_capacity(payload.len() + 1);
    escaped.push(ESCAPE);
    escaped.extend_from_slice(payload);
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        assert_eq!(TextKind::of(b"", false), None);
        assert_eq!(TextKind::of(b"", true), Some(TextKind::Data));
        assert_eq!(TextKind::of(b"\x1f", false), None);
        assert_eq!(TextKind::of(b"\x1f", true), Some(TextKind::Packet));
        assert_eq!(TextKind::of(b"\x1fa1", true), Some(TextKind::Packet));
        assert_eq!(TextKind::of(b"\x1f\x1f", false), Some(TextKind::EscapedData));
        assert_eq!(TextKind::of(b"a\x1f", false), Some(TextKind::Data));
    }

    #[test]
    fn what_is_escaped_reads_as_data() {
        for text in ["", "a", "\u{1f}", "\u{1f}a1", "\u{1f}\u{1f}x"] {
            let wire = escape(text.as_bytes());
            let back = match TextKind::of(&wire, true) {
                Some(TextKind::Data) => &wire[..],
                Some(TextKind::EscapedData) => &wire[1..],
                other => panic!("{other:?}"),
            };
            assert_eq!(back, text.as_bytes());
        }
    }
}
