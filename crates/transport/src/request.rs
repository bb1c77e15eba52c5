//! The request for a WebSocket connection, and the connection that it leads to.

use std::borrow::Cow;
use std::time::Duration;

use undrop_frame::Role;
use undrop_frame::deflate::{Config, Params};
use undrop_frame::handshake::{Accepted, DEFAULT_LIMIT, Headers, ResponseHead};

use crate::stage::ConnectTimings;
use crate::stream::Stream;
use crate::url::{WsUrl, host_header};
use crate::websocket::{WebSocket, WebSocketConfig};

/// The request for a WebSocket connection.
#[derive(Debug, Clone)]
pub struct ConnectRequest<'a> {
    /// The resource, which also determines the host to dial.
    pub url: &'a WsUrl,
    /// The Host header. Default: that of the URL.
    pub host: Option<&'a str>,
    /// The request target. Default: path and query of the URL.
    pub target: Option<&'a str>,
    /// The value of `Sec-WebSocket-Key`. Default: a fresh random one.
    pub key: Option<&'a str>,
    /// The subprotocols to offer, in order of preference. Default: none.
    pub protocols: &'a [String],
    /// Additional header fields. Fields that belong to the handshake itself are left out.
    pub headers: &'a Headers,
    /// The extensions to offer. Default: none.
    pub extensions: OfferedExtensions<'a>,
    /// The time limit for the HTTP upgrade. Default: 10 s.
    pub upgrade_timeout: Duration,
    /// The maximum size of the response head in bytes. Default: 16 KiB.
    pub head_limit: usize,
    /// The number of bytes that are kept of the body of a refusal. Default: 64 KiB.
    pub body_limit: usize,
}

/// The extensions that a request offers.
#[derive(Debug, Clone, Copy, Default)]
pub enum OfferedExtensions<'a> {
    /// The request offers no extension.
    #[default]
    None,
    /// permessage-deflate; the response is validated, and [`Connected::deflate`] holds the result.
    Deflate(&'a Config),
    /// The value of `Sec-WebSocket-Extensions` as another endpoint wrote it. That endpoint validates the response.
    Forwarded(&'a str),
}

impl<'a> ConnectRequest<'a> {
    /// Returns a request with default values.
    pub fn new(url: &'a WsUrl, headers: &'a Headers) -> ConnectRequest<'a> {
        ConnectRequest {
            url,
            host: None,
            target: None,
            key: None,
            protocols: &[],
            headers,
            extensions: OfferedExtensions::None,
            upgrade_timeout: Duration::from_secs(10),
            head_limit: DEFAULT_LIMIT,
            body_limit: 64 * 1024,
        }
    }

    /// Returns the value of the Host header.
    pub(crate) fn host(&self) -> Cow<'a, str> {
        self.host.map_or_else(|| host_header(self.url.as_url()).into(), Cow::Borrowed)
    }

    /// Returns the value of `Sec-WebSocket-Extensions`.
    pub(crate) fn extensions(&self) -> Option<Cow<'a, str>> {
        match self.extensions {
            OfferedExtensions::None => None,
            OfferedExtensions::Deflate(config) => Some(config.offer().into()),
            OfferedExtensions::Forwarded(value) => Some(value.into()),
        }
    }
}

/// An open connection: the WebSocket handshake is complete.
#[derive(Debug)]
pub struct Connected {
    /// The byte stream, positioned after the response head.
    pub stream: Stream,
    /// The response of the server.
    pub head: ResponseHead,
    /// The subprotocol and the extensions that the server selected.
    pub accepted: Accepted,
    /// The bytes that were read together with the response head: the first frames.
    pub leftover: Vec<u8>,
    /// The parameters of permessage-deflate, if both sides agreed on it.
    pub deflate: Option<(Params, Config)>,
    /// The time that each phase took.
    pub timings: ConnectTimings,
}

impl Connected {
    /// Returns the connection as a [`WebSocket`]. The compression is the negotiated one, whatever `config` says.
    pub fn into_websocket(self, config: &WebSocketConfig) -> WebSocket {
        let config = WebSocketConfig { deflate: self.deflate, ..config.clone() };
        WebSocket::new(self.stream, Role::Client, self.leftover, &config)
    }
}
