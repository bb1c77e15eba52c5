//! One intermediary: what stands in one data file.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::fingerprint::Fingerprint;
use crate::{Basis, Confidence, Kind, Preset, Timer, TimerKind, span};

/// What is known of one intermediary.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Entry {
    /// Its name here, in kebab case; no other entry has it.
    pub id: String,
    /// Its name as people know it.
    pub name: String,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Who makes or runs it; `None` when that is many.
    pub vendor: Option<String>,
    /// What it does to WebSockets, in one to three sentences.
    pub about: String,
    /// How sure all this is, unless a part says otherwise.
    pub confidence: Confidence,
    /// How it treats the handshake and the frames.
    #[serde(default)]
    pub handshake: Handshake,
    /// Timers and caps of age.
    #[serde(default, rename = "timer")]
    pub timers: Vec<Timer>,
    /// How it ends connections, or keeps them, by occasion.
    #[serde(default, rename = "closing")]
    pub closings: Vec<Closing>,
    /// Limits that are not times.
    #[serde(default, rename = "limit")]
    pub limits: Vec<Limit>,
    /// Settings that matter and are neither times nor limits.
    #[serde(default, rename = "setting")]
    pub settings: Vec<Setting>,
    /// What a client sees at the handshake when something is wrong.
    #[serde(default, rename = "refusal")]
    pub refusals: Vec<Refusal>,
    /// How to recognise it.
    #[serde(default, rename = "fingerprint")]
    pub fingerprints: Vec<Fingerprint>,
    /// What to change.
    #[serde(default, rename = "fix")]
    pub fixes: Vec<Fix>,
    /// Where all this comes from.
    #[serde(default, rename = "source")]
    pub sources: Vec<Source>,
    /// Faults that it causes.
    #[serde(default, rename = "preset")]
    pub presets: Vec<Preset>,
}

/// How an intermediary treats the handshake and the frames behind it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Handshake {
    /// Whether WebSockets pass.
    pub upgrade: Support,
    /// What must be there or be configured for them to pass, in short sentences.
    pub needs: Vec<String>,
    /// Whether extended CONNECT over HTTP/2 passes (RFC 8441).
    pub extended_connect: Support,
    /// What happens to permessage-deflate (RFC 7692).
    pub deflate: Treatment,
    /// What happens to Pings.
    pub pings: Treatment,
}

/// Whether something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Support {
    /// As delivered.
    Yes,
    /// Once it is configured.
    Configured,
    /// Never.
    No,
    /// It is not known.
    #[default]
    Unknown,
}

/// What happens to something on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Treatment {
    /// It passes unchanged.
    Forwarded,
    /// The intermediary answers it itself.
    Answered,
    /// It is removed.
    Stripped,
    /// It is not known.
    #[default]
    Unknown,
}

/// How an intermediary ends an open WebSocket.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Closing {
    /// The occasion.
    pub when: Occasion,
    /// What the client sees.
    pub how: How,
    /// The close code, with [`How::CloseFrame`].
    pub code: Option<u16>,
    /// The reason in the Close frame.
    pub reason: Option<String>,
    /// How much later than the occasion.
    #[serde(default, deserialize_with = "span::some_duration")]
    pub after: Option<Duration>,
    /// What the upstream sees, where it differs.
    pub upstream: Option<How>,
    /// What else there is to know.
    pub note: Option<String>,
}

/// Why a connection may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Occasion {
    /// An idle timer ran out.
    Idle,
    /// A cap of age was reached.
    Lifetime,
    /// The configuration was loaded anew.
    Reload,
    /// The time that old connections are given was over.
    Drained,
    /// The program, its machine or its instance stopped or was replaced.
    Stop,
    /// A message or frame was too large.
    TooLarge,
    /// Any other loss.
    Loss,
}

/// What is seen of an ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum How {
    /// A FIN without a Close frame.
    Fin,
    /// A reset.
    Rst,
    /// A Close frame, then the end of the connection.
    CloseFrame,
    /// Nothing: what is sent afterwards vanishes.
    Silent,
    /// Nothing, and a reset to whoever speaks next.
    SilentThenRst,
    /// The connection ends without a Close frame; whether by FIN or by reset is not documented.
    Ends,
    /// Nothing ends: the connection goes on.
    Kept,
    /// It is not known.
    Unknown,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fin => "FIN without close frame",
            Self::Rst => "RST",
            Self::CloseFrame => "a Close frame",
            Self::Silent => "black hole",
            Self::SilentThenRst => "black hole, then RST for whoever speaks",
            Self::Ends => "FIN or RST, not documented",
            Self::Kept => "stays open",
            Self::Unknown => "unknown",
        })
    }
}

