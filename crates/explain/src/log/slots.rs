//! The values of a line and their meanings.

use super::number::{self, Moment};

/// The meaning of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Slot {
    Time,
    /// The time of the request, if `Time` is the time of its end.
    Created,
    Duration,
    Status,
    /// The request line: method, path and version.
    Request,
    Path,
    /// The Upgrade field of the request, or another mark of a WebSocket.
    Upgrade,
    /// The Upgrade field of the response.
    Switched,
    Ending,
    Sent,
    Received,
    /// The rest of the line after the known part.
    Tail,
}

const COUNT: usize = Slot::Tail as usize + 1;

/// The unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Seconds with a fraction.
    Seconds,
    /// Seconds that are truncated to whole ones.
    WholeSeconds,
    Milliseconds,
    Microseconds,
}

/// The values of a line as bytes; an absent one is empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slots<'a> {
    values: [&'a [u8]; COUNT],
}

/// The ending of a session as in the log, such as `cD` or `UT,DC`: up to eight bytes, padded with zeros.
pub(super) type Label = [u8; 8];

impl<'a> Slots<'a> {
    /// Sets the value of a slot; the first value is kept.
    pub(super) fn put(&mut self, slot: Slot, value: &'a [u8]) {
        let place = &mut self.values[slot as usize];
        if place.is_empty() {
            *place = value;
        }
    }

    pub(super) fn of(&self, slot: Slot) -> &'a [u8] {
        self.values[slot as usize]
    }

    pub(super) fn status(&self) -> Option<u16> {
        let value = self.of(Slot::Status);
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        match value {
            // Caddy before 2.7 writes no status for a hijacked connection.
            b"0" if !self.of(Slot::Switched).is_empty() => Some(101),
            // Some products write this for a response that was not sent.
            b"-" | b"-1" | b"0" | b"000" => Some(0),
            _ => {
                number::whole(value).filter(|status| (100..=999).contains(status)).map(|status| status as u16)
            }
        }
    }

    /// Returns the path without the query.
    pub(super) fn path(&self) -> &'a [u8] {
        let path = match self.of(Slot::Path) {
            b"" => {
                let mut words = self.of(Slot::Request).split(|byte| *byte == b' ').skip(1);
                words.next().unwrap_or_default()
            }
            path => path,
        };
        let path = &path[..memchr::memchr2(b'?', b'#', path).unwrap_or(path.len())];
        // ALB writes the complete URL.
        match memchr::memmem::find(path, b"://") {
            Some(at) if at < 8 => {
                let host = &path[at + 3..];
                memchr::memchr(b'/', host).map_or(&b"/"[..], |slash| &host[slash..])
            }
            _ => path,
        }
    }

    pub(super) fn asks_for_websocket(&self) -> bool {
        let value = self.of(Slot::Upgrade);
        value.len() >= 2 && (value.eq_ignore_ascii_case(b"websocket") || matches!(value, b"ws" | b"wss"))
    }

    pub(super) fn time(&self) -> Option<Moment> {
        number::moment(trim(self.of(Slot::Time)))
    }

    /// Returns the duration in microseconds.
    pub(super) fn duration(&self, unit: Unit) -> Option<u64> {
        let value = trim(self.of(Slot::Duration));
        match unit {
            Unit::Seconds if value.last().is_some_and(u8::is_ascii_alphabetic) => number::go_duration(value),
            Unit::Seconds | Unit::WholeSeconds => number::scaled(value, 1_000_000),
            Unit::Milliseconds => number::scaled(value, 1000),
            Unit::Microseconds => number::scaled(value, 1),
        }
    }

    /// Returns whether the line was written before the session ended (`option logasap` of HAProxy).
    pub(super) fn is_early(&self) -> bool {
        self.of(Slot::Duration).first() == Some(&b'+')
    }

    /// Returns the bytes of both directions, `None` if the log has neither.
    pub(super) fn bytes(&self) -> Option<u64> {
        let one = |slot| match self.of(slot) {
            b"-" => Some(0),
            value => number::whole(trim(value)),
        };
        match (one(Slot::Sent), one(Slot::Received)) {
            (None, None) => None,
            (sent, received) => Some(sent.unwrap_or(0).saturating_add(received.unwrap_or(0))),
        }
    }

    /// Returns the ending, empty if the log has none.
    pub(super) fn ending(&self, length: usize) -> Label {
        let mut label = Label::default();
        let value = trim(self.of(Slot::Ending));
        if value.iter().all(|byte| byte.is_ascii_graphic()) {
            label.iter_mut().zip(value.iter().take(length)).for_each(|(to, from)| *to = *from);
        }
        label
    }
}

/// Removes quotes and brackets around a value.
fn trim(mut value: &[u8]) -> &[u8] {
    for (open, close) in [(b'"', b'"'), (b'[', b']')] {
        if value.first() == Some(&open) && value.last() == Some(&close) && value.len() >= 2 {
            value = &value[1..value.len() - 1];
        }
    }
    value
}
