//! Close codes, which a Close frame carries to explain the end of a connection (RFC 6455 §7.4).
//!
//! Names, meanings and retry rules come from `spec/close-codes.json`, the one table for every language.

mod table;

use std::fmt;

use serde::{Deserialize, Serialize};

/// One line of the table: a code, or an inclusive range of codes.
struct CloseCodeEntry {
    first: u16,
    last: u16,
    name: &'static str,
    sender: Sender,
    may_be_sent: bool,
    retry: Retry,
    meaning: &'static str,
}

/// The number in a Close frame. It holds any number; [`is_valid_on_wire`](Self::is_valid_on_wire) checks
/// it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct CloseCode(u16);

/// The default reaction of a client to a close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Connecting again would end the same way.
    Final,
    /// Connect again with backoff.
    Retry,
    /// Connect again after the delay that the reason names (`retry=<ms>`), with backoff when it names none.
    AfterHint,
}

/// The ends that may send a Close frame with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// Clients and servers may send it.
    Either,
    /// Only clients may send it.
    Client,
    /// Only servers may send it.
    Server,
    /// Neither end: the code is reserved or only reported locally.
    Neither,
}

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: one end goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the other end broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a message type that the receiver does not accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: reported locally for a Close frame without a code; never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: reported locally when no Close frame came; never on the wire.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: content that does not fit its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: the message violates a policy of the receiver.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message larger than accepted.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client needs an extension that was not negotiated.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: overloaded for now.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway received no valid response from its backend.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: reported locally for a failed TLS handshake; never on the wire.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Wraps a number without checking it.
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// Returns the number of the code.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Returns whether a received Close frame may carry the code: 1000–1003, 1007–1014, 3000–4999 (RFC 6455 §7.4.2).
    pub const fn is_valid_on_wire(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Returns whether an endpoint may send the code according to the table: the same set as [`is_valid_on_wire`](Self::is_valid_on_wire).
    pub fn may_be_sent(self) -> bool {
        self.entry().is_some_and(|entry| entry.may_be_sent)
    }

    /// Returns the ends that may send the code; [`Sender::Neither`] for a number without an entry.
    pub fn sender(self) -> Sender {
        self.entry().map_or(Sender::Neither, |entry| entry.sender)
    }

    /// Returns the short name, such as `Going Away`; `Unknown` for a number without an entry.
    pub fn name(self) -> &'static str {
        self.entry().map_or("Unknown", |entry| entry.name)
    }

    /// Returns a sentence that explains the code.
    pub fn meaning(self) -> &'static str {
        self.entry().map_or("A number that the protocol does not define.", |entry| entry.meaning)
    }

    /// Returns the retry rule of plain mode. Inside a session only a sequenced close is final.
    pub fn retry(self) -> Retry {
        self.entry().map_or(Retry::Retry, |entry| entry.retry)
    }

    fn entry(self) -> Option<&'static CloseCodeEntry> {
        table::TABLE.iter().find(|entry| (entry.first..=entry.last).contains(&self.0))
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    /// Number and name: `1001 Going Away`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.name())
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_and_wire_rule_agree_on_every_number() {
        for code in 0..=u16::MAX {
            let code = CloseCode::new(code);
            assert_eq!(code.may_be_sent(), code.is_valid_on_wire(), "{code}");
            assert_eq!(code.may_be_sent(), code.sender() != Sender::Neither, "{code}");
        }
    }

    #[test]
    fn a_single_code_wins_over_its_range() {
        assert_eq!(CloseCode::new(3003).name(), "Forbidden");
        assert_eq!(CloseCode::new(3004).name(), "Registered Code");
        assert_eq!(CloseCode::new(2999).name(), "Unknown");
    }

    #[test]
    fn retry_rules_of_plain_mode() {
        for code in [1000, 1003, 1007, 1008, 1009, 1010, 4400, 4499] {
            assert_eq!(CloseCode::new(code).retry(), Retry::Final, "{code}");
        }
        for code in [1001, 1002, 1005, 1006, 1011, 1014, 3000, 4000, 4399, 4500, 4999, 12] {
            assert_eq!(CloseCode::new(code).retry(), Retry::Retry, "{code}");
        }
        assert_eq!(CloseCode::SERVICE_RESTART.retry(), Retry::AfterHint);
        assert_eq!(CloseCode::TRY_AGAIN_LATER.retry(), Retry::AfterHint);
    }

    #[test]
    fn shown_as_number_and_name() {
        assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001 Going Away");
    }
}
