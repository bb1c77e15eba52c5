//! HTTP/1.1 heads from bytes.

use super::{HandshakeError, Headers, MalformedHead};

/// The maximum number of header fields in a head.
pub const MAX_HEADERS: usize = 100;

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// Method, such as `GET`.
    pub method: String,
    /// Request target as received: a path with its query, or an absolute URL.
    pub target: String,
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    pub version_minor: u8,
    /// The header fields, in order.
    pub headers: Headers,
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code, such as 101.
    pub status: u16,
    /// Reason phrase, often empty.
    pub reason: String,
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    pub version_minor: u8,
    /// The header fields, in order.
    pub headers: Headers,
}

/// Parses a request head at the front of `bytes`. Returns the head and its length in bytes, or `None` if more bytes
/// are needed. `limit`: the maximum size of a head, in bytes; bytes after a complete head do not count.
///
/// # Errors
/// Not HTTP/1.x, lines that end in a bare LF, a target that is neither a path nor an absolute URL, a head over
/// `limit` bytes or [`MAX_HEADERS`] fields.
pub fn parse_request(bytes: &[u8], limit: usize) -> Result<Option<(RequestHead, usize)>, HandshakeError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    let status = request.parse(bytes);
    let Some(len) = complete(status, bytes, limit)? else { return Ok(None) };
    let (Some(method), Some(target), Some(version_minor)) = (request.method, request.path, request.version)
    else {
        return Err(HandshakeError::Malformed(MalformedHead::RequestLine));
    };
    if !is_target(target) {
        return Err(HandshakeError::Malformed(MalformedHead::RequestTarget));
    }
    let head = RequestHead {
        method: method.to_owned(),
        target: target.to_owned(),
        version_minor,
        headers: own(request.headers),
    };
    Ok(Some((head, len)))
}

/// Reads a response head; the rules are those of [`parse_request`]. An interim response (1xx other than 101)
/// is returned like any other: the caller continues after it.
///
/// # Errors
/// Not HTTP/1.x, lines that end in a bare LF, a head over `limit` bytes or [`MAX_HEADERS`] fields.
pub fn parse_response(bytes: &[u8], limit: usize) -> Result<Option<(ResponseHead, usize)>, HandshakeError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut fields);
    let status = response.parse(bytes);
    let Some(len) = complete(status, bytes, limit)? else { return Ok(None) };
    let (Some(status), Some(version_minor)) = (response.code, response.version) else {
        return Err(HandshakeError::Malformed(MalformedHead::StatusLine));
    };
    let head = ResponseHead {
        status,
        reason: response.reason.unwrap_or_default().to_owned(),
        version_minor,
        headers: own(response.headers),
    };
    Ok(Some((head, len)))
}

/// Length of a complete head; `None`: more bytes are needed and still fit the limit.
fn complete(
    status: httparse::Result<usize>,
    bytes: &[u8],
    limit: usize,
) -> Result<Option<usize>, HandshakeError> {
    let len = match status {
        Ok(httparse::Status::Complete(len)) if len > limit => {
            return Err(HandshakeError::HeadTooLarge { limit });
        }
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if bytes.len() >= limit => {
            return Err(HandshakeError::HeadTooLarge { limit });
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(sort(error, limit)),
    };
    // RFC 9112 §2.2 lets a reader take a bare LF as a line end; an attacker can exploit readers that differ in that.
    let head = bytes.get(..len).unwrap_or_default();
    let mut before = b'\n';
    for &byte in head {
        if byte == b'\n' && before != b'\r' {
            return Err(HandshakeError::Malformed(MalformedHead::BareLineFeed));
        }
        before = byte;
    }
    Ok(Some(len))
}

fn sort(error: httparse::Error, limit: usize) -> HandshakeError {
    match error {
        httparse::Error::TooManyHeaders => HandshakeError::HeadTooLarge { limit },
        httparse::Error::HeaderName => HandshakeError::Malformed(MalformedHead::HeaderName),
        httparse::Error::HeaderValue => HandshakeError::Malformed(MalformedHead::HeaderValue),
        httparse::Error::NewLine => HandshakeError::Malformed(MalformedHead::LineEnd),
        httparse::Error::Status => HandshakeError::Malformed(MalformedHead::Status),
        httparse::Error::Token => HandshakeError::Malformed(MalformedHead::RequestLine),
        httparse::Error::Version => HandshakeError::Malformed(MalformedHead::Version),
    }
}

fn own(fields: &[httparse::Header<'_>]) -> Headers {
    fields.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect()
}

/// Origin-form or absolute-form, no fragment, visible ASCII (RFC 9112 §3.2).
fn is_target(target: &str) -> bool {
    let known = ["/", "http://", "https://", "ws://", "wss://"];
    let starts = |prefix: &&str| target.get(..prefix.len()).is_some_and(|t| t.eq_ignore_ascii_case(prefix));
    target.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'#') && known.iter().any(starts)
}
