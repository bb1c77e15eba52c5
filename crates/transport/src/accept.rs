//! Reading the request of a new connection, with limits on size and time.

use std::io;

use tokio::time::{Instant, timeout_at};
use undrop_frame::handshake::{HandshakeError, MalformedHead, RequestHead, parse_request};

use crate::Stream;
use crate::head::{ReadHeadError, read_head};

/// The reason why no request was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The peer closed before the first byte, as port scans, health checks and speculative connections of browsers do.
    #[error("the connection ended before a request")]
    Closed,
    /// The peer closed the connection in the middle of the request head.
    #[error("the connection ended in the middle of the request head")]
    ClosedMidway,
    /// The request head was not complete within the time limit.
    #[error("the request head did not arrive in time")]
    Timeout,
    /// The peer started a TLS handshake on a port without TLS.
    #[error("the peer speaks TLS on a plain-text port")]
    Tls,
    /// The bytes are not a valid request, or the head is too large.
    #[error(transparent)]
    Malformed(#[from] HandshakeError),
    /// The stream failed with an I/O error.
    #[error("reading the request: {0}")]
    Io(#[source] io::Error),
}

impl AcceptError {
    /// Returns the status to respond with before closing; `None` if the peer would not read a response.
    pub fn status(&self) -> Option<u16> {
        match self {
            AcceptError::Timeout => Some(408),
            AcceptError::Malformed(error) => Some(error.status()),
            AcceptError::Tls | AcceptError::Closed | AcceptError::ClosedMidway | AcceptError::Io(_) => None,
        }
    }
}

/// Reads a request head of at most `limit` bytes by `deadline`. Also returns the bytes after the head, since a client may
/// send frames early. The deadline applies to the whole head, so a peer that sends single bytes slowly gains nothing.
///
/// # Errors
/// The peer closed, exceeded a limit, or sent something other than an HTTP/1.1 request.
pub async fn read_request(
    stream: &mut Stream,
    limit: usize,
    deadline: Instant,
) -> Result<(RequestHead, Vec<u8>), AcceptError> {
    // Boxed, so the state of this phase is freed before the connection becomes idle.
    let read = Box::pin(read_head(stream, Vec::new(), |bytes| parse(bytes, limit), limit));
    match timeout_at(deadline, read).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(ReadHeadError::Closed(0))) => Err(AcceptError::Closed),
        Ok(Err(ReadHeadError::Closed(_))) => Err(AcceptError::ClosedMidway),
        Ok(Err(ReadHeadError::Malformed(HandshakeError::Malformed(MalformedHead::Tls)))) => {
            Err(AcceptError::Tls)
        }
        Ok(Err(ReadHeadError::Malformed(error))) => Err(AcceptError::Malformed(error)),
        Ok(Err(ReadHeadError::Io(error))) => Err(AcceptError::Io(error)),
        Err(_) => Err(AcceptError::Timeout),
    }
}

fn parse(bytes: &[u8], limit: usize) -> Result<Option<(RequestHead, usize)>, HandshakeError> {
    // RFC 8446 §5.1: content type 22 (handshake), then version 3.x.
    if bytes.starts_with(&[22]) && *bytes.get(1).unwrap_or(&3) == 3 {
        return Err(HandshakeError::Malformed(MalformedHead::Tls));
    }
    parse_request(bytes, limit)
}
