//! A fault as it is written: in a timeline file, a preset, a command line, or a request to the API.
//!
//! Every form is one table with a `kind`. [`Spec`] is the table after it was judged: unknown keys, values out of range
//! and contradictions are refused with one error that names the key.

mod inline;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use undrop_text::duration::LONGEST;

pub use read::KINDS;
pub(crate) use read::read_duration;

/// One fault, ready to be injected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Spec {
    /// What happens.
    pub fault: Kind,
    /// In which direction, for the kinds that have one.
    pub direction: Direction,
    /// The part of the connections that it hits, from 0 to 1; drawn for each.
    pub share: f64,
}

/// A direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the client to the upstream.
    Up,
    /// From the upstream to the client.
    Down,
    /// Both.
    #[default]
    Both,
}

/// What a fault does. Each variant is a `kind` in kebab case, with the fields as keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Data and ends arrive later.
    Latency {
        /// Least delay.
        base: Duration,
        /// Measure of what is added.
        jitter: Duration,
        /// How the added time is drawn.
        distribution: undrop_fault::Distribution,
    },
    /// No more bytes per second than this.
    Bandwidth {
        /// Bytes per second.
        rate: u64,
    },
    /// Data arrives in small pieces.
    Slices {
        /// Largest piece, bytes.
        size: usize,
        /// Time between two pieces.
        gap: Duration,
    },
    /// Nothing arrives any more, and neither end is told.
    BlackHole {
        /// When it opens.
        after: Duration,
        /// How long it stays; `None`: for good.
        lasts: Option<Duration>,
    },
    /// Data waits, ends pass.
    Stall {
        /// When it begins.
        after: Duration,
        /// How long it lasts; `None`: for good.
        lasts: Option<Duration>,
    },
    /// Nobody reads or writes on the client's side for a while.
    Suspend {
        /// When it begins.
        after: Duration,
        /// How long it lasts; `None`: for good.
        lasts: Option<Duration>,
    },
    /// One end is gone (its own socket is reset); the other hears nothing of it.
    HalfOpen {
        /// When it goes.
        after: Duration,
    },
    /// The connection is cut, busy or not.
    Cut {
        /// When.
        when: When,
        /// For an age: the part by which it differs from connection to connection, 0 to 1.
        spread: f64,
        /// The manner.
        how: How,
    },
    /// The connection is cut after a silence.
    IdleCut {
        /// Longest silence that is survived.
        after: Duration,
        /// The manner.
        how: How,
        /// What ends a silence.
        counts: Counts,
    },
    /// The flow is forgotten without a word; whoever sends next gets a RST.
    SilentDrop {
        /// When.
        when: Forget,
    },
    /// The path comes and goes.
    Flapping {
        /// How long it works.
        up: Duration,
        /// How long it then fails.
        down: Duration,
    },
    /// FIN and RST arrive later.
    SlowClose {
        /// By how much.
        delay: Duration,
    },
    /// Connections are refused: nobody listens.
    Refuse {
        /// How long; `None`: for good.
        lasts: Option<Duration>,
    },
    /// Nothing happens on a connection at first.
    AcceptDelay {
        /// How long.
        delay: Duration,
    },
    /// The proxy sends a Close frame of its own, then FIN.
    CloseFrame {
        /// When.
        after: Duration,
        /// Close code, any number.
        code: u16,
        /// Close reason, at most 123 bytes.
        reason: String,
    },
    /// Ping frames vanish.
    DropPings,
    /// Pong frames vanish.
    DropPongs,
    /// A header field of the handshake is set or removed.
    Header {
        /// The field's name.
        name: String,
        /// Its new value; `None`: it is removed.
        set: Option<String>,
        /// Of the request, or else of the response.
        request: bool,
    },
    /// Compression goes wrong.
    Compression {
        /// How.
        mode: Mode,
    },
    /// The proxy answers the handshake itself.
    Status {
        /// HTTP status, 200 to 599.
        status: u16,
        /// Further header fields.
        headers: Vec<(String, String)>,
        /// Text of the response.
        body: String,
    },
    /// At one instant all connections that are open get an end, some time later.
    Reload {
        /// The instants.
        when: Schedule,
        /// How much later.
        grace: Duration,
        /// The end.
        how: How,
    },
    /// All connections are cut at one instant, and none are accepted for a while.
    Restart {
        /// The instants.
        when: Schedule,
        /// How long connections are refused then.
        down: Duration,
        /// The end of those that are open.
        how: How,
    },
}

/// When a cut comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// At an age.
    Age(Duration),
    /// Behind this many bytes of a direction.
    Bytes(u64),
    /// Behind this many frames of a direction.
    Frames(u64),
    /// Inside the frame with this number (from 1).
    MidFrame(u64),
    /// Inside the message with this number (from 1): behind its first frame if it has several.
    MidMessage(u64),
}

/// The manner of an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Reset.
    Rst,
    /// FIN without a Close frame.
    Fin,
    /// No sign at all.
    Silent,
    /// A Close frame to both ends, then FIN.
    Close {
        /// Close code, any number.
        code: u16,
        /// Close reason, at most 123 bytes.
        reason: String,
    },
}

/// What ends a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Any byte.
    Any,
    /// Data frames; Pings and Pongs do not count.
    Data,
    /// Any byte from the client.
    Up,
    /// Any byte from the upstream.
    Down,
}

/// When a flow is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forget {
    /// After a silence in both directions.
    After(Duration),
    /// At an age, busy or not.
    Age(Duration),
}

/// Instants that all connections share, counted from when the fault began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Again and again.
    Every(Duration),
    /// Once.
    At(Duration),
}

