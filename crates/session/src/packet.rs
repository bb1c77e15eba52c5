//! Control packets: what travels in a text message behind U+001F.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use undrop_frame::CloseCode;

use crate::error::Misbehaviour;
use crate::escape::ESCAPE;
use crate::identity::{SessionId, SessionKey};
use crate::number::{COUNTER_LIMIT, base36, parse_base36};

/// Longest packet that is read, in bytes behind U+001F. Credentials are the only long ones.
pub const MAX_PACKET: usize = 16 * 1024;
/// Longest nonce of a probe, in bytes.
pub const MAX_NONCE: usize = 32;
/// Longest reason of a close, in bytes: that of a Close frame (RFC 6455 5.5).
pub const MAX_REASON: usize = 123;

/// One control packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// `S`, gateway to client: a new session.
    Started(Started),
    /// `R`, gateway to client: resumed.
    Resumed(Resumed),
    /// `L`, gateway to client: cannot resume; carries a new session.
    Lost(Lost),
    /// `a`: every unit up to this number was taken.
    Ack(u64),
    /// `r`: please ack now.
    AckNow,
    /// `h`, gateway to client: nothing else was sent for a while.
    Heartbeat,
    /// `P`: are you there? The nonce comes back in the answer.
    Probe(String),
    /// `p`: the answer, with the probe's nonce.
    ProbeAnswer(String),
    /// `g`, gateway to client: open the next link inside your slot.
    GoAway(GoAway),
    /// `m`, gateway to client: this link is superseded; last packet on it.
    Moved,
    /// `G`, gateway to client: messages dropped by policy.
    Gap(Gap),
    /// `x`: the application closed. Sequenced: counts as a unit.
    Close(Close),
    /// `t`: reserved for credentials and the request for them. The body is any JSON value; receivers ignore it.
    Credentials(String),
    /// `w`, gateway to client: reserved for the state of the backend; receivers ignore it.
    Backend(BackendState),
    /// `q`, client to gateway: what becomes of the page.
    Page(PageState),
}

/// Body of `S`. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Name of the session.
    pub sid: SessionId,
    /// Its secret, sent this once.
    pub key: SessionKey,
    /// The attempt that this answers.
    pub att: u64,
    /// Longest silence of the gateway.
    pub hb: u64,
    /// Bytes that the gateway's replay buffer holds for this client; the client acks each quarter of it.
    pub win: u64,
    /// How long the session outlives its link.
    pub ttl: u64,
    /// The application sub-protocol that the backend chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// Body of `R`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The attempt that this answers.
    pub att: u64,
    /// Last client unit that the backend took.
    pub rx: u64,
    /// Number of the first unit that follows on this link.
    pub start: u64,
    /// How long the session outlives its link, milliseconds.
    pub ttl: u64,
    /// Whether it is still the same backend connection.
    pub backend: BackendIdentity,
    /// Reserved for a backend that is not reachable; always false.
    pub away: bool,
}

/// Whether a session kept its backend connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendIdentity {
    /// The connection that the session was opened with.
    Same,
    /// Another connection: what the backend knew of the client is gone. In `R` it is reserved.
    New,
}

/// Body of `L`: the old session's end and the new session, in one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Why the old session cannot be resumed.
    pub why: LossReason,
    /// Client units that the backend took from the old session, as far as known.
    pub acc: u64,
    /// Server units that are gone, first and last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<(u64, u64)>,
    /// The new session.
    #[serde(flatten)]
    pub session: Started,
}

/// Why a session could not be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossReason {
    /// Its time to live ran out while no link was there.
    Expired,
    /// The process needed its memory.
    Evicted,
    /// Its replay buffer overflowed under the policy `end`.
    Overflow,
    /// Nobody knows it.
    Unknown,
    /// Its node is gone.
    NodeLost,
    /// The two ends do not agree on the numbers.
    Skew,
}

/// Body of `g`. All times are milliseconds from the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoAway {
    /// When the slot begins.
    #[serde(rename = "in")]
    pub wait: u64,
    /// How long it is; the client picks a random moment inside.
    pub slot: u64,
    /// When this link is closed at the latest.
    pub until: u64,
    /// For people: `drain`, `age`, …
    pub why: String,
}

