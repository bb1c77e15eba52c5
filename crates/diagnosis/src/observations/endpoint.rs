//! One endpoint, stage by stage.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{TlsResult, WatchedConnection};

use undrop_frame::{Ending, HeadFault};

/// What was seen of one endpoint. A stage that was not reached, or not asked for, is empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// What it is to the run.
    pub role: EndpointRole,
    /// Its URL.
    pub url: String,
    /// Host name or address of the URL.
    pub host: String,
    /// Port.
    pub port: u16,
    /// With TLS.
    pub secure: bool,
    /// Not on this machine.
    pub public: bool,
    /// The stages took too long, and what was left of them was left out.
    pub incomplete: bool,
    /// The forward proxy that the connections go through.
    pub proxy: Option<String>,
    /// Looking up the name.
    pub dns: Option<DnsLookup>,
    /// One connection to each address.
    pub connects: Vec<TcpConnect>,
    /// The TLS handshake.
    pub tls: Option<TlsResult>,
    /// Handshakes and other requests, in the order they were made.
    pub attempts: Vec<HttpAttempt>,
    /// A small message, and what came back.
    pub echo: Option<EchoTest>,
    /// Messages with and without compression.
    pub compression: Vec<CompressionTest>,
    /// Messages of growing size.
    pub sizes: Vec<SizeTest>,
    /// The closing handshake.
    pub close: Option<CloseTest>,
    /// Pings beside messages.
    pub pings: Option<PingTest>,
    /// Connections that were watched.
    pub connections: Vec<WatchedConnection>,
}

/// What an endpoint is to a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointRole {
    /// What the run is about.
    #[default]
    Target,
    /// The same program reached in a way that is expected to work.
    Control,
    /// The same program, entered at a hop with this name.
    Via(String),
    /// The origin itself.
    Direct,
}

impl EndpointRole {
    /// As people call it.
    pub fn name(&self) -> &str {
        match self {
            EndpointRole::Target => "target",
            EndpointRole::Control => "control",
            EndpointRole::Via(name) => name,
            EndpointRole::Direct => "origin",
        }
    }
}

/// Looking up a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DnsLookup {
    /// How long it took.
    pub took_s: f64,
    /// Addresses in the order of the resolver.
    pub addresses: Vec<IpAddr>,
    /// Why there are none.
    pub error: Option<String>,
}

/// One TCP connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TcpConnect {
    /// Where to.
    pub address: SocketAddr,
    /// How long it took, or how long it was waited for.
    pub took_s: f64,
    /// Why there is none.
    pub failed: Option<Ending>,
}

/// One request and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpAttempt {
    /// What was different about it.
    pub variant: RequestVariant,
    /// When it was sent, since the start of the run.
    pub at_s: f64,
    /// From sending it to the end of the answer's head.
    pub took_s: f64,
    /// What came.
    pub outcome: HttpOutcome,
}

/// What is different about a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestVariant {
    /// The handshake as asked for.
    AsRequested,
    /// The same once more, with another key.
    SecondKey,
    /// Without ALPN.
    NoAlpn,
    /// HTTP/2 by ALPN, then extended CONNECT (RFC 8441).
    ExtendedConnect,
    /// At the place that the answer named.
    Redirected(String),
    /// With this Origin.
    Origin(String),
    /// Without the sub-protocols that were asked for.
    NoProtocol,
    /// With these sub-protocols.
    Protocols(Vec<String>),
    /// With permessage-deflate offered.
    Deflate,
    /// A plain GET that asks for no upgrade.
    PlainGet,
    /// A request line that is no HTTP, to see whose error page comes.
    Malformed,
    /// The same, said to the forward proxy.
    ProxyItself,
    /// The first request of Engine.IO's long polling.
    EngineIo,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpOutcome {
    /// An HTTP answer with its head.
    Response {
        /// Status.
        status: u16,
        /// Header fields as they came; values that are not UTF-8 with replacement characters.
        headers: Vec<(String, String)>,
        /// The beginning of the body.
        body: String,
        /// What is wrong with a 101; empty when the WebSocket is open, and for other statuses.
        flaws: Vec<UpgradeFlaw>,
    },
    /// Something that is not HTTP/1.1, or breaks its rules.
    NotHttp {
        /// The reason why it cannot be read.
        fault: HeadFault,
        /// The first bytes of the response, at most 120.
        start: Vec<u8>,
    },
    /// HTTP/2: whether the server offers extended CONNECT, and the status of the answer to it.
    Http2 {
        /// `SETTINGS_ENABLE_CONNECT_PROTOCOL`.
        offered: bool,
        /// The status; `None` when there was none.
        status: Option<u16>,
        /// Header fields of the answer.
        headers: Vec<(String, String)>,
    },
    /// ALPN settled on this instead of what was wanted.
    OtherProtocol(Option<String>),
    /// No answer.
    Failed(Ending),
}

/// What is wrong with a 101 (RFC 6455 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpgradeFlaw {
    /// It is not HTTP/1.1.
    Version,
    /// `Upgrade: websocket` is missing.
    Upgrade,
    /// `Connection: Upgrade` is missing.
    Connection,
    /// `Sec-WebSocket-Accept` is missing.
    NoAccept,
    /// `Sec-WebSocket-Accept` does not fit the key; what came.
    Accept(String),
    /// A sub-protocol that was not offered.
    Protocol(String),
    /// Extensions that were not offered, or with parameters that do not fit.
    Extensions(String),
}

