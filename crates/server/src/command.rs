//! The commands for the task that owns a connection.

use std::net::SocketAddr;

use tokio::sync::oneshot;
use undrop_frame::CloseCode;
use undrop_session::GoAway;
use undrop_transport::Stream;

use crate::tombstone::Tombstone;

/// A command for the task that owns a connection.
#[derive(Debug)]
pub enum Command {
    /// Use this connection as the link of the session.
    Link(Box<NewLink>),
    /// Ask the client to open its next link in this slot.
    Drain(GoAway),
    /// End the session to free its memory, unless it has a link.
    Evict,
    /// End now and close the client with this code.
    Close {
        /// The close code for the client.
        code: CloseCode,
        /// The reason, at most 123 bytes.
        reason: String,
    },
}

/// A connection that is to become the link of a session. Its request was checked, the response is not sent yet.
#[derive(Debug)]
pub struct NewLink {
    pub(crate) stream: Stream,
    pub(crate) leftover: Vec<u8>,
    /// The 101 response of the handshake.
    pub(crate) response: Vec<u8>,
    pub(crate) attempt: u64,
    /// The last unit that the client consumed; `None` at first contact.
    pub(crate) rx: Option<u64>,
    pub(crate) peer: SocketAddr,
    /// Returns the connection if the session cannot be resumed, with the reason; without a reason if the session ended
    /// before it received this command.
    pub(crate) refused: Option<oneshot::Sender<(Box<NewLink>, Option<Tombstone>)>>,
}