/// A limit that is not a time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Limit {
    /// What it limits.
    pub what: LimitKind,
    /// The limit: bytes of a message or frame, or a number of connections.
    pub value: u64,
    /// What else there is to know.
    pub note: Option<String>,
}

/// What a [`Limit`] limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LimitKind {
    /// Bytes of a message.
    Message,
    /// Bytes of a frame.
    Frame,
    /// Connections at the same time.
    Connections,
}

/// A setting that matters and is neither a time nor a limit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value as delivered.
    pub default: Option<String>,
    /// What it does.
    pub note: String,
}

/// What a client sees at the handshake when something is wrong.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Refusal {
    /// What is wrong.
    pub when: Trouble,
    /// The status; `None` when there is no HTTP answer, see `without`.
    pub status: Option<u16>,
    /// What comes instead of a status.
    pub without: Option<NoAnswer>,
    /// What the body holds.
    pub body: Option<String>,
    /// How long the answer takes, where it is not immediate and no timer of the entry says so.
    #[serde(default, deserialize_with = "span::some_duration")]
    pub after: Option<Duration>,
    /// What else there is to know.
    pub note: Option<String>,
}

/// What is wrong at a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Trouble {
    /// Nothing listens at the upstream.
    UpstreamRefuses,
    /// The upstream ends the connection before it answers.
    UpstreamDies,
    /// The upstream takes the connection and never answers.
    UpstreamHangs,
    /// The intermediary is not configured for WebSockets; the answer may be the upstream's, to a plain GET.
    NotConfigured,
    /// The request lacks a header, or asks for a port or a host that is not allowed.
    BadRequest,
}

/// What comes where an HTTP answer should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoAnswer {
    /// The connection ends with no byte sent.
    Empty,
    /// Nothing, for ever.
    Hangs,
    /// A reset.
    Rst,
}

/// A block to paste, and why.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fix {
    /// The names of the timers that it is about.
    #[serde(default)]
    pub timers: Vec<String>,
    /// The language of `text`, as Markdown names it; `text` for plain words.
    pub language: String,
    /// The block.
    pub text: String,
    /// What it achieves.
    pub reason: String,
    /// The command that checks it.
    pub validator: Option<String>,
}

/// Where something comes from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Source {
    /// An address, a file of a public repository, or words.
    pub what: String,
    /// The kind of evidence.
    pub basis: Basis,
    /// When it was written or read, `YYYY-MM-DD` or less of it, where that is known.
    pub date: Option<String>,
    /// How sure it is, where that differs from the entry.
    pub confidence: Option<Confidence>,
}

impl Entry {
    /// The name of its first fault preset.
    pub fn first_preset(&self) -> Option<&str> {
        self.presets.first().map(|preset| preset.name.as_str())
    }

    /// Reads one data file.
    pub(crate) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let mut entry: Self = toml::from_str(text)?;
        let unsure = entry.is_unsure();
        for timer in &mut entry.timers {
            let confidence = timer.confidence.unwrap_or(entry.confidence);
            timer.unsure = match timer.basis {
                Some(basis) => confidence == Confidence::Low || basis.is_weak(),
                None => confidence == Confidence::Low || unsure,
            };
        }
        Ok(entry)
    }

    /// Whether what stands here comes from memory only, or is marked as low in confidence: to be shown as unsure.
    /// A single timer may be unsure in an entry that is not ([`Timer::is_unsure`]).
    pub fn is_unsure(&self) -> bool {
        self.confidence == Confidence::Low || self.sources.iter().all(|source| source.basis.is_weak())
    }

    /// The timer with this name.
    pub fn timer(&self, name: &str) -> Option<&Timer> {
        self.timers.iter().find(|timer| timer.name == name)
    }

    /// The timers of one kind.
    pub fn timers_of(&self, what: TimerKind) -> impl Iterator<Item = &Timer> {
        self.timers.iter().filter(move |timer| timer.what == what)
    }

    /// How it ends connections on an occasion; several where it depends.
    pub fn closings_on(&self, when: Occasion) -> impl Iterator<Item = &Closing> {
        self.closings.iter().filter(move |closing| closing.when == when)
    }

    /// The fixes that are about a timer.
    pub fn fixes_of(&self, timer: &str) -> impl Iterator<Item = &Fix> {
        self.fixes.iter().filter(move |fix| fix.timers.iter().any(|name| name == timer))
    }
}
