//! Reading the request of a new connection: bounded in size and time.

use std::io;

use tokio::time::{Instant, timeout_at};
use undrop_frame::handshake::{HandshakeError, MalformedHead, RequestHead, parse_request};

use crate::Stream;
use crate::head::{HeadError, read_head};

/// Why there is no request to answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The peer closed without a byte: a port scan, a health check, a browser's spare connection.
    #[error("the connection ended before a request")]
    Closed,
    /// The peer closed in the middle of the head.
    #[error("the connection ended in the middle of the request head")]
    ClosedMidway,
    /// The head was not complete in time.
    #[error("the request head did not arrive in time")]
    Timeout,
    /// The peer starts a TLS handshake on a port without TLS.
    #[error("the peer speaks TLS on a plain-text port")]
    Tls,
    /// Not a request, or too large.
    #[error(transparent)]
    Malformed(#[from] HandshakeError),
    /// The socket failed.
    #[error("reading the request: {0}")]
    Io(#[source] io::Error),
}

impl AcceptError {
    /// The status to answer with before closing; `None` where nobody would read it.
    pub fn status(&self) -> Option<u16> {
        match self {
            AcceptError::Timeout => Some(408),
            AcceptError::Malformed(error) => Some(error.status()),
            AcceptError::Tls | AcceptError::Closed | AcceptError::ClosedMidway | AcceptError::Io(_) => None,
        }
    }
}

/// Reads a request head of at most `limit` bytes. What came behind it is returned with it: the client may already send
/// frames. `deadline` is for the whole head, so that a peer that sends a byte now and then gains nothing.
pub async fn read_request(
    stream: &mut Stream,
    limit: usize,
    deadline: Instant,
) -> Result<(RequestHead, Vec<u8>), AcceptError> {
    // Boxed: this phase is over when the connection gets idle, and its state should be gone by then.
    let read = Box::pin(read_head(stream, Vec::new(), |bytes| parse(bytes, limit), limit));
    match timeout_at(deadline, read).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(HeadError::Closed(0))) => Err(AcceptError::Closed),
        Ok(Err(HeadError::Closed(_))) => Err(AcceptError::ClosedMidway),
        Ok(Err(HeadError::Malformed(HandshakeError::Malformed(MalformedHead::Tls)))) => Err(AcceptError::Tls),
        Ok(Err(HeadError::Malformed(error))) => Err(AcceptError::Malformed(error)),
        Ok(Err(HeadError::Io(error))) => Err(AcceptError::Io(error)),
        Err(_) => Err(AcceptError::Timeout),
    }
}

fn parse(bytes: &[u8], limit: usize) -> Result<Option<(RequestHead, usize)>, HandshakeError> {
    // RFC 8446 5.1: content type 22 (handshake), then version 3.x.
    if bytes.starts_with(&[22]) && *bytes.get(1).unwrap_or(&3) == 3 {
        return Err(HandshakeError::Malformed(MalformedHead::Tls));
    }
    parse_request(bytes, limit)
}
