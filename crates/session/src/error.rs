//! The errors of the session protocol, by the end that caused them.

use undrop_frame::CloseCode;

/// The peer violated the session protocol. Close the link with [`close_code`](Self::close_code).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// The body of a packet is not valid for its letter.
    #[error("malformed control packet")]
    MalformedPacket,
    /// A packet has an unknown letter.
    #[error("unknown control packet {0:?}")]
    UnknownPacket(char),
    /// A packet that this end does not accept, or not in this state.
    #[error("control packet {0:?} is not expected here")]
    UnexpectedPacket(char),
    /// Data or another packet arrived before `S`, `R` or `L`.
    #[error("the first packet of a link must be S, R or L")]
    NoFirstPacket,
    /// An ack for a unit that was never sent.
    #[error("ack of unit {acked}, but only {sent} were sent")]
    AckBeyondSent {
        /// The unit that the peer acked.
        acked: u64,
        /// The highest unit that was sent.
        sent: u64,
    },
    /// A count of the peer contradicts the count of this end.
    #[error("the peer's count of units contradicts ours")]
    Skew,
    /// A unit arrived after the sequenced close.
    #[error("a message after the close of the session")]
    AfterClose,
    /// More replies wait than a peer may leave unread.
    #[error("the peer sends requests without reading the replies")]
    ControlFlood,
}

impl Misbehaviour {
    /// Returns the code to close the link with.
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::ControlFlood => CloseCode::POLICY_VIOLATION,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

/// The reason why a gateway session does not accept a link. The session is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A newer attempt was seen, or the session no longer accepts first contacts: reply `m` and close with 1000.
    #[error("a newer attempt was seen")]
    Stale,
    /// The client claims units that were never sent: reply `L why=skew`.
    #[error("the client claims units that were never sent")]
    Skew,
    /// Units that the client needs are lost: reply `L why=overflow`.
    #[error("units {} to {} are lost", lost.0, lost.1)]
    Overflow {
        /// The first and the last lost unit.
        lost: (u64, u64),
    },
    /// The session is over: reply `L why=expired`.
    #[error("the session is over")]
    Over,
}