/// A small message, and what came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EchoTest {
    /// What was sent.
    pub sent: String,
    /// What came.
    pub result: MessageOutcome,
    /// Messages that came before anything was sent.
    pub greetings: u32,
}

/// A message and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageOutcome {
    /// The same message came back.
    Returned {
        /// After this long.
        rtt_s: f64,
    },
    /// Another message came back.
    Other {
        /// After this long.
        rtt_s: f64,
        /// Its beginning.
        start: String,
    },
    /// No message came, but the connection answered a Ping behind it.
    Accepted {
        /// How long a message was waited for.
        waited_s: f64,
    },
    /// Nothing came.
    Silent {
        /// How long it was waited for.
        waited_s: f64,
        /// The kernel at the other end acknowledged what was sent; `None` when that is not known.
        acked: Option<bool>,
    },
    /// The connection ended.
    Ended {
        /// How.
        end: Ending,
        /// How long after the message was sent.
        after_s: f64,
    },
    /// There was no connection to send it on.
    NotOpened(Ending),
}

/// A message with or without compression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompressionTest {
    /// permessage-deflate was offered.
    pub offered: bool,
    /// What the server answered to the offer.
    pub agreed: Option<String>,
    /// Size of the message, bytes.
    pub size: u64,
    /// It shrinks when it is compressed.
    pub compressible: bool,
    /// What became of it.
    pub result: MessageOutcome,
}

/// A message of some size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SizeTest {
    /// Size of the message, bytes.
    pub size: u64,
    /// What became of it.
    pub result: MessageOutcome,
    /// Segments that the kernel sent again; `None` when that is not known.
    pub retransmits: Option<u32>,
    /// Largest segment that the kernel sends, bytes.
    pub segment: Option<u32>,
}

/// The closing handshake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloseTest {
    /// How the connection ended after we sent Close 1000.
    pub end: Ending,
    /// How long it took.
    pub took_s: f64,
}

/// Pings beside messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PingTest {
    /// Round trips of Pings.
    pub pongs_s: Vec<f64>,
    /// Pings without an answer.
    pub unanswered: u32,
    /// Round trips of messages on the same connection.
    pub echoes_s: Vec<f64>,
    /// The kernel's round-trip time.
    pub tcp_rtt_s: Option<f64>,
}

impl Endpoint {
    /// The answer to a variant, the first of several.
    pub fn attempt(&self, variant: &RequestVariant) -> Option<&HttpAttempt> {
        self.attempts.iter().find(|attempt| attempt.variant == *variant)
    }

    /// The handshake as asked for.
    pub fn handshake(&self) -> Option<&HttpOutcome> {
        self.attempt(&RequestVariant::AsRequested).map(|attempt| &attempt.outcome)
    }

    /// The handshake as asked for opened a WebSocket.
    pub fn opens(&self) -> bool {
        self.handshake().is_some_and(HttpOutcome::opened)
    }

    /// The server required a client certificate, and none was sent.
    pub fn requires_client_certificate(&self) -> bool {
        use undrop_frame::{ProtocolFault, TlsFault};
        let required = ProtocolFault::Tls(TlsFault::ClientCertificateRequired);
        matches!(self.handshake(), Some(HttpOutcome::Failed(Ending::ProtocolError(fault))) if *fault == required)
    }

    /// Messages come back.
    pub fn echoes(&self) -> bool {
        self.echo.as_ref().is_some_and(|echo| {
            matches!(echo.result, MessageOutcome::Returned { .. } | MessageOutcome::Other { .. })
        })
    }
}

impl HttpOutcome {
    /// A WebSocket is open.
    pub fn opened(&self) -> bool {
        match self {
            HttpOutcome::Response { status: 101, flaws, .. } => flaws.is_empty(),
            HttpOutcome::Http2 { status: Some(200), .. } => true,
            _ => false,
        }
    }

    /// The status of an HTTP answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            HttpOutcome::Response { status, .. } => Some(*status),
            HttpOutcome::Http2 { status, .. } => *status,
            _ => None,
        }
    }

    /// The first value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (HttpOutcome::Response { headers, .. } | HttpOutcome::Http2 { headers, .. }) = self else {
            return None;
        };
        headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The beginning of the body; empty when there is none.
    pub fn body(&self) -> &str {
        match self {
            HttpOutcome::Response { body, .. } => body,
            _ => "",
        }
    }
}

impl MessageOutcome {
    /// A message came back, so the connection carried it both ways.
    pub fn came_back(&self) -> bool {
        matches!(self, MessageOutcome::Returned { .. } | MessageOutcome::Other { .. })
    }

    /// The other end took the message, whether or not it answered.
    pub fn arrived(&self) -> bool {
        self.came_back() || matches!(self, MessageOutcome::Accepted { .. })
    }
}

impl fmt::Display for UpgradeFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpgradeFlaw::Version => f.write_str("the answer is not HTTP/1.1"),
            UpgradeFlaw::Upgrade => f.write_str("the field Upgrade: websocket is missing"),
            UpgradeFlaw::Connection => f.write_str("the field Connection: Upgrade is missing"),
            UpgradeFlaw::NoAccept => f.write_str("the field Sec-WebSocket-Accept is missing"),
            UpgradeFlaw::Accept(got) => {
                write!(f, "Sec-WebSocket-Accept is {got:?}, which does not fit the key")
            }
            UpgradeFlaw::Protocol(got) => write!(f, "sub-protocol {got:?} was not offered"),
            UpgradeFlaw::Extensions(got) => write!(f, "extensions {got:?} were not offered like that"),
        }
    }
}
