//! Observations of one endpoint, stage by stage.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{TlsResult, WatchedConnection};

use undrop_frame::{Ending, HeadFault};

/// The observations of one endpoint. The fields of a stage that was not reached or not requested are empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// The role of the endpoint in the run.
    pub role: EndpointRole,
    /// The URL of the endpoint.
    pub url: String,
    /// The host name or address in the URL.
    pub host: String,
    /// The port of the URL.
    pub port: u16,
    /// Whether the URL requires TLS.
    pub secure: bool,
    /// Whether the host is another machine.
    pub public: bool,
    /// Whether the stages took too long and the remaining ones were skipped.
    pub incomplete: bool,
    /// The URL of the forward proxy, if one is used.
    pub proxy: Option<String>,
    /// The lookup of the host name.
    pub dns: Option<DnsLookup>,
    /// One TCP connection to each address.
    pub connects: Vec<TcpConnect>,
    /// The TLS handshakes and the certificates.
    pub tls: Option<TlsResult>,
    /// The handshakes and other requests, in the order in which they were sent.
    pub attempts: Vec<HttpAttempt>,
    /// The exchange of a small message.
    pub echo: Option<EchoTest>,
    /// The messages with and without compression.
    pub compression: Vec<CompressionTest>,
    /// The messages of increasing size.
    pub sizes: Vec<SizeTest>,
    /// The result of the closing handshake.
    pub close: Option<CloseTest>,
    /// The round trips of Pings and messages.
    pub pings: Option<PingTest>,
    /// The connections that were watched over time.
    pub connections: Vec<WatchedConnection>,
}

/// The role of an endpoint in a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointRole {
    /// The endpoint that is diagnosed.
    #[default]
    Target,
    /// The same server on a path that is expected to work.
    Control,
    /// The same server, reached at the hop with this name.
    Via(String),
    /// The origin itself, without intermediaries.
    Direct,
}

impl EndpointRole {
    /// Returns the name for reports.
    pub fn name(&self) -> &str {
        match self {
            EndpointRole::Target => "target",
            EndpointRole::Control => "control",
            EndpointRole::Via(name) => name,
            EndpointRole::Direct => "origin",
        }
    }
}

/// The result of a name lookup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DnsLookup {
    /// The duration in seconds.
    pub took_s: f64,
    /// The addresses in the order of the resolver.
    pub addresses: Vec<IpAddr>,
    /// The reason why there are no addresses.
    pub error: Option<String>,
}

/// The result of opening a TCP connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TcpConnect {
    /// The address of the server.
    pub address: SocketAddr,
    /// The time until the connection was open or failed, in seconds.
    pub took_s: f64,
    /// The reason for the failure.
    pub failed: Option<Ending>,
}

/// A request and its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpAttempt {
    /// The difference to the requested handshake.
    pub variant: RequestVariant,
    /// The time since the start of the run, in seconds.
    pub at_s: f64,
    /// The time from the request to the end of the response, in seconds.
    pub took_s: f64,
    /// The outcome of the request.
    pub outcome: HttpOutcome,
}

