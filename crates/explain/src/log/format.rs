//! Detects the format of a log and reads its lines.

use memchr::memmem;

use super::json;
use super::number::{Moment, scaled, whole};
use super::slots::{Label, Slot, Slots, Unit};
use super::template::{Dialect, FormatError, Template};

/// nginx and Apache write the same first part of a line.
const COMBINED: &str = "$remote_addr $ident $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"$undrop_tail";
const COMMON: &str = "$remote_addr $ident $remote_user [$time_local] \"$request\" $status $undrop_tail";
const ALB: &str = "$undrop_upgrade $time_iso8601 $elb $client $target $a $b $c $status $target_status $undrop_received $bytes_sent \"$request\" \"$agent\" $cipher $protocol $group \"$trace\" \"$domain\" \"$certificate\" $priority $undrop_created \"$undrop_tail";
const HAPROXY_HTTP: &str =
    "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr\"%r\"";
const HAPROXY_TCP: &str = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";
const ENVOY: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %REST%";
const ISTIO: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %DETAILS% %TERMINATION% \"%FAILURE%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %REST%";

/// The format of a log.
#[derive(Debug, Clone)]
pub(super) struct Format {
    pub(super) label: String,
    /// The id in `infra` of the product that writes it; `None` if that is uncertain.
    pub(super) product: Option<&'static str>,
    shape: Shape,
    /// Whether sessions are TCP connections, of which any may be a WebSocket.
    pub(super) tcp: bool,
    /// Whether the time of a line is that of the request instead of its end.
    starts: bool,
    duration: Duration,
}

#[derive(Debug, Clone)]
enum Shape {
    Template(Template),
    Json,
}

/// The position of the duration in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Duration {
    Absent,
    Slot(Unit),
    /// The difference between the times of request and end.
    Between,
    /// After the known part: the largest number with three decimals, or a named one.
    TailDecimals,
    /// After the known part: the integer at this position.
    TailWhole(usize, Unit),
}

/// The facts of a line about a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) duration_us: Option<u64>,
    /// The time of its end.
    pub(super) end: Option<Moment>,
    pub(super) ending: Label,
    /// The bytes of both directions.
    pub(super) bytes: Option<u64>,
    /// Whether the line was written before its end.
    pub(super) early: bool,
}

impl Format {
    /// Creates a format from the text of the user.
    pub(super) fn given(text: &str) -> Result<Format, FormatError> {
        let template = Template::compile(text)?;
        let (product, name, hint) = match template.dialect {
            Dialect::Nginx => ("nginx", "nginx", "$status"),
            Dialect::Apache => ("apache", "Apache", "%>s"),
            Dialect::Haproxy => ("haproxy", "HAProxy", "%ST, or %ts for TCP sessions"),
            Dialect::Envoy => ("envoy", "Envoy", "%RESPONSE_CODE%"),
        };
        let tcp = !template.has_status && text.contains("%ts");
        if !template.has_status && !tcp {
            return Err(FormatError::NoStatus(hint));
        }
        let duration = template.unit.map_or(Duration::Absent, Duration::Slot);
        let starts = template.dialect != Dialect::Nginx;
        Ok(Format {
            label: format!("{name}, the given format"),
            product: Some(product),
            shape: Shape::Template(template),
            tcp,
            starts,
            duration,
        })
    }

    /// Returns the format of most of these lines, `None` if no format fits half of them.
    pub(super) fn detect(sample: &[&[u8]]) -> Option<Format> {
        let lines: Vec<&[u8]> = sample.iter().copied().filter(|line| !line.trim_ascii().is_empty()).collect();
        let fitting = |format: &Format| lines.iter().filter(|line| format.fits(line)).count();
        let mut best: Option<(usize, Format)> = None;
        for candidate in candidates() {
            let count = fitting(&candidate);
            if 2 * count >= lines.len().max(1)
                && count > 0
                && best.as_ref().is_none_or(|(most, _)| count > *most)
            {
                best = Some((count, candidate));
            }
        }
        let (_, mut format) = best?;
        format.look_closer(&lines);
        Some(format)
    }

    /// Returns whether a line has this format with plausible values.
    fn fits(&self, line: &[u8]) -> bool {
        let Some(slots) = self.take(line) else { return false };
        slots.time().is_some()
            && (self.tcp || slots.status().is_some())
            && (self.tcp
                || !slots.path().is_empty()
                || !slots.of(Slot::Request).is_empty()
                || matches!(self.shape, Shape::Json))
            && match self.duration {
                Duration::Slot(unit) if !matches!(self.shape, Shape::Json) => {
                    slots.is_early() || slots.duration(unit).is_some()
                }
                Duration::Between => slots.of(Slot::Created).len() > 10,
                _ => true,
            }
    }