/// Body of `G`: server units `from` to `to` were dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// First dropped unit.
    pub from: u64,
    /// Last dropped unit.
    pub to: u64,
    /// Name of the policy.
    pub policy: Cow<'static, str>,
}

/// Body of `x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// 1000–4999. The codes that never stand in a Close frame (1005, 1006, 1015) may: they say how the other side
    /// of the gateway ended.
    pub code: CloseCode,
    /// At most [`MAX_REASON`] bytes.
    pub reason: String,
}

/// Body of `w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendState {
    /// Not reachable for now; messages wait.
    Away,
    /// Reachable again.
    Back,
}

/// Body of `q`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageState {
    /// Out of sight: timers are throttled.
    Hidden,
    /// Stopped by the browser: answers nothing until it is thawed.
    Frozen,
    /// Going: the session may be forgotten soon.
    Unload,
}

fn json<'de, T: Deserialize<'de>>(body: &'de str) -> Result<T, Misbehaviour> {
    serde_json::from_str(body).map_err(|_| Misbehaviour::MalformedPacket)
}

fn counters(values: &[u64]) -> Result<(), Misbehaviour> {
    let sane = values.iter().all(|value| *value < COUNTER_LIMIT);
    if sane { Ok(()) } else { Err(Misbehaviour::MalformedPacket) }
}

fn nonce(body: &str) -> Result<String, Misbehaviour> {
    let sane = (1..=MAX_NONCE).contains(&body.len()) && body.bytes().all(|b| b.is_ascii_graphic());
    if sane { Ok(body.to_owned()) } else { Err(Misbehaviour::MalformedPacket) }
}

impl Started {
    fn check(self) -> Result<Self, Misbehaviour> {
        counters(&[self.att, self.hb, self.win, self.ttl])?;
        Ok(self)
    }
}

impl Close {
    /// Cuts the reason at [`MAX_REASON`] bytes, on a character.
    pub fn new(code: CloseCode, reason: &str) -> Self {
        let mut end = reason.len().min(MAX_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Self { code, reason: reason[..end].to_owned() }
    }

    fn parse(body: &str) -> Result<Self, Misbehaviour> {
        let (code, reason) = body.split_once(' ').unwrap_or((body, ""));
        let digits = code.len() == 4 && code.bytes().all(|b| b.is_ascii_digit());
        let code: u16 = code.parse().ok().filter(|_| digits).ok_or(Misbehaviour::MalformedPacket)?;
        if !(1000..=4999).contains(&code) || reason.len() > MAX_REASON {
            return Err(Misbehaviour::MalformedPacket);
        }
        Ok(Self { code: CloseCode::new(code), reason: reason.to_owned() })
    }
}

impl Packet {
    /// Reads a packet; `text` is what stands behind U+001F.
    ///
    /// # Errors
    /// Unknown letter, or a body that does not fit it.
    pub fn parse(text: &str) -> Result<Self, Misbehaviour> {
        if text.len() > MAX_PACKET {
            return Err(Misbehaviour::MalformedPacket);
        }
        let mut rest = text.chars();
        let letter = rest.next().ok_or(Misbehaviour::MalformedPacket)?;
        let body = rest.as_str();
        let empty = |packet| if body.is_empty() { Ok(packet) } else { Err(Misbehaviour::MalformedPacket) };
        match letter {
            'S' => json::<Started>(body)?.check().map(Self::Started),
            'R' => {
                let resumed: Resumed = json(body)?;
                counters(&[resumed.att, resumed.rx, resumed.start, resumed.ttl])?;
                if resumed.start == 0 {
                    return Err(Misbehaviour::MalformedPacket);
                }
                Ok(Self::Resumed(resumed))
            }
            'L' => {
                let mut lost: Lost = json(body)?;
                counters(&[lost.acc])?;
                range(lost.lost)?;
                lost.session = lost.session.check()?;
                Ok(Self::Lost(lost))
            }
            'a' => parse_base36(body).map(Self::Ack).ok_or(Misbehaviour::MalformedPacket),
            'r' => empty(Self::AckNow),
            'h' => empty(Self::Heartbeat),
            'P' => nonce(body).map(Self::Probe),
            'p' => nonce(body).map(Self::ProbeAnswer),
            'g' => {
                let away: GoAway = json(body)?;
                counters(&[away.wait, away.slot, away.until])?;
                Ok(Self::GoAway(away))
            }
            'm' => empty(Self::Moved),
            'G' => {
                let gap: Gap = json(body)?;
                range(Some((gap.from, gap.to)))?;
                Ok(Self::Gap(gap))
            }
            'x' => Close::parse(body).map(Self::Close),
            't' => {
                json::<serde::de::IgnoredAny>(body)?;
                Ok(Self::Credentials(body.to_owned()))
            }
            'w' => match body {
                "away" => Ok(Self::Backend(BackendState::Away)),
                "back" => Ok(Self::Backend(BackendState::Back)),
                _ => Err(Misbehaviour::MalformedPacket),
            },
            'q' => match body {
                "hidden" => Ok(Self::Page(PageState::Hidden)),
                "frozen" => Ok(Self::Page(PageState::Frozen)),
                "unload" => Ok(Self::Page(PageState::Unload)),
                _ => Err(Misbehaviour::MalformedPacket),
            },
            letter => Err(Misbehaviour::UnknownPacket(letter)),
        }
    }