/// How compression goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `Sec-WebSocket-Extensions` is removed: the offer (direction up), the answer (down), or both.
    Strip,
    /// Bits of compressed payloads are flipped.
    Corrupt,
}

/// A fault that cannot be used as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SpecError {
    /// The key at fault, when it is one.
    pub key: Option<String>,
    message: String,
}

impl Spec {
    /// A fault of every connection, in both directions.
    pub fn new(fault: Kind) -> Spec {
        Spec { fault, direction: Direction::Both, share: 1.0 }
    }

    /// The same in one direction.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Spec {
        self.direction = direction;
        self
    }

    /// The same for a part of the connections, 0 to 1.
    #[must_use]
    pub fn share(mut self, share: f64) -> Spec {
        self.share = share.clamp(0.0, 1.0);
        self
    }

    /// The `kind` that this is written with.
    pub fn kind(&self) -> &'static str {
        self.fault.name()
    }

    /// The same with every duration divided by `speed`, so that what takes an hour can be tested in minutes. Rates,
    /// sizes and counts stay.
    #[must_use]
    pub fn faster(&self, speed: f64) -> Spec {
        let mut spec = self.clone();
        if speed == 1.0 {
            // No rounding; only the bound.
            spec.fault.each_duration(&mut |duration| *duration = (*duration).min(LONGEST));
            return spec;
        }
        spec.fault.each_duration(&mut |duration| *duration = scale(*duration, speed));
        spec
    }
}

/// `duration` at this speed; never so long that a clock cannot hold it.
pub(crate) fn scale(duration: Duration, speed: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() / speed).unwrap_or(LONGEST).min(LONGEST)
}

impl Direction {
    /// Includes what the client sends.
    pub fn is_up(self) -> bool {
        self != Direction::Down
    }

    /// Includes what the upstream sends.
    pub fn is_down(self) -> bool {
        self != Direction::Up
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
            Direction::Both => "both",
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Rst => f.write_str("RST"),
            How::Fin => f.write_str("FIN without close frame"),
            How::Silent => f.write_str("black hole"),
            How::Close { code: 1000, .. } => f.write_str("clean 1000"),
            How::Close { code: 1001, .. } => f.write_str("going away 1001"),
            How::Close { code, .. } => write!(f, "close {code}"),
        }
    }
}

impl Kind {
    /// Needs the handshake or the frames.
    pub(crate) fn reads(&self) -> bool {
        let close = |how: &How| matches!(how, How::Close { .. });
        match self {
            Kind::Cut { when, how, .. } => !matches!(when, When::Age(_) | When::Bytes(_)) || close(how),
            Kind::IdleCut { how, counts, .. } => *counts == Counts::Data || close(how),
            Kind::Reload { how, .. } | Kind::Restart { how, .. } => close(how),
            Kind::CloseFrame { .. }
            | Kind::DropPings
            | Kind::DropPongs
            | Kind::Header { .. }
            | Kind::Compression { .. }
            | Kind::Status { .. } => true,
            _ => false,
        }
    }

    /// Concerns connections when they are opened, and no others.
    pub(crate) fn greets(&self) -> bool {
        matches!(
            self,
            Kind::Refuse { .. }
                | Kind::AcceptDelay { .. }
                | Kind::Restart { .. }
                | Kind::Status { .. }
                | Kind::Header { .. }
                | Kind::Compression { mode: Mode::Strip }
        )
    }

    fn each_duration(&mut self, change: &mut impl FnMut(&mut Duration)) {
        match self {
            Kind::Latency { base, jitter, .. } => {
                change(base);
                change(jitter);
            }
            Kind::Slices { gap, .. } => change(gap),
            Kind::BlackHole { after, lasts }
            | Kind::Stall { after, lasts }
            | Kind::Suspend { after, lasts } => {
                change(after);
                lasts.iter_mut().for_each(change);
            }
            Kind::HalfOpen { after } | Kind::CloseFrame { after, .. } | Kind::IdleCut { after, .. } => {
                change(after);
            }
            Kind::Cut { when: When::Age(age), .. } => change(age),
            Kind::SilentDrop { when: Forget::After(time) | Forget::Age(time) } => change(time),
            Kind::Flapping { up, down } => {
                change(up);
                change(down);
            }
            Kind::SlowClose { delay } | Kind::AcceptDelay { delay } => change(delay),
            Kind::Refuse { lasts } => lasts.iter_mut().for_each(change),
            Kind::Reload { when: Schedule::Every(time) | Schedule::At(time), grace: rest, .. }
            | Kind::Restart { when: Schedule::Every(time) | Schedule::At(time), down: rest, .. } => {
                change(time);
                change(rest);
            }
            Kind::Bandwidth { .. }
            | Kind::Cut { .. }
            | Kind::DropPings
            | Kind::DropPongs
            | Kind::Header { .. }
            | Kind::Compression { .. }
            | Kind::Status { .. } => {}
        }
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    /// The form of a command line: `idle-cut after=5s how=rst`.
    fn from_str(text: &str) -> Result<Spec, SpecError> {
        Spec::try_from(inline::table(text)?)
    }
}

impl fmt::Display for Spec {
    /// The form of a command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        inline::write(&self.clone().into(), f)
    }
}

impl SpecError {
    pub(crate) fn new(message: impl Into<String>) -> SpecError {
        SpecError { key: None, message: message.into() }
    }

    pub(crate) fn at(key: &str, message: impl Into<String>) -> SpecError {
        SpecError { key: Some(key.to_owned()), message: message.into() }
    }
}