    /// Detects the position of the duration and the product from the lines.
    fn look_closer(&mut self, lines: &[&[u8]]) {
        let slots: Vec<Slots<'_>> = lines.iter().filter_map(|line| self.take(line)).collect();
        if matches!(self.shape, Shape::Json) {
            self.look_at_json(lines, &slots);
        } else if self.duration == Duration::TailDecimals {
            self.look_at_tails(&slots);
        }
    }

    fn look_at_json(&mut self, lines: &[&[u8]], slots: &[Slots<'_>]) {
        let some = |key: &[u8]| lines.iter().any(|line| memmem::find(line, key).is_some());
        if slots.iter().all(|slots| slots.of(Slot::Duration).is_empty()) {
            self.duration = Duration::Absent;
        }
        if some(b"\"response_flags\"") || some(b"\"response_code\"") {
            (self.label, self.product, self.starts) = ("Envoy, JSON".to_owned(), Some("envoy"), true);
            self.duration = if self.duration == Duration::Absent {
                Duration::Absent
            } else {
                Duration::Slot(Unit::Milliseconds)
            };
        } else if some(b"\"request\":{") || some(b"http.log.access") {
            (self.label, self.product) = ("Caddy, JSON".to_owned(), Some("caddy"));
        } else if some(b"\"request_time\"") || some(b"\"body_bytes_sent\"") || some(b"\"time_iso8601\"") {
            (self.label, self.product) = ("nginx, JSON".to_owned(), Some("nginx"));
        }
    }

    fn look_at_tails(&mut self, slots: &[Slots<'_>]) {
        // Sessions are more informative than other lines.
        let sessions: Vec<&Slots<'_>> = slots.iter().filter(|slots| slots.status() == Some(101)).collect();
        let tails: Vec<&[u8]> = match sessions.is_empty() {
            true => slots.iter().map(|slots| slots.of(Slot::Tail)).collect(),
            false => sessions.iter().map(|slots| slots.of(Slot::Tail)).collect(),
        };
        let most = tails.len().div_ceil(2);
        if tails.iter().filter(|tail| decimals(tail).is_some()).count() >= most {
            (self.label, self.product) =
                (format!("nginx, {} with a request time", self.label), Some("nginx"));
            return;
        }
        self.duration = Duration::Absent;
        // In a common line, the bytes follow the status.
        let first = usize::from(!self.label.contains("combined"));
        for place in first..first + 6 {
            let values: Vec<u64> = tails.iter().filter_map(|tail| whole(token(tail, place)?)).collect();
            if values.len() < most || values.is_empty() {
                continue;
            }
            let large = values.iter().filter(|value| **value >= 100).count();
            let unit = if 2 * large > values.len() { Unit::Microseconds } else { Unit::WholeSeconds };
            let sign = if unit == Unit::Microseconds { "%D" } else { "%T" };
            self.duration = Duration::TailWhole(place, unit);
            (self.label, self.product) = (format!("Apache, {} with {sign}", self.label), Some("apache"));
            self.starts = true;
            return;
        }
    }

    /// Parses a line. Returns `None` if it does not have this format.
    pub(super) fn take<'a>(&self, line: &'a [u8]) -> Option<Slots<'a>> {
        match &self.shape {
            Shape::Json => json::take(line),
            Shape::Template(template) => match template.dialect {
                Dialect::Haproxy => template.take(line).or_else(|| template.take(behind_prefix(line)?)),
                Dialect::Envoy => {
                    template.take(line).or_else(|| template.take(line.get(memmem::find(line, b"[20")?..)?))
                }
                _ => template.take(line),
            },
        }
    }

    pub(super) fn session(&self, slots: &Slots<'_>) -> Session {
        let end = slots.time();
        let duration_us = match self.duration {
            Duration::Absent => None,
            Duration::Slot(unit) => slots.duration(unit),
            Duration::TailDecimals => decimals(slots.of(Slot::Tail)),
            Duration::TailWhole(place, unit) => token(slots.of(Slot::Tail), place)
                .and_then(|value| scaled(value, if unit == Unit::Microseconds { 1 } else { 1_000_000 })),
            Duration::Between => {
                let created = super::number::moment(slots.of(Slot::Created));
                end.zip(created).and_then(|(end, created)| u64::try_from(end.unix_us - created.unix_us).ok())
            }
        };
        let end = if self.starts {
            let shift = duration_us.and_then(|us| i64::try_from(us).ok());
            end.zip(shift)
                .and_then(|(start, us)| Some(Moment { unix_us: start.unix_us.checked_add(us)?, ..start }))
        } else {
            end
        };
        // The first two characters of the state of HAProxy; the others are about cookies.
        let ending = slots.ending(if self.product == Some("haproxy") { 2 } else { 8 });
        Session { duration_us, end, ending, bytes: slots.bytes(), early: slots.is_early() }
    }