    /// The text as it travels, with its U+001F.
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(16);
        text.push(char::from(ESCAPE));
        text.push(self.letter());
        match self {
            Self::Started(body) => push_json(&mut text, body),
            Self::Resumed(body) => push_json(&mut text, body),
            Self::Lost(body) => push_json(&mut text, body),
            Self::GoAway(body) => push_json(&mut text, body),
            Self::Gap(body) => push_json(&mut text, body),
            Self::Ack(number) => text.push_str(base36(*number, &mut [0; 13])),
            Self::Probe(body) | Self::ProbeAnswer(body) | Self::Credentials(body) => text.push_str(body),
            Self::Close(Close { code, reason }) => {
                text.push_str(&code.get().to_string());
                if !reason.is_empty() {
                    text.push(' ');
                    text.push_str(reason);
                }
            }
            Self::Backend(BackendState::Away) => text.push_str("away"),
            Self::Backend(BackendState::Back) => text.push_str("back"),
            Self::Page(PageState::Hidden) => text.push_str("hidden"),
            Self::Page(PageState::Frozen) => text.push_str("frozen"),
            Self::Page(PageState::Unload) => text.push_str("unload"),
            Self::AckNow | Self::Heartbeat | Self::Moved => {}
        }
        text
    }

    /// The letter behind U+001F.
    pub const fn letter(&self) -> char {
        match self {
            Self::Started(_) => 'S',
            Self::Resumed(_) => 'R',
            Self::Lost(_) => 'L',
            Self::Ack(_) => 'a',
            Self::AckNow => 'r',
            Self::Heartbeat => 'h',
            Self::Probe(_) => 'P',
            Self::ProbeAnswer(_) => 'p',
            Self::GoAway(_) => 'g',
            Self::Moved => 'm',
            Self::Gap(_) => 'G',
            Self::Close(_) => 'x',
            Self::Credentials(_) => 't',
            Self::Backend(_) => 'w',
            Self::Page(_) => 'q',
        }
    }

    /// The packet as a whole frame from a server: text, final, unmasked.
    pub fn to_server_frame(&self) -> Vec<u8> {
        let mut out = Vec::new();
        push_text_frame(&mut out, self.encode().as_bytes());
        out
    }
}

fn range(range: Option<(u64, u64)>) -> Result<(), Misbehaviour> {
    match range {
        Some((from, to)) if from == 0 || from > to || to >= COUNTER_LIMIT => {
            Err(Misbehaviour::MalformedPacket)
        }
        _ => Ok(()),
    }
}

fn push_json(text: &mut String, body: &impl Serialize) {
    // Plain structs of numbers and strings always serialise.
    text.push_str(&serde_json::to_string(body).unwrap_or_default());
}