/// The difference of a request to the requested handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestVariant {
    /// The handshake with the options of the run.
    AsRequested,
    /// The same handshake with another key.
    SecondKey,
    /// The handshake without ALPN.
    NoAlpn,
    /// Extended CONNECT (RFC 8441) over HTTP/2, which is selected by ALPN.
    ExtendedConnect,
    /// The handshake at the target of a redirect.
    Redirected(String),
    /// The handshake with this Origin.
    Origin(String),
    /// The handshake without subprotocols.
    NoProtocol,
    /// The handshake with these subprotocols.
    Protocols(Vec<String>),
    /// The handshake with an offer of permessage-deflate.
    Deflate,
    /// A plain GET without an upgrade.
    PlainGet,
    /// A malformed request, whose error page identifies the product.
    Malformed,
    /// A malformed request to the forward proxy.
    ProxyItself,
    /// The first request of Engine.IO long polling.
    EngineIo,
}

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpOutcome {
    /// A response in HTTP/1.1.
    Response {
        /// The status of the response.
        status: u16,
        /// The header fields; invalid UTF-8 in values is replaced.
        headers: Vec<(String, String)>,
        /// The start of the body.
        body: String,
        /// The flaws of a 101 response; empty if the WebSocket is open, and for other statuses.
        flaws: Vec<UpgradeFlaw>,
    },
    /// Data that is not an HTTP/1.1 response.
    NotHttp {
        /// The reason why it cannot be read.
        fault: HeadFault,
        /// The first bytes of the response, at most 120.
        start: Vec<u8>,
    },
    /// The outcome of extended CONNECT over HTTP/2.
    Http2 {
        /// Whether the server sent `SETTINGS_ENABLE_CONNECT_PROTOCOL`.
        offered: bool,
        /// The status; `None` if there was no response.
        status: Option<u16>,
        /// The header fields of the response.
        headers: Vec<(String, String)>,
    },
    /// ALPN selected another protocol, or none.
    OtherProtocol(Option<String>),
    /// The request failed without a response.
    Failed(Ending),
}

/// A flaw of a 101 response (RFC 6455 §4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpgradeFlaw {
    /// The response is not HTTP/1.1.
    Version,
    /// The field `Upgrade: websocket` is missing.
    Upgrade,
    /// The field `Connection: Upgrade` is missing.
    Connection,
    /// The field `Sec-WebSocket-Accept` is missing.
    NoAccept,
    /// `Sec-WebSocket-Accept` has this value, which does not match the key.
    Accept(String),
    /// The response selects this subprotocol, which was not offered.
    Protocol(String),
    /// The response selects these extensions, which were not offered like this.
    Extensions(String),
}

/// The exchange of a small message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EchoTest {
    /// The message that was sent.
    pub sent: String,
    /// The outcome of the message.
    pub result: MessageOutcome,
    /// The number of messages that were received before anything was sent.
    pub greetings: u32,
}

/// The outcome of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageOutcome {
    /// The same message was returned.
    Returned {
        /// The round-trip time in seconds.
        rtt_s: f64,
    },
    /// Another message was received.
    Other {
        /// The time until the message was received, in seconds.
        rtt_s: f64,
        /// The start of the message.
        start: String,
    },
    /// No message was received, but a Ping that was sent later was answered.
    Accepted {
        /// The time for which a message was awaited, in seconds.
        waited_s: f64,
    },
    /// Nothing was received in time.
    Silent {
        /// The time for which a reply was awaited, in seconds.
        waited_s: f64,
        /// Whether the kernel of the peer acknowledged the message; `None` if that is not known.
        acked: Option<bool>,
    },
    /// The connection ended before a reply.
    Ended {
        /// The ending of the connection.
        end: Ending,
        /// The time since the message was sent, in seconds.
        after_s: f64,
    },
    /// The connection could not be opened.
    NotOpened(Ending),
}

/// The outcome of a message with or without compression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompressionTest {
    /// Whether permessage-deflate was offered.
    pub offered: bool,
    /// The parameters that the server accepted.
    pub agreed: Option<String>,
    /// The size of the message in bytes.
    pub size: u64,
    /// Whether the message is compressible.
    pub compressible: bool,
    /// The outcome of the message.
    pub result: MessageOutcome,
}

/// The outcome of a message of a certain size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SizeTest {
    /// The size of the message in bytes.
    pub size: u64,
    /// The outcome of the message.
    pub result: MessageOutcome,
    /// The number of segments that the kernel retransmitted; `None` if that is not known.
    pub retransmits: Option<u32>,
    /// The maximum segment size of the kernel in bytes.
    pub segment: Option<u32>,
}

/// The result of the closing handshake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloseTest {
    /// The ending of the connection after Close 1000 was sent.
    pub end: Ending,
    /// The duration in seconds.
    pub took_s: f64,
}

