//! The one way to open a WebSocket as a client: dial, send the request, check the response, agree on compression.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;
use undrop_frame::deflate::{Config, Params};
use undrop_frame::handshake::{Accepted, DEFAULT_LIMIT, Headers, ResponseHead};
use undrop_frame::{Ending, Role};

use crate::dial::dial_to;
use crate::url::host_header;
use crate::{DialError, DialOptions, Stream, UpgradeError, WebSocket, WebSocketConfig, WsUrl, upgrade};

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
    /// No extension.
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

/// The time that each phase of [`connect`] took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectTimings {
    /// Name lookup, TCP connect and, where one is used, the handshake with the forward proxy.
    pub connect: Duration,
    /// The TLS handshake; `None` without TLS.
    pub tls: Option<Duration>,
    /// The HTTP upgrade.
    pub upgrade: Duration,
}

/// The phase in which an attempt to connect failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectStage {
    /// Name lookup, TCP connect or the handshake with a forward proxy.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The HTTP upgrade.
    Handshake,
    /// The start of a session on the open WebSocket. Only a client of the session protocol reports it.
    Session,
}

impl ConnectStage {
    /// Returns the name that reports use: `connect`, `tls`, `handshake` or `session`.
    pub const fn as_str(self) -> &'static str {
        match self {
            ConnectStage::Connect => "connect",
            ConnectStage::Tls => "tls",
            ConnectStage::Handshake => "handshake",
            ConnectStage::Session => "session",
        }
    }
}

impl fmt::Display for ConnectStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The reason why [`connect`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no byte stream to the server.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The server did not accept the upgrade.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
}

impl ConnectError {
    /// Returns the phase that failed.
    pub fn stage(&self) -> ConnectStage {
        match self {
            ConnectError::Dial(error) => error.stage(),
            ConnectError::Upgrade(_) => ConnectStage::Handshake,
        }
    }

    /// Returns the failure as an [`Ending`].
    pub fn ending(&self) -> Ending {
        match self {
            ConnectError::Dial(error) => error.ending(),
            ConnectError::Upgrade(error) => error.ending(),
        }
    }

    /// Returns the message, followed by the start of the response body if the server refused.
    pub fn explain(&self) -> String {
        match self {
            ConnectError::Dial(error) => error.to_string(),
            ConnectError::Upgrade(error) => error.explain(),
        }
    }

    /// Returns `true` if another attempt cannot succeed before something is reconfigured.
    pub fn is_permanent(&self) -> bool {
        match self {
            ConnectError::Dial(error) => error.is_permanent(),
            ConnectError::Upgrade(_) => false,
        }
    }
}

/// Opens a WebSocket connection: dials the host of the URL, sends the request, and validates the response.
///
/// [`DialOptions`] has the time limits for name lookup, TCP and TLS, [`ConnectRequest::upgrade_timeout`] the one for the
/// upgrade. Over a stream that is already open, use [`upgrade`].
///
/// # Errors
/// A phase failed or took too long; [`ConnectError::stage`] tells which.
pub async fn connect(request: &ConnectRequest<'_>, options: &DialOptions) -> Result<Connected, ConnectError> {
    // Boxed: the state of this phase is much larger than that of the connection, which may be idle for hours.
    Box::pin(run(request, options)).await
}

async fn run(request: &ConnectRequest<'_>, options: &DialOptions) -> Result<Connected, ConnectError> {
    let mut timings = ConnectTimings::default();
    let stream = dial_to(request.url.destination(), options, &mut timings).await?;
    let start = Instant::now();
    let mut connected = upgrade(stream, request).await?;
    timings.upgrade = start.elapsed();
    connected.timings = timings;
    Ok(connected)
}
