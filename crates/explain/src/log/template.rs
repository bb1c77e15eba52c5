//! Line formats of products: literal text and variables.

use memchr::{memchr, memmem};

use super::slots::{Slot, Slots, Unit};

/// The reason why a format of the user is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The format has no variable.
    #[error(
        "the format `{0}` has no variable; write it as in the configuration of the product, such as `$remote_addr … $request_time`, `%h %l %u %t \"%r\" %>s %b %D`"
    )]
    NoVariables(String),
    /// Two variables are adjacent.
    #[error(
        "`{0}` and `{1}` are adjacent in the format, so the end of the first is unknown; put a separator between them"
    )]
    Adjacent(String, String),
    /// No variable is the status, and none shows that it is a log of TCP sessions.
    #[error("the format has no status; add {0}")]
    NoStatus(&'static str),
}

/// The notation of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Nginx,
    Apache,
    Haproxy,
    Envoy,
}

/// A variable and the literal text after it.
#[derive(Debug, Clone)]
struct Part {
    slot: Option<Slot>,
    /// Whether it is quoted; `\"` does not end a quoted value.
    quoted: bool,
    /// The literal text; empty at the end of the line.
    until: Vec<u8>,
}

/// A format that was compiled for reading lines.
#[derive(Debug, Clone)]
pub(super) struct Template {
    start: Vec<u8>,
    parts: Vec<Part>,
    pub(super) dialect: Dialect,
    /// The unit of the duration.
    pub(super) unit: Option<Unit>,
    pub(super) has_status: bool,
}

/// A variable, its end, and its meaning.
type Variable<'a> = (&'a str, usize, Option<Slot>, Option<Unit>);

impl Template {
    /// Compiles a format from a configuration file; its variables show the dialect.
    pub(super) fn compile(format: &str) -> Result<Template, FormatError> {
        let dialect = Dialect::of(format).ok_or_else(|| FormatError::NoVariables(format.to_owned()))?;
        Template::compile_as(dialect, format)
    }

    pub(super) fn compile_as(dialect: Dialect, format: &str) -> Result<Template, FormatError> {
        let (mut start, mut parts, mut unit) = (Vec::new(), Vec::<Part>::new(), None);
        let (mut last, mut at, mut plain) = (String::new(), 0, true);
        while let Some(rest) = format.get(at..).filter(|rest| !rest.is_empty()) {
            let Some((name, length, slot, its_unit)) = dialect.variable(rest) else {
                let size = rest.chars().next().map_or(1, char::len_utf8);
                let literal = rest.get(..size).unwrap_or_default().as_bytes();
                match parts.last_mut() {
                    Some(part) => part.until.extend_from_slice(literal),
                    None => start.extend_from_slice(literal),
                }
                (plain, at) = (true, at + size);
                continue;
            };
            if !plain {
                return Err(FormatError::Adjacent(last, name.to_owned()));
            }
            let before = parts.last().map_or(start.as_slice(), |part| part.until.as_slice());
            let quoted = before.last() == Some(&b'"');
            parts.push(Part { slot, quoted, until: Vec::new() });
            // The first value is kept: it covers the whole request, not only the upstream.
            unit = unit.or(its_unit);
            (plain, last, at) = (false, name.to_owned(), at + length);
        }
        if parts.is_empty() {
            return Err(FormatError::NoVariables(format.to_owned()));
        }
        let has_status = parts.iter().any(|part| part.slot == Some(Slot::Status));
        Ok(Template { start, parts, dialect, unit, has_status })
    }

    /// Parses a line. Returns `None` if it does not have this format.
    pub(super) fn take<'a>(&self, line: &'a [u8]) -> Option<Slots<'a>> {
        let mut slots = Slots::default();
        let mut rest = line.strip_prefix(self.start.as_slice())?;
        for part in &self.parts {
            let end = if part.until.is_empty() { rest.len() } else { end(rest, &part.until, part.quoted)? };
            let (value, behind) = rest.split_at(end);
            if let Some(slot) = part.slot {
                slots.put(slot, value);
            }
            rest = behind.get(part.until.len()..)?;
        }
        Some(slots)
    }
}