/// Appends an unmasked final text frame (RFC 6455 5.2).
pub(crate) fn push_text_frame(out: &mut Vec<u8>, payload: &[u8]) {
    let header = undrop_frame::Header {
        fin: true,
        rsv1: false,
        opcode: undrop_frame::OpCode::Text,
        mask: None,
        len: payload.len() as u64,
    };
    let mut head = [0; 14];
    let len = header.encode(&mut head);
    out.extend_from_slice(&head[..len]);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(packet: &Packet) -> String {
        packet.encode().split_off(1)
    }

    #[test]
    fn every_packet_reads_back() {
        let session = Started {
            sid: SessionId::parse("n1.x").expect("valid"),
            key: SessionKey::new([1; 32]),
            att: 3,
            hb: 25_000,
            win: 262_144,
            ttl: 120_000,
            protocol: Some("chat".into()),
        };
        let packets = [
            Packet::Started(session.clone()),
            Packet::Resumed(Resumed {
                att: 2,
                rx: 0,
                start: 1,
                ttl: 5,
                backend: BackendIdentity::New,
                away: true,
            }),
            Packet::Lost(Lost { why: LossReason::NodeLost, acc: 4, lost: Some((2, 9)), session }),
            Packet::Ack(1295),
            Packet::AckNow,
            Packet::Heartbeat,
            Packet::Probe("k1".into()),
            Packet::ProbeAnswer("k1".into()),
            Packet::GoAway(GoAway { wait: 1, slot: 2, until: 3, why: "drain".into() }),
            Packet::Moved,
            Packet::Gap(Gap { from: 3, to: 4, policy: "drop-oldest".into() }),
            Packet::Close(Close::new(CloseCode::NORMAL, "bye now")),
            Packet::Close(Close::new(CloseCode::NO_STATUS, "")),
            Packet::Credentials(r#"{"token":"abc"}"#.into()),
            Packet::Backend(BackendState::Away),
            Packet::Backend(BackendState::Back),
            Packet::Page(PageState::Hidden),
            Packet::Page(PageState::Frozen),
            Packet::Page(PageState::Unload),
        ];
        for packet in packets {
            assert_eq!(Packet::parse(&behind(&packet)), Ok(packet.clone()), "{packet:?}");
        }
    }

    #[test]
    fn malformed_bodies_are_refused() {
        let bad = [
            "",
            "a",
            "a01",
            "aA",
            "a-1",
            "r1",
            "h ",
            "P",
            "P a",
            "pä",
            "m.",
            "x",
            "x99",
            "x999",
            "x5000",
            "x10000",
            "x+100",
            "x1000\u{1f}y",
            "t",
            "t{",
            "waway ",
            "q",
            "S{}",
            "R{}",
            "L{}",
            "g{}",
            "G{}",
            r#"G{"from":4,"to":3,"policy":"p"}"#,
            r#"G{"from":0,"to":3,"policy":"p"}"#,
            r#"R{"att":1,"rx":0,"start":0,"ttl":1,"backend":"same","away":false}"#,
            r#"R{"att":9007199254740992,"rx":0,"start":1,"ttl":1,"backend":"same","away":false}"#,
            r#"R{"att":1,"rx":-1,"start":1,"ttl":1,"backend":"same","away":false}"#,
        ];
        for text in bad {
            assert_eq!(Packet::parse(text), Err(Misbehaviour::MalformedPacket), "{text:?}");
        }
        assert_eq!(Packet::parse("z"), Err(Misbehaviour::UnknownPacket('z')));
        assert_eq!(Packet::parse("é"), Err(Misbehaviour::UnknownPacket('é')));
        assert!(Packet::parse(&format!("t\"{}\"", "x".repeat(MAX_PACKET))).is_err());
    }

    #[test]
    fn unknown_json_fields_are_for_later_versions() {
        let text = r#"g{"in":1,"slot":2,"until":3,"why":"drain","more":[1]}"#;
        assert!(matches!(Packet::parse(text), Ok(Packet::GoAway(_))));
    }

    #[test]
    fn reason_is_cut_on_a_character() {
        let close = Close::new(CloseCode::NORMAL, &"ä".repeat(70));
        assert_eq!(close.reason.len(), 122);
        assert!(Packet::parse(&format!("x1000 {}", "a".repeat(124))).is_err());
    }
}
