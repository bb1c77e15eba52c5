//! From a table to a [`Spec`].

use std::time::Duration;

use serde_json::{Map, Value};
use undrop_fault::Distribution;
use undrop_text::{duration, size, suggest};

use super::{Counts, Direction, Forget, How, Kind, Mode, Schedule, Spec, SpecError, When};

/// Longest reason of a Close frame, bytes (RFC 6455 5.5: 125 with the code).
const REASON: usize = 123;

/// Every kind, with what it does in a few words.
pub const KINDS: &[(&str, &str)] = &[
    ("latency", "data and ends arrive later"),
    ("bandwidth", "no more than so many bytes per second"),
    ("slices", "data arrives in small pieces"),
    ("black-hole", "nothing arrives, nobody is told"),
    ("stall", "data waits, ends pass"),
    ("suspend", "nobody reads or writes on the client's side for a while"),
    ("half-open", "one end is gone, the other hears nothing of it"),
    ("cut", "the connection is cut at an age, or behind or inside bytes, frames, messages"),
    ("idle-cut", "the connection is cut after a silence"),
    ("silent-drop", "the flow is forgotten; whoever sends next gets a RST"),
    ("flapping", "the path comes and goes"),
    ("slow-close", "FIN and RST arrive later"),
    ("refuse", "nobody listens"),
    ("accept-delay", "nothing happens on a connection at first"),
    ("close-frame", "the proxy sends a Close frame of its own"),
    ("drop-pings", "Ping frames vanish"),
    ("drop-pongs", "Pong frames vanish"),
    ("header", "a header field of the handshake is set or removed"),
    ("compression", "the offer or the answer is removed, or compressed payloads are damaged"),
    ("status", "the proxy answers the handshake itself"),
    ("reload", "all connections that are open at one instant end, some time later"),
    ("restart", "all connections are cut at one instant, and none are accepted for a while"),
];

impl TryFrom<Map<String, Value>> for Spec {
    type Error = SpecError;

    fn try_from(table: Map<String, Value>) -> Result<Spec, SpecError> {
        let Some(kind) = table.get("kind") else {
            return Err(SpecError::new("a fault needs a `kind`, such as kind = \"idle-cut\""));
        };
        let Some(&(kind, _)) = kind.as_str().and_then(|kind| KINDS.iter().find(|(name, _)| *name == kind))
        else {
            let text = kind.as_str().map_or_else(|| kind.to_string(), str::to_owned);
            let hint = suggest::hint(&text, KINDS.iter().map(|(name, _)| *name));
            return Err(SpecError::at("kind", format!("unknown fault `{text}`{hint}")));
        };
        let mut reader = Reader { kind, table: &table, asked: vec!["kind"] };
        let fault = reader.fault()?;
        let direction = reader.choice(
            "direction",
            &[("both", Direction::Both), ("up", Direction::Up), ("down", Direction::Down)],
        )?;
        let share = reader.part("share", 1.0)?;
        reader.finish()?;
        Ok(Spec { fault, direction, share })
    }
}

/// Reads keys and remembers which it was asked for.
struct Reader<'a> {
    kind: &'static str,
    table: &'a Map<String, Value>,
    asked: Vec<&'static str>,
}