/// Finds the literal text that ends a variable.
fn end(rest: &[u8], until: &[u8], quoted: bool) -> Option<usize> {
    let &first = until.first()?;
    let mut from = 0;
    loop {
        let at = from + memchr(first, rest.get(from..)?)?;
        let escaped = quoted && first == b'"' && at > 0 && backslashes(rest, at) % 2 == 1;
        if !escaped && rest.get(at..)?.starts_with(until) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Returns the number of backslashes before a position.
fn backslashes(text: &[u8], at: usize) -> usize {
    text[..at].iter().rev().take_while(|byte| **byte == b'\\').count()
}

impl Dialect {
    fn of(format: &str) -> Option<Dialect> {
        let has = |text: &str| memmem::find(format.as_bytes(), text.as_bytes()).is_some();
        if has("$") {
            Some(Dialect::Nginx)
        } else if ["%REQ(", "%START_TIME", "%RESPONSE_CODE", "%DURATION%"].iter().any(|sign| has(sign)) {
            Some(Dialect::Envoy)
        } else if ["%ci", "%Ta", "%Tt", "%ts", "%ST", "%[", "%{+"].iter().any(|sign| has(sign)) {
            Some(Dialect::Haproxy)
        } else {
            has("%").then_some(Dialect::Apache)
        }
    }

    /// Reads the variable at the start of the text.
    fn variable(self, text: &str) -> Option<Variable<'_>> {
        match self {
            Dialect::Nginx => nginx(text),
            Dialect::Apache => apache(text),
            Dialect::Haproxy => haproxy(text),
            Dialect::Envoy => envoy(text),
        }
    }
}

fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

fn nginx(text: &str) -> Option<Variable<'_>> {
    let rest = text.strip_prefix('$')?;
    let (name, length) = match rest.strip_prefix('{') {
        Some(rest) => (rest.get(..word(rest))?, word(rest) + 3),
        None => (rest.get(..word(rest))?, word(rest) + 1),
    };
    if name.is_empty() {
        return None;
    }
    let (slot, unit) = match name {
        "time_local" | "time_iso8601" | "msec" => (Some(Slot::Time), None),
        "request_time" => (Some(Slot::Duration), Some(Unit::Seconds)),
        "status" => (Some(Slot::Status), None),
        "request" => (Some(Slot::Request), None),
        "request_uri" | "uri" => (Some(Slot::Path), None),
        "http_upgrade" => (Some(Slot::Upgrade), None),
        "body_bytes_sent" | "bytes_sent" => (Some(Slot::Sent), None),
        // These variables occur in the built-in formats only.
        "undrop_upgrade" => (Some(Slot::Upgrade), None),
        "undrop_created" => (Some(Slot::Created), None),
        "undrop_received" => (Some(Slot::Received), None),
        "undrop_tail" => (Some(Slot::Tail), None),
        _ => (None, None),
    };
    Some((name, length, slot, unit))
}

fn apache(text: &str) -> Option<Variable<'_>> {
    let rest = text.strip_prefix('%')?;
    if rest.starts_with('%') {
        return None;
    }
    // Skip modifiers, as in `%>s` or `%400,501{User-agent}i`.
    let skipped = rest.find(|c: char| !(c.is_ascii_digit() || ">!<,".contains(c)))?;
    let rest = rest.get(skipped..)?;
    let (argument, rest) = match rest.strip_prefix('{') {
        Some(inner) => {
            let close = inner.find('}')?;
            (inner.get(..close)?, inner.get(close + 1..)?)
        }
        None => ("", rest),
    };
    let letter = rest.chars().next().filter(|c| c.is_ascii_alphabetic() || *c == '^')?;
    // `%^FB` and `%^ti` have three characters.
    let size = if letter == '^' { 3 } else { 1 };
    let length = text.len() - rest.len() + size.min(rest.len());
    let (slot, unit) = match (letter, argument) {
        ('t', "") => (Some(Slot::Time), None),
        ('D', _) => (Some(Slot::Duration), Some(Unit::Microseconds)),
        ('T', "us") => (Some(Slot::Duration), Some(Unit::Microseconds)),
        ('T', "ms") => (Some(Slot::Duration), Some(Unit::Milliseconds)),
        ('T', _) => (Some(Slot::Duration), Some(Unit::WholeSeconds)),
        ('s', _) => (Some(Slot::Status), None),
        ('r', _) => (Some(Slot::Request), None),
        ('U', _) => (Some(Slot::Path), None),
        ('i', name) if name.eq_ignore_ascii_case("upgrade") => (Some(Slot::Upgrade), None),
        ('b' | 'B' | 'O', _) => (Some(Slot::Sent), None),
        ('I', _) => (Some(Slot::Received), None),
        _ => (None, None),
    };
    Some((text.get(..length)?, length, slot, unit))
}

