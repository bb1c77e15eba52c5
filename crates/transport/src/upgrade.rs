//! The client's half of the opening handshake on an open stream.

use std::io;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};
use undrop_frame::Ending;
use undrop_frame::handshake::{
    HandshakeError, MalformedHead, ResponseHead, check_response, parse_response, request,
};

use crate::body::read_body;
use crate::head::{ReadHeadError, read_head};
use crate::io_ending::io_ending;
use crate::random::random_key;
use crate::request::{ConnectRequest, Connected, OfferedExtensions};
use crate::stage::ConnectTimings;
use crate::stream::Stream;

/// Interim responses that are skipped before the final one (RFC 9110 §15.2 sets no limit).
const INTERIM_RESPONSES: usize = 8;

/// The reason why the upgrade to a WebSocket failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The server answered with a status other than 101.
    #[error("the server answered {}{}", head.status, reason(head))]
    Refused {
        /// The head of the response.
        head: Box<ResponseHead>,
        /// The start of its body, up to [`ConnectRequest::body_limit`].
        body: Vec<u8>,
    },
    /// The response violates the rules of the handshake.
    #[error(transparent)]
    Malformed(#[from] HandshakeError),
    /// The response was not complete within the time limit.
    #[error("the server did not answer the handshake in time")]
    Timeout,
    /// The server closed the connection instead of responding.
    #[error("the server closed the connection without an answer to the handshake")]
    Closed,
    /// The stream failed with an I/O error.
    #[error("during the handshake: {0}")]
    Io(#[source] io::Error),
    /// The operating system provided no random bytes for `Sec-WebSocket-Key`.
    #[error("the operating system provided no random bytes: {0}")]
    Random(#[source] io::Error),
}

impl UpgradeError {
    /// Returns the failure as an [`Ending`].
    pub fn ending(&self) -> Ending {
        match self {
            UpgradeError::Timeout => Ending::BlackHole,
            UpgradeError::Closed => Ending::Fin,
            UpgradeError::Io(error) | UpgradeError::Random(error) => io_ending(error),
            UpgradeError::Refused { head, .. } => HandshakeError::Refused(head.status).into(),
            UpgradeError::Malformed(error) => error.clone().into(),
        }
    }

    /// Returns the message, followed by the start of the response body if the server refused.
    pub fn explain(&self) -> String {
        let message = self.to_string();
        let UpgradeError::Refused { body, .. } = self else { return message };
        let text = String::from_utf8_lossy(&body[..body.len().min(200)]).trim().to_owned();
        if text.is_empty() { message } else { format!("{message}: {text}") }
    }
}

fn reason(head: &ResponseHead) -> String {
    if head.reason.is_empty() { String::new() } else { format!(" {}", head.reason) }
}

/// Sends the request on an open stream and validates the response strictly. Interim responses are skipped. The time
/// limit of the request covers everything, including the body of a refusal. [`connect`](crate::connect) dials first.
///
/// # Errors
/// The server refused, its response is invalid, or the stream failed.
pub async fn upgrade(stream: Stream, request: &ConnectRequest<'_>) -> Result<Connected, UpgradeError> {
    // Boxed: the state of this phase is much larger than that of the connection, which may be idle for hours.
    Box::pin(run(stream, request)).await
}

async fn run(mut stream: Stream, offer: &ConnectRequest<'_>) -> Result<Connected, UpgradeError> {
    let start = Instant::now();
    let deadline = start + offer.upgrade_timeout;
    let key = match offer.key {
        Some(key) => key.to_owned(),
        None => random_key().map_err(UpgradeError::Random)?,
    };
    let extensions = offer.extensions();
    let target = offer.target.unwrap_or(offer.url.request_target());
    let bytes = request(&offer.host(), target, &key, offer.protocols, extensions.as_deref(), offer.headers);
    let exchange = exchange(&mut stream, &bytes, offer.head_limit);
    let (head, leftover) = timeout_at(deadline, exchange).await.unwrap_or(Err(UpgradeError::Timeout))?;
    if head.status != 101 {
        let body = read_body(&mut stream, &head, leftover, offer.body_limit, deadline).await;
        return Err(UpgradeError::Refused { head: Box::new(head), body });
    }
    let accepted = check_response(&head, &key, offer.protocols, extensions.is_some())?;
    let deflate = match offer.extensions {
        OfferedExtensions::Deflate(config) => {
            let params = config.accept(accepted.extensions.as_deref())?;
            params.map(|params| (params, config.clone()))
        }
        OfferedExtensions::None | OfferedExtensions::Forwarded(_) => None,
    };
    let timings = ConnectTimings { upgrade: start.elapsed(), ..ConnectTimings::default() };
    Ok(Connected { stream, head, accepted, leftover, deflate, timings })
}

/// Writes the request and reads the head of the final response, with the bytes after it.
async fn exchange(
    stream: &mut Stream,
    request: &[u8],
    head_limit: usize,
) -> Result<(ResponseHead, Vec<u8>), UpgradeError> {
    stream.write_all(request).await.map_err(UpgradeError::Io)?;
    stream.flush().await.map_err(UpgradeError::Io)?;
    let mut start = Vec::new();
    for _ in 0..INTERIM_RESPONSES {
        let parse = |bytes: &[u8]| parse_response(bytes, head_limit);
        let (head, rest) = read_head(stream, start, parse, head_limit).await.map_err(sort)?;
        if head.status == 101 || head.status >= 200 {
            return Ok((head, rest));
        }
        start = rest;
    }
    Err(UpgradeError::Malformed(HandshakeError::Malformed(MalformedHead::TooManyInterimResponses)))
}

fn sort(error: ReadHeadError) -> UpgradeError {
    match error {
        ReadHeadError::Closed(_) => UpgradeError::Closed,
        ReadHeadError::Malformed(error) => UpgradeError::Malformed(error),
        ReadHeadError::Io(error) => UpgradeError::Io(error),
    }
}
