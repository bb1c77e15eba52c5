//! Control packets, which travel in a text message after U+001F.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use undrop_frame::CloseCode;

use crate::error::Misbehaviour;
use crate::escape::ESCAPE;
use crate::identity::{SessionId, SessionKey};
use crate::number::{COUNTER_LIMIT, base36, parse_base36};

/// The maximum size of a packet, in bytes after U+001F.
pub const MAX_PACKET: usize = 16 * 1024;
/// The maximum length of a probe's nonce, in bytes.
pub const MAX_NONCE: usize = 32;
/// The maximum length of a close reason, in bytes: that of a Close frame (RFC 6455 §5.5).
pub const MAX_REASON: usize = 123;

/// A control packet of the session protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// `S`, gateway to client: a new session was created.
    Started(Started),
    /// `R`, gateway to client: the session was resumed.
    Resumed(Resumed),
    /// `L`, gateway to client: the session cannot be resumed; a new one was created.
    Lost(Lost),
    /// `a`: every unit up to this number was consumed.
    Ack(u64),
    /// `r`: requests an ack now.
    AckNow,
    /// `h`, gateway to client: nothing else was sent for the heartbeat interval.
    Heartbeat,
    /// `P`: a probe; the reply repeats the nonce.
    Probe(String),
    /// `p`: the reply to a probe, with its nonce.
    ProbeReply(String),
    /// `g`, gateway to client: requests that the client opens its next link inside a slot.
    GoAway(GoAway),
    /// `m`, gateway to client: this link is superseded; the last packet on it.
    Moved,
    /// `G`, gateway to client: messages were dropped by policy.
    Gap(Gap),
    /// `x`: the application closed the session. It is sequenced: it counts as a unit.
    Close(Close),
    /// `t`: reserved for credentials and the request for them. The body is any JSON value; receivers ignore it.
    Credentials(String),
    /// `w`, gateway to client: reserved for the state of the backend; receivers ignore it.
    Backend(BackendState),
    /// `q`, client to gateway: the lifecycle state of the page.
    Page(PageState),
}

/// The body of `S`. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The id of the session.
    pub sid: SessionId,
    /// The secret of the session, sent only here.
    pub key: SessionKey,
    /// The attempt that this packet replies to.
    pub att: u64,
    /// The longest silence of the gateway.
    pub hb: u64,
    /// The size in bytes of the gateway's replay buffer for this client, which acks each quarter of it.
    pub win: u64,
    /// The time to live of the session without a link.
    pub ttl: u64,
    /// The application subprotocol that the backend chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// The body of `R`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The attempt that this packet replies to.
    pub att: u64,
    /// The last client unit that the backend accepted.
    pub rx: u64,
    /// The number of the first unit that follows on this link.
    pub start: u64,
    /// The time to live of the session without a link, in milliseconds.
    pub ttl: u64,
    /// Whether the backend connection is still the same.
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
    /// Another connection: state that the backend kept for the client is lost. In `R` this value is reserved.
    New,
}

/// The body of `L`: the loss of the old session and the new session, in one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// The reason why the old session cannot be resumed.
    pub why: LossReason,
    /// The number of client units of the old session that the backend accepted, as far as known.
    pub acc: u64,
    /// The first and the last server unit that is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<(u64, u64)>,
    /// The content of `S` for the new session.
    #[serde(flatten)]
    pub session: Started,
}

/// The reason why a session could not be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossReason {
    /// Its time to live ran out while no link was there.
    Expired,
    /// The process needed its memory.
    Evicted,
    /// Its replay buffer overflowed under the policy `end`.
    Overflow,
    /// No node knows the session.
    Unknown,
    /// The node of the session is gone.
    NodeLost,
    /// The two ends do not agree on the numbers.
    Skew,
}

/// The body of `g`. All times are in milliseconds from the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoAway {
    /// The start of the slot.
    #[serde(rename = "in")]
    pub wait: u64,
    /// The length of the slot; the client moves at a random moment inside.
    pub slot: u64,
    /// The time at which this link is closed at the latest.
    pub until: u64,
    /// The reason, for logs: `drain`, `age`, …
    pub why: String,
}

/// The body of `G`: server units `from` to `to` were dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first dropped unit.
    pub from: u64,
    /// The last dropped unit.
    pub to: u64,
    /// Name of the policy.
    pub policy: Cow<'static, str>,
}

/// The body of `x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// 1000–4999. The codes that no Close frame may carry (1005, 1006, 1015) are allowed: they describe the end of the
    /// connection on the other side of the gateway.
    pub code: CloseCode,
    /// At most [`MAX_REASON`] bytes.
    pub reason: String,
}

/// The body of `w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendState {
    /// The backend is not reachable; messages wait.
    Away,
    /// The backend is reachable again.
    Back,
}

/// The body of `q`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageState {
    /// The page is not visible; its timers are throttled.
    Hidden,
    /// The browser stopped the page: it replies to nothing until it is thawed.
    Frozen,
    /// The page unloads: the session may be dropped soon.
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
    /// Creates a close; the reason is cut at [`MAX_REASON`] bytes, at a character boundary.
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
    /// Parses a packet; `text` is the message without U+001F.
    ///
    /// # Errors
    /// The letter is unknown, or the body is not valid for it.
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
            'p' => nonce(body).map(Self::ProbeReply),
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

    /// Returns the text of the packet, with its U+001F.
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
            Self::Probe(body) | Self::ProbeReply(body) | Self::Credentials(body) => text.push_str(body),
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

    /// Returns the letter after U+001F.
    pub const fn letter(&self) -> char {
        match self {
            Self::Started(_) => 'S',
            Self::Resumed(_) => 'R',
            Self::Lost(_) => 'L',
            Self::Ack(_) => 'a',
            Self::AckNow => 'r',
            Self::Heartbeat => 'h',
            Self::Probe(_) => 'P',
            Self::ProbeReply(_) => 'p',
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

/// Appends an unmasked final text frame (RFC 6455 §5.2).
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
            Packet::ProbeReply("k1".into()),
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