fn haproxy(text: &str) -> Option<Variable<'_>> {
    let rest = text.strip_prefix('%')?;
    if rest.starts_with('%') {
        return None;
    }
    let flags = if rest.starts_with('{') { rest.find('}')? + 1 } else { 0 };
    let rest = rest.get(flags..)?;
    if rest.starts_with('[') {
        let length = text.len() - rest.len() + rest.find(']')? + 1;
        return Some((text.get(..length)?, length, None, None));
    }
    let size = word(rest);
    let name = rest.get(..size).filter(|name| !name.is_empty())?;
    let length = 1 + flags + size;
    let (slot, unit) = match name {
        "tr" | "t" | "trg" | "trl" | "T" | "Tl" => (Some(Slot::Time), None),
        "Ta" | "Tt" => (Some(Slot::Duration), Some(Unit::Milliseconds)),
        "ST" => (Some(Slot::Status), None),
        "r" => (Some(Slot::Request), None),
        "HP" | "HU" | "HPO" => (Some(Slot::Path), None),
        "ts" | "tsc" => (Some(Slot::Ending), None),
        "B" => (Some(Slot::Sent), None),
        "U" => (Some(Slot::Received), None),
        _ => (None, None),
    };
    Some((text.get(..length)?, length, slot, unit))
}

fn envoy(text: &str) -> Option<Variable<'_>> {
    let rest = text.strip_prefix('%')?;
    let end = rest.find('%').filter(|end| *end > 0)?;
    let name = rest.get(..end)?;
    let base = name.get(..name.find(['(', ':']).filter(|at| *at > 0).unwrap_or(name.len()))?;
    let (slot, unit) = match base {
        "START_TIME" => (Some(Slot::Time), None),
        "DURATION" => (Some(Slot::Duration), Some(Unit::Milliseconds)),
        "RESPONSE_CODE" => (Some(Slot::Status), None),
        "RESPONSE_FLAGS" => (Some(Slot::Ending), None),
        "BYTES_SENT" => (Some(Slot::Sent), None),
        "BYTES_RECEIVED" => (Some(Slot::Received), None),
        "REQ" if name.contains(":PATH") || name.contains("ORIGINAL-PATH") => (Some(Slot::Path), None),
        "REQ" if name.contains("(UPGRADE)") => (Some(Slot::Upgrade), None),
        _ => (None, None),
    };
    Some((name, end + 2, slot, unit))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn take<'a>(format: &str, line: &'a str) -> Option<Slots<'a>> {
        Template::compile(format).unwrap().take(line.as_bytes())
    }

    #[test]
    fn formats_of_every_dialect() {
        let slots = take(
            "$remote_addr [$time_local] \"$request\" $status rt=${request_time} \"$http_upgrade\"",
            "::1 [x y] \"GET /ws HTTP/1.1\" 101 rt=60.001 \"websocket\"",
        )
        .unwrap();
        assert_eq!((slots.of(Slot::Status), slots.of(Slot::Duration)), (&b"101"[..], &b"60.001"[..]));
        assert_eq!(
            (slots.of(Slot::Request), slots.of(Slot::Upgrade)),
            (&b"GET /ws HTTP/1.1"[..], &b"websocket"[..])
        );
        let slots = take(
            "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" %D",
            "::1 - - [x y] \"GET /a\\\"b HTTP/1.1\" 101 5 \"-\" 60000000",
        )
        .unwrap();
        assert_eq!(
            (slots.of(Slot::Request), slots.of(Slot::Duration)),
            (&b"GET /a\\\"b HTTP/1.1"[..], &b"60000000"[..])
        );
        let slots = take("%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r", "::1:5 [t] f b/s 0/0/1/2/4001 101 129 - - cD-- 1/1/0/0/0 0/0 {a} {b} \"GET / HTTP/1.1\"").unwrap();
        assert_eq!((slots.of(Slot::Ending), slots.of(Slot::Duration)), (&b"cD--"[..], &b"4001"[..]));
        let slots = take(
            "[%START_TIME%] %RESPONSE_CODE% %DURATION% \"%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%\"",
            "[t] 101 300 \"/ws\"",
        )
        .unwrap();
        assert_eq!((slots.of(Slot::Path), slots.of(Slot::Status)), (&b"/ws"[..], &b"101"[..]));
    }

    #[test]
    fn wrong_formats_say_what_is_wrong() {
        assert!(matches!(Template::compile("no variable"), Err(FormatError::NoVariables(_))));
        let error = Template::compile("$status$request_time").unwrap_err();
        assert_eq!(error, FormatError::Adjacent("status".to_owned(), "request_time".to_owned()));
    }

    #[test]
    fn a_line_of_another_form_is_none() {
        assert!(take("[$time_local] $status", "no bracket").is_none());
        assert!(take("$remote_addr \"$request\" $status", "::1 \"GET / 101").is_none());
        assert!(take("$status", "").is_some_and(|slots| slots.of(Slot::Status).is_empty()));
    }
}