/// The round trips of Pings and messages on one connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PingTest {
    /// The round-trip times of Pings, in seconds.
    pub pongs_s: Vec<f64>,
    /// The number of unanswered Pings.
    pub unanswered: u32,
    /// The round-trip times of messages, in seconds.
    pub echoes_s: Vec<f64>,
    /// The TCP round-trip time of the kernel, in seconds.
    pub tcp_rtt_s: Option<f64>,
}

impl Endpoint {
    /// Returns the first request of this variant.
    pub fn attempt(&self, variant: &RequestVariant) -> Option<&HttpAttempt> {
        self.attempts.iter().find(|attempt| attempt.variant == *variant)
    }

    /// Returns the outcome of the handshake with the options of the run.
    pub fn handshake(&self) -> Option<&HttpOutcome> {
        self.attempt(&RequestVariant::AsRequested).map(|attempt| &attempt.outcome)
    }

    /// Returns whether the handshake with the options of the run opened a WebSocket.
    pub fn opens(&self) -> bool {
        self.handshake().is_some_and(HttpOutcome::opened)
    }

    /// Returns whether the server required a client certificate.
    pub fn requires_client_certificate(&self) -> bool {
        use undrop_frame::{ProtocolFault, TlsFault};
        let required = ProtocolFault::Tls(TlsFault::ClientCertificateRequired);
        matches!(self.handshake(), Some(HttpOutcome::Failed(Ending::ProtocolError(fault))) if *fault == required)
    }

    /// Returns whether the server replies to messages.
    pub fn echoes(&self) -> bool {
        self.echo.as_ref().is_some_and(|echo| {
            matches!(echo.result, MessageOutcome::Returned { .. } | MessageOutcome::Other { .. })
        })
    }
}

impl HttpOutcome {
    /// Returns whether a WebSocket was opened.
    pub fn opened(&self) -> bool {
        match self {
            HttpOutcome::Response { status: 101, flaws, .. } => flaws.is_empty(),
            HttpOutcome::Http2 { status: Some(200), .. } => true,
            _ => false,
        }
    }

    /// Returns the status of the response.
    pub fn status(&self) -> Option<u16> {
        match self {
            HttpOutcome::Response { status, .. } => Some(*status),
            HttpOutcome::Http2 { status, .. } => *status,
            _ => None,
        }
    }

    /// Returns the first value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (HttpOutcome::Response { headers, .. } | HttpOutcome::Http2 { headers, .. }) = self else {
            return None;
        };
        headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the start of the body, empty if there is none.
    pub fn body(&self) -> &str {
        match self {
            HttpOutcome::Response { body, .. } => body,
            _ => "",
        }
    }
}

impl MessageOutcome {
    /// Returns whether a message was received, so that the connection works in both directions.
    pub fn came_back(&self) -> bool {
        matches!(self, MessageOutcome::Returned { .. } | MessageOutcome::Other { .. })
    }

    /// Returns whether the peer accepted the message, with or without a reply.
    pub fn arrived(&self) -> bool {
        self.came_back() || matches!(self, MessageOutcome::Accepted { .. })
    }
}

impl fmt::Display for UpgradeFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpgradeFlaw::Version => f.write_str("the response is not HTTP/1.1"),
            UpgradeFlaw::Upgrade => f.write_str("the field Upgrade: websocket is missing"),
            UpgradeFlaw::Connection => f.write_str("the field Connection: Upgrade is missing"),
            UpgradeFlaw::NoAccept => f.write_str("the field Sec-WebSocket-Accept is missing"),
            UpgradeFlaw::Accept(got) => {
                write!(f, "Sec-WebSocket-Accept is {got:?}, which does not match the key")
            }
            UpgradeFlaw::Protocol(got) => write!(f, "subprotocol {got:?} was not offered"),
            UpgradeFlaw::Extensions(got) => write!(f, "extensions {got:?} were not offered like that"),
        }
    }
}
