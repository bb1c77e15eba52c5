//! The errors of a client, and the result of a closed one.

use undrop_frame::{CloseCode, Message};
use undrop_session::ClosedBy;
use undrop_transport::UrlError;

/// An option of a client that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL is not a WebSocket URL.
    #[error("`{0}` is not a WebSocket URL: {1}")]
    Url(String, #[source] UrlError),
    /// The operating system provided no random bytes for the id of the session.
    #[error("the operating system provided no random bytes: {0}")]
    Random(String),
}

/// The reason why a client did not connect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL or another option cannot be used.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The server refused permanently, or the backoff policy gave up.
    #[error("not connected: {} ({})", .0.reason, .0.code.get())]
    Closed(Closed),
}

/// The reason why a message was not queued. Both variants return the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The queue is full ([`ClientConfig::queue_limit`](crate::ClientConfig::queue_limit)).
    #[error("the queue is full")]
    Full(Message),
    /// The client is closed or closing.
    #[error("the session is closed")]
    Closed(Message),
}

/// The reason why a message was not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undelivered {
    /// Its time to live ended before it was first sent.
    #[error("the message expired before it could be sent")]
    Expired,
    /// It was removed from a full queue before it was sent, by the policy
    /// [`QueuePolicy::DropOldest`](crate::QueuePolicy::DropOldest).
    #[error("the message was dropped from a full queue")]
    Dropped,
    /// The client closed first. Whether the message reached the other end is unknown.
    #[error("the session ended before the message was acknowledged")]
    Closed,
}

/// The final state of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The close code, as any WebSocket would report it.
    pub code: CloseCode,
    /// The reason that came with the code, or a description of the failure.
    pub reason: String,
    /// The party that ended the session.
    pub by: ClosedBy,
    /// The number of messages that were queued or sent, but not acknowledged.
    pub unacked: u64,
}