    pub(super) fn has_duration(&self) -> bool {
        self.duration != Duration::Absent
    }

    /// Returns whether durations are truncated to whole seconds.
    pub(super) fn is_coarse(&self) -> bool {
        matches!(
            self.duration,
            Duration::TailWhole(_, Unit::WholeSeconds) | Duration::Slot(Unit::WholeSeconds)
        )
    }

    /// Returns whether durations come from an unnamed number.
    pub(super) fn is_guess(&self) -> bool {
        matches!(self.duration, Duration::TailWhole(..))
    }
}

fn candidates() -> impl Iterator<Item = Format> {
    let built_in = |label: &str, product, dialect, text, tcp, starts, duration| {
        let shape = Shape::Template(Template::compile_as(dialect, text).ok()?);
        Some(Format { label: label.to_owned(), product, shape, tcp, starts, duration })
    };
    let ms = Duration::Slot(Unit::Milliseconds);
    let json = Format {
        label: "JSON".to_owned(),
        product: None,
        shape: Shape::Json,
        tcp: false,
        starts: false,
        duration: Duration::Slot(Unit::Seconds),
    };
    [
        built_in(
            "AWS Application Load Balancer",
            Some("aws-alb"),
            Dialect::Nginx,
            ALB,
            false,
            false,
            Duration::Between,
        ),
        built_in("HAProxy, HTTP", Some("haproxy"), Dialect::Haproxy, HAPROXY_HTTP, false, true, ms),
        built_in("HAProxy, TCP", Some("haproxy"), Dialect::Haproxy, HAPROXY_TCP, true, true, ms),
        built_in("Istio, default", Some("istio"), Dialect::Envoy, ISTIO, false, true, ms),
        built_in("Envoy, default", Some("envoy"), Dialect::Envoy, ENVOY, false, true, ms),
        Some(json),
        built_in("combined", None, Dialect::Nginx, COMBINED, false, false, Duration::TailDecimals),
        built_in("common", None, Dialect::Nginx, COMMON, false, false, Duration::TailDecimals),
    ]
    .into_iter()
    .flatten()
}

/// Removes the syslog prefix of a HAProxy line, which ends before the client address: the word before ` [`.
fn behind_prefix(line: &[u8]) -> Option<&[u8]> {
    let mut from = 0;
    while let Some(found) = memmem::find(line.get(from..)?, b" [") {
        let at = from + found;
        // This is a date, not the process id in `haproxy[7]`.
        if line.get(at + 4) == Some(&b'/') {
            let start = line[..at].iter().rposition(|byte| *byte == b' ').map_or(0, |space| space + 1);
            return line.get(start..);
        }
        from = at + 2;
    }
    None
}

/// Returns the word at a position; quoted text is one word.
fn token(tail: &[u8], place: usize) -> Option<&[u8]> {
    Tokens { rest: tail }.nth(place)
}

/// Returns the request time among the words after a combined line in microseconds: the named one, otherwise the largest number
/// with three decimals, since the request time of nginx is never below the times of its upstream.
fn decimals(tail: &[u8]) -> Option<u64> {
    let mut largest = None;
    for token in (Tokens { rest: tail }) {
        let (key, value) = match memchr::memchr2(b'=', b':', token) {
            Some(at) => (&token[..at], token[at + 1..].trim_ascii()),
            None => (&b""[..], token),
        };
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let value = value.strip_suffix(b"\"").unwrap_or(value);
        let value = value.strip_suffix(b",").unwrap_or(value);
        if matches!(key, b"rt" | b"request_time" | b"req_time" | b"reqtime" | b"duration" | b"request-time") {
            return scaled(value, 1_000_000);
        }
        let three = value.len() > 4 && value.get(value.len() - 4) == Some(&b'.');
        if three && let Some(us) = scaled(value, 1_000_000).filter(|us| *us < 100_000_000_000_000) {
            largest = largest.max(Some(us));
        }
    }
    largest
}

/// Returns the words of a line.
struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let from = self.rest.iter().position(|byte| *byte != b' ')?;
        let rest = &self.rest[from..];
        let end = match rest.first() {
            Some(b'"') => memchr::memchr(b'"', &rest[1..]).map_or(rest.len(), |close| close + 2),
            _ => memchr::memchr(b' ', rest).unwrap_or(rest.len()),
        };
        let (token, behind) = rest.split_at(end);
        self.rest = behind;
        Some(token)
    }
}