impl Reader<'_> {
    fn fault(&mut self) -> Result<Kind, SpecError> {
        let zero = Duration::ZERO;
        Ok(match self.kind {
            "latency" => Kind::Latency {
                base: self.needed("base", Self::duration)?,
                jitter: self.duration("jitter")?.unwrap_or(zero),
                distribution: self.choice(
                    "distribution",
                    &[
                        ("uniform", Distribution::Uniform),
                        ("normal", Distribution::Normal),
                        ("pareto", Distribution::Pareto),
                    ],
                )?,
            },
            "bandwidth" => Kind::Bandwidth { rate: self.positive("rate", Self::size)? },
            "slices" => Kind::Slices {
                size: usize::try_from(self.positive("size", Self::size)?).unwrap_or(usize::MAX),
                gap: self.duration("gap")?.unwrap_or(zero),
            },
            "black-hole" => Kind::BlackHole {
                after: self.duration("after")?.unwrap_or(zero),
                lasts: self.duration("lasts")?,
            },
            "stall" => {
                Kind::Stall { after: self.duration("after")?.unwrap_or(zero), lasts: self.duration("lasts")? }
            }
            "suspend" => Kind::Suspend {
                after: self.duration("after")?.unwrap_or(zero),
                lasts: self.duration("lasts")?,
            },
            "half-open" => Kind::HalfOpen { after: self.needed("after", Self::duration)? },
            "cut" => self.cut()?,
            "idle-cut" => Kind::IdleCut {
                after: self.needed("after", Self::duration)?,
                how: self.how("fin", 1011)?,
                counts: self.choice(
                    "counts",
                    &[
                        ("any", Counts::Any),
                        ("data", Counts::Data),
                        ("up", Counts::Up),
                        ("down", Counts::Down),
                    ],
                )?,
            },
            "silent-drop" => Kind::SilentDrop {
                when: match self.one_of(&["after", "age"])? {
                    "age" => Forget::Age(self.needed("age", Self::duration)?),
                    _ => Forget::After(self.needed("after", Self::duration)?),
                },
            },
            "flapping" => Kind::Flapping {
                up: self.needed("up", Self::duration)?,
                down: self.needed("down", Self::duration)?,
            },
            "slow-close" => Kind::SlowClose { delay: self.needed("delay", Self::duration)? },
            "refuse" => Kind::Refuse { lasts: self.duration("lasts")? },
            "accept-delay" => Kind::AcceptDelay { delay: self.needed("delay", Self::duration)? },
            "close-frame" => Kind::CloseFrame {
                after: self.needed("after", Self::duration)?,
                code: self.needed("code", Self::code)?,
                reason: self.reason()?,
            },
            "drop-pings" => Kind::DropPings,
            "drop-pongs" => Kind::DropPongs,
            "header" => self.header()?,
            "compression" => {
                let modes = [("strip", Mode::Strip), ("corrupt", Mode::Corrupt)];
                self.needed("mode", Self::text)?;
                Kind::Compression { mode: self.choice("mode", &modes)? }
            }
            "status" => self.status()?,
            "reload" => Kind::Reload {
                when: self.schedule()?,
                grace: self.duration("grace")?.unwrap_or(zero),
                how: self.how("fin", 1001)?,
            },
            _ => Kind::Restart {
                when: self.schedule()?,
                down: self.duration("down")?.unwrap_or(zero),
                how: self.how("rst", 1001)?,
            },
        })
    }

    fn cut(&mut self) -> Result<Kind, SpecError> {
        let trigger = self.one_of(&["age", "bytes", "frames", "mid-frame", "mid-message"])?;
        let when = match trigger {
            "age" => When::Age(self.needed("age", Self::duration)?),
            "bytes" => When::Bytes(self.needed("bytes", Self::size)?),
            "frames" => When::Frames(self.positive("frames", Self::count)?),
            "mid-frame" => When::MidFrame(self.positive("mid-frame", Self::count)?),
            _ => When::MidMessage(self.positive("mid-message", Self::count)?),
        };
        let spread = self.part("spread", 0.0)?;
        if spread > 0.0 && trigger != "age" {
            return Err(self.wrong("spread", "goes with `age` only"));
        }
        let how = self.how("rst", 1011)?;
        if matches!(when, When::MidFrame(_) | When::MidMessage(_)) && matches!(how, How::Close { .. }) {
            return Err(self.wrong("how", "no Close frame can be sent there; write rst, fin or silent"));
        }
        Ok(Kind::Cut { when, spread, how })
    }

    fn header(&mut self) -> Result<Kind, SpecError> {
        let name = self.needed("name", Self::text)?;
        if name.is_empty()
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
        {
            return Err(self.wrong("name", "is not the name of a header field"));
        }
        let set = self.text("set")?;
        if set.as_deref().is_some_and(|value| value.bytes().any(|b| b < 0x20 || b == 0x7f)) {
            return Err(self.wrong("set", "a header field is one line"));
        }
        let remove = self.flag("remove")?;
        if set.is_some() == remove {
            return Err(self.wrong("set", "write either `set = \"…\"` or `remove = true`"));
        }
        let request = self.choice("on", &[("request", true), ("response", false)])?;
        Ok(Kind::Header { name, set, request })
    }

    fn status(&mut self) -> Result<Kind, SpecError> {
        let status = self.needed("status", Self::code)?;
        if !(200..=599).contains(&status) {
            return Err(self.wrong("status", "goes from 200 to 599"));
        }
        let mut headers = Vec::new();
        match self.value("headers") {
            None => {}
            Some(Value::Object(fields)) => {
                for (name, value) in fields {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    headers.push((name.clone(), value));
                }
            }
            Some(_) => return Err(self.wrong("headers", "is a table of names and values")),
        }
        Ok(Kind::Status { status, headers, body: self.text("body")?.unwrap_or_default() })
    }

    fn schedule(&mut self) -> Result<Schedule, SpecError> {
        let schedule = match self.one_of(&["every", "at"])? {
            "at" => Schedule::At(self.needed("at", Self::duration)?),
            _ => Schedule::Every(self.needed("every", Self::duration)?),
        };
        if schedule == Schedule::Every(Duration::ZERO) {
            return Err(self.wrong("every", "is longer than 0"));
        }
        Ok(schedule)
    }

    fn how(&mut self, default: &str, code: u16) -> Result<How, SpecError> {
        let how = self.text("how")?.unwrap_or_else(|| default.to_owned());
        let given = self.code("code")?;
        let reason = self.reason()?;
        if how != "close" && (given.is_some() || !reason.is_empty()) {
            let key = if given.is_some() { "code" } else { "reason" };
            return Err(self.wrong(key, "goes with `how = \"close\"` only"));
        }
        match how.as_str() {
            "rst" => Ok(How::Rst),
            "fin" => Ok(How::Fin),
            "silent" => Ok(How::Silent),
            "close" => Ok(How::Close { code: given.unwrap_or(code), reason }),
            other => {
                let hint = suggest::hint(other, ["rst", "fin", "silent", "close"]);
                Err(self.wrong("how", &format!("`{other}` is none of rst, fin, silent, close{hint}")))
            }
        }
    }

    fn reason(&mut self) -> Result<String, SpecError> {
        let reason = self.text("reason")?.unwrap_or_default();
        if reason.len() > REASON {
            return Err(self.wrong("reason", &format!("has at most {REASON} bytes")));
        }
        Ok(reason)
    }

    fn value(&mut self, key: &'static str) -> Option<&Value> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.table.get(key)
    }

    fn duration(&mut self, key: &'static str) -> Result<Option<Duration>, SpecError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        read_duration(value).map(Some).map_err(|error| self.wrong(key, &error.to_string()))
    }

    fn size(&mut self, key: &'static str) -> Result<Option<u64>, SpecError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let size = match value {
            Value::String(text) => size::parse(text),
            other => size::parse(&other.to_string()),
        };
        size.map(Some).map_err(|error| self.wrong(key, &error.to_string()))
    }

    fn count(&mut self, key: &'static str) -> Result<Option<u64>, SpecError> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(count) => Ok(Some(count)),
                None => Err(self.wrong(key, "is a whole number")),
            },
        }
    }

    fn code(&mut self, key: &'static str) -> Result<Option<u16>, SpecError> {
        match self.count(key)?.map(u16::try_from) {
            None => Ok(None),
            Some(Ok(code)) => Ok(Some(code)),
            Some(Err(_)) => Err(self.wrong(key, "goes from 0 to 65535")),
        }
    }

    fn part(&mut self, key: &'static str, default: f64) -> Result<f64, SpecError> {
        match self.value(key) {
            None => Ok(default),
            Some(value) => match value.as_f64().filter(|part| (0.0..=1.0).contains(part)) {
                Some(part) => Ok(part),
                None => Err(self.wrong(key, "goes from 0 to 1")),
            },
        }
    }

    fn text(&mut self, key: &'static str) -> Result<Option<String>, SpecError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            // A command line cannot tell the text `1` from the number.
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.wrong(key, "is a text")),
        }
    }

    fn flag(&mut self, key: &'static str) -> Result<bool, SpecError> {
        match self.value(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.wrong(key, "is true or false")),
        }
    }

    /// The first choice is the default.
    fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Result<T, SpecError> {
        let text = self.text(key)?;
        let chosen = match &text {
            None => choices.first(),
            Some(text) => choices.iter().find(|(name, _)| name == text),
        };
        match chosen {
            Some((_, value)) => Ok(*value),
            None => {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                let text = text.unwrap_or_default();
                let hint = suggest::hint(&text, names.iter().copied());
                Err(self.wrong(key, &format!("`{text}` is none of {}{hint}", names.join(", "))))
            }
        }
    }

    fn needed<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<Option<T>, SpecError>,
    ) -> Result<T, SpecError> {
        match read(self, key)? {
            Some(value) => Ok(value),
            None => {
                // A misspelt key is more likely than a forgotten one.
                self.finish()?;
                Err(SpecError::new(format!("`{}` needs `{key}`", self.kind)))
            }
        }
    }

    fn positive(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<Option<u64>, SpecError>,
    ) -> Result<u64, SpecError> {
        match self.needed(key, read)? {
            0 => Err(self.wrong(key, "is at least 1")),
            n => Ok(n),
        }
    }

    /// The one of these keys that is there.
    fn one_of(&mut self, keys: &[&'static str]) -> Result<&'static str, SpecError> {
        let there: Vec<&'static str> = keys.iter().copied().filter(|key| self.value(key).is_some()).collect();
        match there[..] {
            [one] => Ok(one),
            [] => {
                self.asked.extend(["spread", "how", "code", "reason", "grace", "down"]);
                self.finish()?;
                Err(SpecError::new(format!("`{}` needs one of `{}`", self.kind, keys.join("`, `"))))
            }
            [_, second, ..] => {
                Err(self.wrong(second, &format!("only one of `{}` may be given", keys.join("`, `"))))
            }
        }
    }

    fn wrong(&self, key: &str, what: &str) -> SpecError {
        SpecError::at(key, format!("`{key}` of `{}`: {what}", self.kind))
    }

    /// Refuses what nobody asked for.
    fn finish(&mut self) -> Result<(), SpecError> {
        self.asked.extend(["direction", "share"]);
        let Some(unknown) = self.table.keys().find(|key| !self.asked.contains(&key.as_str())) else {
            return Ok(());
        };
        let hint = suggest::hint(unknown, self.asked.iter().copied());
        Err(SpecError::at(unknown, format!("`{}` has no key `{unknown}`{hint}", self.kind)))
    }
}

/// Reads a duration as it is written in TOML or JSON: a text in the grammar of [`duration`], or a number of seconds.
pub(crate) fn read_duration(value: &Value) -> Result<Duration, duration::DurationError> {
    match value {
        Value::String(text) => duration::parse(text),
        Value::Number(number) => duration::from_seconds(number.as_f64().unwrap_or(f64::INFINITY)),
        other => duration::parse(&other.to_string()),
    }
}
