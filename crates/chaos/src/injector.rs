//! The part of a fault that acts on one connection, beyond what a link does to bytes. Nothing here reads a clock or
//! touches a socket.

pub(crate) mod drop_control;
pub(crate) mod head;
pub(crate) mod links;
pub(crate) mod timed;

use std::fmt::Debug;
use std::time::Instant;

use undrop_fault::{CloseManner, Fault, Side};
use undrop_frame::Header;

use crate::close_frame::CloseFrame;
use crate::direction::Direction;

/// The circumstances under which a fault starts to act on a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultStart<'a> {
    /// The time at which the connection was opened.
    pub(crate) opened: Instant,
    /// The time at which the fault was added to the proxy.
    pub(crate) since: Instant,
    /// The seed of all random draws of the fault on this connection.
    pub(crate) seed: u64,
    /// The direction that the fault specification names.
    pub(crate) direction: Direction,
    /// The fault as it is written, for the log.
    pub(crate) text: &'a str,
}

impl FaultStart<'_> {
    /// Returns the time from which ages and silences count: both the connection and the fault exist.
    pub(crate) fn active_from(&self) -> Instant {
        self.opened.max(self.since)
    }
}

/// A fault that acts on one connection. Every method has a default that does nothing; a fault overrides those it needs.
pub(crate) trait Injector: Debug + Send {
    /// Returns the faults that the links of the connection apply, with the sending side of each link.
    fn link_faults(&self) -> Vec<(Side, Fault)> {
        Vec::new()
    }

    /// Handles a complete head of the handshake before it is forwarded. It may be changed.
    fn on_head(&mut self, _from: Side, _head: &mut Vec<u8>) -> Option<FaultAction> {
        None
    }

    /// Handles a piece of the stream before it is forwarded. Its bytes may be changed.
    fn on_piece(&mut self, _piece: &mut StreamPiece<'_>) -> PieceVerdict {
        PieceVerdict::Pass
    }

    /// Handles traffic from a side; `data` is false for Pings and Pongs. Returns false if the flow is no longer known, so
    /// that the side is reset.
    fn on_activity(&mut self, _now: Instant, _from: Side, _data: bool) -> bool {
        true
    }

    /// Returns the time at which [`Injector::on_deadline`] must be called.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Handles the expiry of the deadline. Must move or clear the deadline.
    fn on_deadline(&mut self) -> Option<FaultAction> {
        None
    }
}

/// A piece of what one side sent. It never spans two frames, nor a header and a payload.
#[derive(Debug)]
pub(crate) struct StreamPiece<'a> {
    pub(crate) from: Side,
    pub(crate) bytes: &'a mut [u8],
    /// The frame of the piece; `None` in the handshake, and if the stream has no frames.
    pub(crate) frame: Option<PieceFrame>,
}

/// The frame that a piece belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PieceFrame {
    pub(crate) header: Header,
    /// The number of the frame in its direction, counted from 1.
    pub(crate) number: u64,
    /// Whether the frame is part of a compressed message (RFC 7692).
    pub(crate) compressed: bool,
    /// The offset of the piece in the frame, header included; 0 if the piece is the header.
    pub(crate) at: u64,
    /// The length of the frame, header included.
    pub(crate) len: u64,
}

/// The decision about a piece.
#[derive(Debug)]
pub(crate) enum PieceVerdict {
    /// The piece is forwarded.
    Pass,
    /// The piece was changed and is forwarded; the text is for the log.
    Changed(&'static str),
    /// The piece is dropped; the text is for the log.
    Drop(&'static str),
    /// This many bytes of the piece are forwarded, then the action is taken.
    Cut(usize, FaultAction),
}

/// An action of a fault on the whole connection.
#[derive(Debug, Clone)]
pub(crate) enum FaultAction {
    /// Ends the connection in this manner.
    End(CloseManner<CloseFrame>),
    /// Removes one side: its socket is reset, and the other side is not notified.
    Vanish(Side),
    /// Forgets the flow, without a sign until a side sends.
    Forget,
    /// Sends a Close frame to one side, then FIN to both.
    SendClose(Side, CloseFrame),
    /// Sends a response to the client instead of the upstream's, then FIN.
    Respond { status: u16, response: Vec<u8> },
    /// Only logs: the links apply the fault, or it has been applied.
    Log(String),
}
