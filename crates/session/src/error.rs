//! What can go wrong, sorted by blame.

use undrop_frame::CloseCode;

/// The peer broke the session protocol. The link is to be closed with [`close_code`](Self::close_code).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// The body of a packet does not fit its letter.
    #[error("malformed control packet")]
    MalformedPacket,
    /// No packet has this letter.
    #[error("unknown control packet {0:?}")]
    UnknownPacket(char),
    /// A packet that this end never receives, or not now.
    #[error("control packet {0:?} is not expected here")]
    UnexpectedPacket(char),
    /// Data or another packet came before `S`, `R` or `L`.
    #[error("the first packet of a link must be S, R or L")]
    NoAnswerYet,
    /// An ack for a unit that was never sent.
    #[error("ack of unit {acked}, but only {sent} were sent")]
    AckBeyondSent {
        /// What the peer claims.
        acked: u64,
        /// Highest unit that was sent.
        sent: u64,
    },
    /// A count in an answer contradicts what is known.
    #[error("the peer's count of units contradicts ours")]
    Skew,
    /// A unit came behind the sequenced close.
    #[error("a message behind the close of the session")]
    AfterClose,
    /// More packets wait for an answer than a peer may leave unread.
    #[error("the peer asks without reading the answers")]
    ControlFlood,
}

impl Misbehaviour {
    /// The code to close the link with; the only place that chooses one.
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::ControlFlood => CloseCode::POLICY_VIOLATION,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

/// Why a gateway session does not take a link. Nothing has changed when it is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A newer attempt was seen, or the first contact is over: answer `m` and close 1000.
    #[error("a newer attempt was seen")]
    Stale,
    /// The client claims units that were never sent: answer `L why=skew`.
    #[error("the client claims units that were never sent")]
    Skew,
    /// Units that the client needs are gone: answer `L why=overflow`.
    #[error("units {} to {} are gone", lost.0, lost.1)]
    Overflow {
        /// First and last unit that are gone.
        lost: (u64, u64),
    },
    /// The session is over: answer `L why=expired`.
    #[error("the session is over")]
    Over,
}
