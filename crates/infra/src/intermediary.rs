//! An intermediary: the content of one data file.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::fingerprint::Fingerprint;
use crate::{Basis, Confidence, Preset, ProductKind, Timer, TimerKind, bound};

/// The facts about one intermediary.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Intermediary {
    /// The unique id, in kebab case.
    pub id: String,
    /// The name by which the product is known.
    pub name: String,
    /// The kind of intermediary.
    pub kind: ProductKind,
    /// The vendor or operator; `None` if there are many.
    pub vendor: Option<String>,
    /// Its effect on WebSockets, in one to three sentences.
    pub about: String,
    /// The confidence in all facts that do not state their own.
    pub confidence: Confidence,
    /// The treatment of the handshake and of frames.
    #[serde(default)]
    pub handshake: HandshakeSupport,
    /// The timers, including maximum connection ages.
    #[serde(default, rename = "timer")]
    pub timers: Vec<Timer>,
    /// The ways in which connections end, or are kept, by occasion.
    #[serde(default, rename = "closing")]
    pub closings: Vec<Closing>,
    /// The limits on sizes and numbers.
    #[serde(default, rename = "limit")]
    pub limits: Vec<Limit>,
    /// Further settings that affect WebSockets.
    #[serde(default, rename = "setting")]
    pub settings: Vec<ProductSetting>,
    /// A response to the handshake when something is wrong.
    #[serde(default, rename = "refusal")]
    pub refusals: Vec<HandshakeRefusal>,
    /// The traits by which responses of the product are recognised.
    #[serde(default, rename = "fingerprint")]
    pub fingerprints: Vec<Fingerprint>,
    /// Configuration changes that keep connections open.
    #[serde(default, rename = "fix")]
    pub fixes: Vec<ProductFix>,
    /// The sources of the facts.
    #[serde(default, rename = "source")]
    pub sources: Vec<Citation>,
    /// Presets of faults that the product causes.
    #[serde(default, rename = "preset")]
    pub presets: Vec<Preset>,
}

/// The treatment of the handshake and of the frames after it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct HandshakeSupport {
    /// Whether WebSockets are forwarded.
    pub upgrade: Support,
    /// The requirements for forwarding WebSockets, in short sentences.
    pub needs: Vec<String>,
    /// Whether extended CONNECT over HTTP/2 (RFC 8441) is forwarded.
    pub extended_connect: Support,
    /// The treatment of permessage-deflate (RFC 7692).
    pub deflate: Treatment,
    /// The treatment of Pings.
    pub pings: Treatment,
}

/// Whether a feature is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Support {
    /// The feature works by default.
    Yes,
    /// The feature works after configuration.
    Configured,
    /// The feature does not work.
    No,
    /// It is not known.
    #[default]
    Unknown,
}

/// The treatment of something that passes through an intermediary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Treatment {
    /// It is forwarded unchanged.
    Forwarded,
    /// The intermediary replies itself and does not forward it.
    Answered,
    /// The intermediary removes it and forwards the rest.
    Stripped,
    /// It is not known.
    #[default]
    Unknown,
}

/// The way in which an intermediary ends an open WebSocket.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Closing {
    /// The occasion on which the connection ends.
    pub when: Occasion,
    /// The manner in which the client sees the end.
    pub how: ClosingManner,
    /// The close code, with [`ClosingManner::CloseFrame`].
    pub code: Option<u16>,
    /// The reason text in the Close frame.
    pub reason: Option<String>,
    /// The delay after the occasion.
    #[serde(default, deserialize_with = "bound::some_duration")]
    pub after: Option<Duration>,
    /// The manner in which the upstream sees the end, if it differs.
    pub upstream: Option<ClosingManner>,
    /// Further facts in a sentence or two.
    pub note: Option<String>,
}

/// An occasion on which a connection may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Occasion {
    /// An idle timeout expired.
    Idle,
    /// The maximum connection age was reached.
    Lifetime,
    /// The configuration was reloaded.
    Reload,
    /// The drain time of existing connections expired.
    Drained,
    /// The process, machine or instance was stopped or replaced.
    Stop,
    /// A message or frame exceeded a limit.
    TooLarge,
    /// The connection was lost for another reason.
    Loss,
}

/// The manner in which the end of a connection is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ClosingManner {
    /// A FIN without a Close frame.
    Fin,
    /// A reset of the TCP connection.
    Rst,
    /// A Close frame, then the end of the connection.
    CloseFrame,
    /// Nothing is sent; everything sent later is discarded.
    Silent,
    /// Nothing is sent; whoever sends next receives a reset.
    SilentThenRst,
    /// The connection ends without a Close frame; it is not documented whether by FIN or by reset.
    Ends,
    /// The connection stays open.
    Kept,
    /// It is not known.
    Unknown,
}

