//! The configuration file as written: every key optional, unknown keys refused, nothing judged yet.

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    /// Addresses to listen on, `HOST:PORT`. Default: `127.0.0.1:8080`.
    pub listen: Option<OneOrMany>,
    /// Threads, each with an accept queue of its own. Default: one per core.
    pub workers: Option<usize>,
    /// Backend of every path that no route names: `ws://`, `wss://`. Without any: an embedded echo backend.
    pub upstream: Option<String>,
    /// Backends by path.
    #[serde(default)]
    pub route: Vec<Route>,
    /// Serve TLS.
    pub tls: Option<Tls>,
    /// Resumable sessions.
    #[serde(default)]
    pub session: Session,
    /// What one connection may use.
    #[serde(default)]
    pub limits: Limits,
    /// How backends are reached.
    #[serde(default)]
    pub backend: Backend,
    /// Stopping.
    #[serde(default)]
    pub drain: Drain,
    /// The PROXY protocol on accepted connections.
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// One string or a list of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// `listen = "…"`
    One(String),
    /// `listen = ["…", "…"]`
    Many(Vec<String>),
}

/// `[[route]]`: the longest matching `path` wins.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// A path prefix that ends at a `/` or at the end of the path.
    pub path: String,
    /// Its backend.
    pub upstream: String,
    /// Origins that may connect (`https://app.example`). Default: all. Requests without an Origin pass.
    pub origins: Option<Vec<String>>,
    /// Resumable sessions for clients that ask for them. Default: that of `[session]`.
    pub sessions: Option<bool>,
}

/// `[tls]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate chain, leaf first.
    pub certificate: String,
    /// PEM file with the private key.
    pub key: String,
}

/// `[session]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Offer resumable sessions. Default: true.
    pub enabled: Option<bool>,
    /// Silence after which a client is sent a heartbeat. Default: 25 s; 0 turns it off.
    pub heartbeat: Option<Span>,
    /// How long a session waits for its client. Default: 120 s.
    pub ttl: Option<Span>,
    /// Server → client bytes that may be un-acked while a link is there. Default: 256 KiB.
    pub attached_buffer: Option<Size>,
    /// The same while no link is there. Default: 1 MiB.
    pub parked_buffer: Option<Size>,
    /// What all parked sessions together may hold. Default: 256 MiB.
    pub parked_budget: Option<Size>,
    /// When a buffer is full: `pause`, `end` or `drop-oldest`. Default: `pause`.
    pub overflow: Option<String>,
    /// Age at which a link is replaced (±20 %). Default: never.
    pub max_link_age: Option<Span>,
}

/// `[limits]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest message, either way; at most 2 GiB. Default: 64 MiB.
    pub max_message: Option<Size>,
    /// Largest request head. Default: 16 KiB.
    pub max_head: Option<Size>,
    /// From accept to the whole request (and TLS) being there. Default: 10 s.
    pub handshake_timeout: Option<Span>,
    /// Connections at once, sessions without a link included. Default: 100,000; the open-file limit may end it earlier.
    pub max_connections: Option<usize>,
}

/// `[backend]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// DNS, TCP and TLS together. Default: 5 s.
    pub connect_timeout: Option<Span>,
    /// From the request to the answer. Default: 10 s.
    pub handshake_timeout: Option<Span>,
    /// PEM file with the authorities to trust for `wss://` backends. Default: the system's.
    pub ca: Option<String>,
    /// The Host header sent to the backend: `preserve` (the client's) or `upstream`. Default: `preserve`.
    pub host: Option<String>,
}

/// `[drain]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// From the signal to the end. Default: 30 s.
    pub deadline: Option<Span>,
    /// Clients told to move per second. Default: 200.
    pub rate: Option<u32>,
}

/// `[proxy_protocol]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyProtocol {
    /// Networks whose PROXY header is believed, such as `10.0.0.0/8`.
    pub trusted: Vec<String>,
}

/// A duration: `"100ms"`, `"1.5s"`, `"2m"`, or a number of seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Span {
    /// Seconds.
    Whole(u64),
    /// Seconds.
    Fraction(f64),
    /// With its unit.
    Text(String),
}

/// A size: `"256KiB"`, `"1MiB"`, or a number of bytes.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// Bytes.
    Bytes(u64),
    /// With its unit.
    Text(String),
}
