//! The client's half of the opening handshake on an open stream.

use std::io;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};
use undrop_frame::handshake::{
    Accepted, DEFAULT_LIMIT, HandshakeError, MalformedHead, ResponseHead, check_response, parse_response,
};

use crate::body::read_body;
use crate::head::{HeadError, read_head};
use crate::{Ending, Stream, ending_of};

/// What the request offers, and how long and large the answer may be.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// `Sec-WebSocket-Key` of the request, drawn anew for each attempt ([`crate::random_key`]).
    pub key: &'a str,
    /// Sub-protocols of the request.
    pub protocols: &'a [String],
    /// The request offers extensions.
    pub extensions: bool,
    /// Largest response head, bytes. Default by [`Offer::new`]: 16 KiB.
    pub head_limit: usize,
    /// How much of a refusal's body is kept, bytes. Default by [`Offer::new`]: 64 KiB.
    pub body_limit: usize,
}

impl<'a> Offer<'a> {
    /// An offer with the default bounds.
    pub fn new(key: &'a str, protocols: &'a [String], extensions: bool) -> Offer<'a> {
        Offer { key, protocols, extensions, head_limit: DEFAULT_LIMIT, body_limit: 64 * 1024 }
    }
}

/// A connection that speaks WebSocket from here on.
#[derive(Debug)]
pub struct Upgraded {
    /// The connection.
    pub stream: Stream,
    /// The server's answer.
    pub head: ResponseHead,
    /// What the server chose.
    pub accepted: Accepted,
    /// Bytes that came behind the head: the first frames.
    pub leftover: Vec<u8>,
}

/// Why there is no WebSocket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The server answered with another status than 101.
    #[error("the server answered {}{}", head.status, reason(head))]
    Refused {
        /// The answer.
        head: Box<ResponseHead>,
        /// Its body, cut at the limit.
        body: Vec<u8>,
    },
    /// The answer breaks the rules of the handshake.
    #[error(transparent)]
    Malformed(#[from] HandshakeError),
    /// The answer was not complete in time.
    #[error("the server did not answer the handshake in time")]
    Timeout,
    /// The server closed the connection instead of answering.
    #[error("the server closed the connection without an answer to the handshake")]
    Closed,
    /// The socket failed.
    #[error("during the handshake: {0}")]
    Io(#[source] io::Error),
}

impl UpgradeError {
    /// The failure in the shared vocabulary of endings.
    pub fn ending(&self) -> Ending {
        match self {
            UpgradeError::Timeout => Ending::BlackHole,
            UpgradeError::Closed => Ending::Fin,
            UpgradeError::Io(error) => ending_of(error),
            UpgradeError::Refused { head, .. } => HandshakeError::Refused(head.status).into(),
            UpgradeError::Malformed(error) => error.clone().into(),
        }
    }

    /// The failure with the beginning of a refusal's body, where there is one.
    pub fn explain(&self) -> String {
        let why = self.to_string();
        let UpgradeError::Refused { body, .. } = self else { return why };
        let text = String::from_utf8_lossy(&body[..body.len().min(200)]).trim().to_owned();
        if text.is_empty() { why } else { format!("{why}: {text}") }
    }
}

fn reason(head: &ResponseHead) -> String {
    if head.reason.is_empty() { String::new() } else { format!(" {}", head.reason) }
}

/// Sends `request` (a whole head, from [`undrop_frame::handshake::request`]) and checks the answer strictly. Interim
/// responses are passed over. Everything, a refusal's body included, is done by `deadline`.
pub async fn upgrade(
    stream: Stream,
    request: &[u8],
    offer: &Offer<'_>,
    deadline: Instant,
) -> Result<Upgraded, UpgradeError> {
    Box::pin(run(stream, request, offer, deadline)).await
}

async fn run(
    mut stream: Stream,
    request: &[u8],
    offer: &Offer<'_>,
    deadline: Instant,
) -> Result<Upgraded, UpgradeError> {
    let exchange = async {
        stream.write_all(request).await.map_err(UpgradeError::Io)?;
        stream.flush().await.map_err(UpgradeError::Io)?;
        let mut start = Vec::new();
        // RFC 9110 15.2: any number of interim responses may come first; a few are plausible.
        for _ in 0..8 {
            let parse = |bytes: &[u8]| parse_response(bytes, offer.head_limit);
            let (head, rest) = read_head(&mut stream, start, parse, offer.head_limit).await.map_err(sort)?;
            if head.status == 101 || head.status >= 200 {
                return Ok((head, rest));
            }
            start = rest;
        }
        Err(UpgradeError::Malformed(HandshakeError::Malformed(MalformedHead::TooManyInterimResponses)))
    };
    let (head, leftover) = timeout_at(deadline, exchange).await.unwrap_or(Err(UpgradeError::Timeout))?;
    if head.status != 101 {
        let body = read_body(&mut stream, &head, leftover, offer.body_limit, deadline).await;
        return Err(UpgradeError::Refused { head: Box::new(head), body });
    }
    let accepted = check_response(&head, offer.key, offer.protocols, offer.extensions)?;
    Ok(Upgraded { stream, head, accepted, leftover })
}

fn sort(error: HeadError) -> UpgradeError {
    match error {
        HeadError::Closed(_) => UpgradeError::Closed,
        HeadError::Malformed(error) => UpgradeError::Malformed(error),
        HeadError::Io(error) => UpgradeError::Io(error),
    }
}