impl fmt::Display for ClosingManner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fin => "FIN without close frame",
            Self::Rst => "RST",
            Self::CloseFrame => "a Close frame",
            Self::Silent => "black hole",
            Self::SilentThenRst => "black hole, then RST to the next sender",
            Self::Ends => "FIN or RST, not documented",
            Self::Kept => "stays open",
            Self::Unknown => "unknown",
        })
    }
}

/// A limit on a size or a number.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Limit {
    /// The quantity that is limited.
    pub what: LimitKind,
    /// The limit: a number of bytes or of connections.
    pub value: u64,
    /// Further facts in a sentence or two.
    pub note: Option<String>,
}

/// The quantity that a [`Limit`] applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LimitKind {
    /// The number of bytes in a message.
    Message,
    /// The number of bytes in a frame.
    Frame,
    /// The number of concurrent connections.
    Connections,
}

/// A setting that affects WebSockets and is neither a timer nor a limit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ProductSetting {
    /// The name of the setting.
    pub name: String,
    /// The default value, as it is written in a configuration.
    pub default: Option<String>,
    /// The effect of the setting.
    pub note: String,
}

/// A response to the handshake when something is wrong.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HandshakeRefusal {
    /// The problem that causes the response.
    pub when: HandshakeProblem,
    /// The status code; `None` if there is no HTTP response, see `without`.
    pub status: Option<u16>,
    /// The observation instead of an HTTP response.
    pub without: Option<NoResponse>,
    /// A description of the body.
    pub body: Option<String>,
    /// The time until the response, if it is not immediate and not given by a timer of the intermediary.
    #[serde(default, deserialize_with = "bound::some_duration")]
    pub after: Option<Duration>,
    /// Further facts in a sentence or two.
    pub note: Option<String>,
}

/// A problem that makes a handshake fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HandshakeProblem {
    /// The upstream refuses the TCP connection.
    UpstreamRefuses,
    /// The upstream ends the connection before it responds.
    UpstreamDies,
    /// The upstream accepts the connection and never responds.
    UpstreamHangs,
    /// The intermediary is not configured for WebSockets; the response may be that of the upstream to a plain GET.
    NotConfigured,
    /// The request lacks a header, or names a port or host that is not allowed.
    BadRequest,
}

/// The observation when no HTTP response arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoResponse {
    /// The connection ends before any byte arrives.
    Empty,
    /// Nothing arrives and the connection stays open.
    Hangs,
    /// The connection is reset.
    Rst,
}

/// A change of configuration, with the reason for it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ProductFix {
    /// The names of the timers that it changes.
    #[serde(default)]
    pub timers: Vec<String>,
    /// The language of `text` as in a Markdown code fence; `text` for plain English.
    pub language: String,
    /// The configuration block or instruction.
    pub text: String,
    /// The effect of the change.
    pub reason: String,
    /// A command that validates the changed configuration.
    pub validator: Option<String>,
}

/// A source of facts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Citation {
    /// A URL, a file in a public repository, or a description.
    pub what: String,
    /// The kind of evidence.
    pub basis: Basis,
    /// The date of writing or retrieval, as `YYYY-MM-DD` or a prefix of it, if it is known.
    pub date: Option<String>,
    /// The confidence, if it differs from that of the intermediary.
    pub confidence: Option<Confidence>,
}

impl Intermediary {
    /// Returns the name of the first preset.
    pub fn first_preset(&self) -> Option<&str> {
        self.presets.first().map(|preset| preset.name.as_str())
    }

    /// Parses a data file.
    pub(crate) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let mut parsed: Self = toml::from_str(text)?;
        let unsure = parsed.is_unsure();
        for timer in &mut parsed.timers {
            let confidence = timer.confidence.unwrap_or(parsed.confidence);
            timer.unsure = match timer.basis {
                Some(basis) => confidence == Confidence::Low || basis.is_weak(),
                None => confidence == Confidence::Low || unsure,
            };
        }
        Ok(parsed)
    }

    /// Returns whether the facts come from memory only or have low confidence, and must be presented as unsure. A single timer may be
    /// unsure even if the intermediary is not ([`Timer::is_unsure`]).
    pub fn is_unsure(&self) -> bool {
        self.confidence == Confidence::Low || self.sources.iter().all(|source| source.basis.is_weak())
    }

    /// Returns the timer with this name.
    pub fn timer(&self, name: &str) -> Option<&Timer> {
        self.timers.iter().find(|timer| timer.name == name)
    }

    /// Returns the timers of one kind.
    pub fn timers_of(&self, what: TimerKind) -> impl Iterator<Item = &Timer> {
        self.timers.iter().filter(move |timer| timer.what == what)
    }

    /// Returns the ways in which connections end on an occasion; several if it depends on circumstances.
    pub fn closings_on(&self, when: Occasion) -> impl Iterator<Item = &Closing> {
        self.closings.iter().filter(move |closing| closing.when == when)
    }

    /// Returns the fixes that change a timer.
    pub fn fixes_of(&self, timer: &str) -> impl Iterator<Item = &ProductFix> {
        self.fixes.iter().filter(move |fix| fix.timers.iter().any(|name| name == timer))
    }
}
