//! The faults of a handshake, and the response to each.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A fault in a request, to be answered with [`status`](Self::status), or in a response, which makes the connection
/// unusable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HandshakeError {
    /// Not HTTP, or HTTP in a form that two readers could interpret differently.
    #[error("malformed HTTP head: {0}")]
    Malformed(MalformedHead),
    /// The head is longer than the limit, or has too many fields.
    #[error("the HTTP head is larger than the limit of {limit} bytes or has more than 100 fields")]
    HeadTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The HTTP version is not 1.1.
    #[error("HTTP/1.{0} cannot be upgraded; HTTP/1.1 is needed")]
    Version(u8),
    /// A method other than GET (RFC 6455 §4.1).
    #[error("method {0} cannot open a WebSocket; GET is needed")]
    Method(String),
    /// A request without `Upgrade: websocket`.
    #[error("the request does not ask for a WebSocket")]
    NotUpgrade,
    /// A `Sec-WebSocket-Version` other than 13 (RFC 6455 §4.4).
    #[error("WebSocket version {0:?} is not supported; use 13")]
    WebSocketVersion(String),
    /// A field of the request that is missing, repeated or malformed.
    #[error("request field {0} is missing, repeated or malformed")]
    RequestField(Cow<'static, str>),
    /// The server answered with another status than 101.
    #[error("the server answered {0} instead of switching protocols")]
    Refused(u16),
    /// A field of the response that is missing, repeated or malformed.
    #[error("response field {0} is missing, repeated or malformed")]
    ResponseField(Cow<'static, str>),
    /// `Sec-WebSocket-Accept` does not match the key: the server does not speak WebSocket, or a cache responded.
    #[error("the server's Sec-WebSocket-Accept does not match the key")]
    AcceptMismatch,
    /// The server chose a subprotocol that was not offered (RFC 6455 §4.1).
    #[error("the server chose subprotocol {0:?}, which was not offered")]
    ProtocolNotOffered(String),
    /// The server chose an extension that was not offered, or with parameters that do not match the offer.
    #[error("the server chose extensions {0:?}, which do not match the offer")]
    ExtensionNotOffered(String),
}

/// The part of an HTTP head that is malformed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MalformedHead {
    /// The first line of a request.
    #[error("request line")]
    RequestLine,
    /// The target of a request: neither a path nor an absolute URL (RFC 9112 §3.2).
    #[error("request target")]
    RequestTarget,
    /// The first line of a response.
    #[error("status line")]
    StatusLine,
    /// The status code of a response.
    #[error("status")]
    Status,
    /// The name of a header field.
    #[error("header name")]
    HeaderName,
    /// The value of a header field.
    #[error("header value")]
    HeaderValue,
    /// The end of a line.
    #[error("line end")]
    LineEnd,
    /// A line that ends in a bare LF, which readers interpret differently.
    #[error("a line ends without CR")]
    BareLineFeed,
    /// The HTTP version of the first line.
    #[error("HTTP version")]
    Version,
    /// A TLS record in place of an HTTP head.
    #[error("a TLS handshake")]
    Tls,
    /// Interim responses (1xx) that never lead to a final one.
    #[error("too many interim responses")]
    TooManyInterimResponses,
}

impl HandshakeError {
    /// Returns the HTTP status for the other end: 400, 405, 426, 431 or 505 for a request. For a response, 502: the
    /// status that a gateway sends to its own client.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::RequestField(_) => 400,
            Self::Method(_) => 405,
            Self::NotUpgrade | Self::WebSocketVersion(_) => 426,
            Self::HeadTooLarge { .. } => 431,
            Self::Version(_) => 505,
            Self::Refused(_)
            | Self::ResponseField(_)
            | Self::AcceptMismatch
            | Self::ProtocolNotOffered(_)
            | Self::ExtensionNotOffered(_) => 502,
        }
    }

    /// Returns the fields that the response with [`status`](Self::status) must carry.
    pub fn headers(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Method(_) => &[("Allow", "GET")],
            Self::NotUpgrade => &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
            Self::WebSocketVersion(_) => &[("Sec-WebSocket-Version", "13")],
            _ => &[],
        }
    }
}
