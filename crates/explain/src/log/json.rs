//! Reads lines that are JSON objects, without allocations.

use memchr::{memchr, memchr2};

use super::slots::{Slot, Slots};

/// The maximum nesting depth of objects and arrays.
const DEEPEST: usize = 16;

/// Parses a line. Returns `None` if it is not a complete JSON object.
pub(super) fn take(line: &[u8]) -> Option<Slots<'_>> {
    let mut reader = Reader { text: line, at: memchr(b'{', line)?, slots: Slots::default() };
    reader.object(0, &[])?;
    Some(reader.slots)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    slots: Slots<'a>,
}

impl<'a> Reader<'a> {
    fn object(&mut self, depth: usize, parent: &[u8]) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            match self.peek()? {
                b'{' if depth < DEEPEST => self.object(depth + 1, key)?,
                b'[' => {
                    let from = self.at;
                    self.skip_array()?;
                    // Caddy writes a header field as an array with one value.
                    let inner = self.text.get(from + 1..self.at - 1)?;
                    let inner = inner
                        .strip_prefix(b"\"")
                        .and_then(|inner| inner.strip_suffix(b"\""))
                        .unwrap_or(inner);
                    self.keep(parent, key, inner);
                }
                b'"' => {
                    let value = self.string()?;
                    self.keep(parent, key, value);
                }
                first if !(first.is_ascii_alphanumeric() || first == b'-') => return None,
                _ => {
                    let from = self.at;
                    let length = self.text.get(from..)?.iter().position(|byte| b",} \t".contains(byte))?;
                    self.at += length;
                    self.keep(parent, key, self.text.get(from..from + length)?);
                }
            }
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    fn keep(&mut self, parent: &[u8], key: &[u8], value: &'a [u8]) {
        let slot = match key {
            b"request_time" | b"duration" | b"request_duration" => Slot::Duration,
            b"status" | b"response_code" | b"status_code" => Slot::Status,
            b"ts" | b"time" | b"time_iso8601" | b"time_local" | b"@timestamp" | b"timestamp"
            | b"start_time" | b"msec" => Slot::Time,
            b"uri" | b"request_uri" | b"path" | b"x-envoy-origin-path" => Slot::Path,
            b"request" => Slot::Request,
            b"Upgrade" if parent == b"resp_headers" => Slot::Switched,
            b"http_upgrade" | b"upgrade" | b"Upgrade" => Slot::Upgrade,
            b"response_flags" | b"termination_state" => Slot::Ending,
            b"body_bytes_sent" | b"bytes_sent" | b"size" => Slot::Sent,
            b"bytes_received" | b"bytes_read" => Slot::Received,
            _ => return,
        };
        self.slots.put(slot, value);
    }

    /// Returns the text between quotes with its escapes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let from = self.at;
        loop {
            let at = self.at + memchr2(b'"', b'\\', self.text.get(self.at..)?)?;
            if self.text.get(at) == Some(&b'"') {
                self.at = at + 1;
                return self.text.get(from..at);
            }
            self.at = at + 2;
        }
    }

    fn skip_array(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.checked_sub(1)?,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    /// Returns the next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_are_found_at_every_depth() {
        let line = br#"{"level":"info","ts":1770376454.25,"request":{"uri":"/ws?a=1","headers":{"Upgrade":["websocket"],"X":["a","b\"]"]}},"duration":60.001,"size":0,"status":101,"resp_headers":{"Upgrade":["x"]},"a":[]}"#;
        let slots = take(line).unwrap();
        assert_eq!(
            (slots.of(Slot::Time), slots.of(Slot::Duration), slots.status()),
            (&b"1770376454.25"[..], &b"60.001"[..], Some(101))
        );
        assert_eq!(slots.path(), b"/ws");
        assert!(slots.asks_for_websocket());
        assert_eq!(take(b"{}").unwrap().status(), None);
    }

    #[test]
    fn a_connection_that_caddy_handed_over_is_a_session() {
        let line = br#"{"request":{"headers":{"Upgrade":["websocket"]}},"status":0,"resp_headers":{"Upgrade":["websocket"]}}"#;
        assert_eq!(take(line).unwrap().status(), Some(101));
        let line = br#"{"request":{"headers":{"Upgrade":["websocket"]}},"status":0,"resp_headers":{"Server":["Caddy"]}}"#;
        assert_eq!(take(line).unwrap().status(), Some(0));
    }

    #[test]
    fn what_is_no_object_is_none() {
        for bad in [
            "",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":\"\\",
            "[1]",
            "{\"a\":[",
            "{\"a\":]}",
            "{\"a\" 1}",
            "{\"a\":1 2}",
        ] {
            assert!(take(bad.as_bytes()).is_none(), "{bad}");
        }
        let deep = "{\"a\":".repeat(100_000);
        assert!(take(deep.as_bytes()).is_none());
    }
}
