//! The configuration file as it is written: every key is optional, unknown keys are rejected, and values are not validated yet.
//!
//! The documentation of the fields is the source of `docs/reference/configuration.md`.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use undrop_text::{duration, size};

/// The configuration file as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Addresses to listen on, as `HOST:PORT`: one string or a list. `:PORT` listens on all interfaces. Default: `127.0.0.1:8080`.
    #[serde(default, deserialize_with = "one_or_many")]
    pub listen: Option<Vec<String>>,
    /// Number of worker threads, from 1 to 1024, each with its own accept queue. Default: one per core.
    pub workers: Option<usize>,
    /// Backend URL (`ws://` or `wss://`) for every path that no route matches. Default: an embedded echo backend if there are no
    /// routes, otherwise none.
    pub upstream: Option<String>,
    /// Backends for requests, chosen by path.
    #[serde(default)]
    pub route: Vec<RouteTable>,
    /// Certificate for serving `wss://`.
    pub tls: Option<TlsTable>,
    /// Limits and timers of resumable sessions.
    #[serde(default)]
    pub session: SessionTable,
    /// Limits of a connection.
    #[serde(default)]
    pub limits: LimitsTable,
    /// Options of the connections to backends.
    #[serde(default)]
    pub backend: BackendTable,
    /// Options of an orderly shutdown.
    #[serde(default)]
    pub drain: DrainTable,
    /// The PROXY protocol on accepted connections.
    pub proxy_protocol: Option<ProxyProtocolTable>,
}

/// `[[route]]`: The route with the longest matching `path` is used.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteTable {
    /// Path prefix. It matches whole path segments only: `/chat` matches `/chat` and `/chat/1`, but not `/chats`.
    pub path: String,
    /// URL of the backend. Its path is placed before the path of the request.
    pub upstream: String,
    /// Origins that may connect, such as `https://app.example`. Requests without an Origin header are always allowed. Default: all
    /// origins.
    pub origins: Option<Vec<String>>,
    /// Whether clients that request a resumable session get one. Default: the value of `session.enabled`.
    pub sessions: Option<bool>,
}

/// `[tls]`: Both files are read again on SIGHUP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsTable {
    /// PEM file with the certificate chain, the server's certificate first.
    pub certificate: String,
    /// PEM file with the private key.
    pub key: String,
}

/// `[session]`: limits and timers of sessions.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionTable {
    /// Whether resumable sessions are offered. Default: true.
    pub enabled: Option<bool>,
    /// Time without data after which the client is sent a heartbeat; 0 disables heartbeats. Default: 25 s.
    #[serde(default, deserialize_with = "duration_or_seconds")]
    pub heartbeat: Option<Duration>,
    /// Time for which a session without a connection waits for its client to return. Default: 120 s.
    #[serde(default, deserialize_with = "duration_or_seconds")]
    pub ttl: Option<Duration>,
    /// Maximum number of unacknowledged bytes from the server to the client while the client is connected, from 4 KiB to 1 TiB.
    /// Default: 256 KiB.
    #[serde(default, deserialize_with = "size_or_bytes")]
    pub attached_buffer: Option<u64>,
    /// The same while the client is not connected. Default: 1 MiB.
    #[serde(default, deserialize_with = "size_or_bytes")]
    pub parked_buffer: Option<u64>,
    /// Maximum number of bytes that all sessions without a connection may hold together. Above it, the sessions that hold most are
    /// ended. Default: 256 MiB.
    #[serde(default, deserialize_with = "size_or_bytes")]
    pub parked_budget: Option<u64>,
    /// Policy for a full buffer: `pause` stops reading from the backend, `end` ends the session, `drop-oldest` discards the oldest
    /// messages and reports a gap to the client. Default: `pause`.
    pub overflow: Option<String>,
    /// Age at which a connection of a session is replaced by a new one, varied by ±20 %; 0 means never. Default: never.
    #[serde(default, deserialize_with = "duration_or_seconds")]
    pub max_link_age: Option<Duration>,
}

/// `[limits]`: limits of connections and messages.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsTable {
    /// Maximum size of a message in either direction, up to 2 GiB. Default: 64 MiB.
    #[serde(default, deserialize_with = "size_or_bytes")]
    pub max_message: Option<u64>,
    /// Maximum size of a request head, from 1 KiB to 1 MiB. Default: 16 KiB.
    #[serde(default, deserialize_with = "size_or_bytes")]
    pub max_head: Option<u64>,
    /// Time from accepting a connection until its request is complete, including TLS. Default: 10 s.
    #[serde(default, deserialize_with = "duration_or_seconds")]
    pub handshake_timeout: Option<Duration>,
    /// Maximum number of concurrent connections, including sessions without a connection. The limit of open files may be reached
    /// earlier. Default: 100,000.
    pub max_connections: Option<usize>,
}

/// `[backend]`: connections to the backends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendTable {
    /// Timeout for name resolution, TCP and TLS together. Default: 5 s.
    #[serde(default, deserialize_with = "duration_or_seconds")]
    pub connect_timeout: Option<Duration>,
    /// Timeout from sending the request to receiving the response head. Default: 10 s.
    #[serde(default, deserialize_with = "duration_or_seconds")]
    pub handshake_timeout: Option<Duration>,
    /// PEM file with the certificate authorities to trust for `wss://` backends. Default: those of the system.
    pub ca: Option<String>,
    /// Host header sent to the backend: `preserve` for the one of the client, `upstream` for the host of the backend URL. Default:
    /// `preserve`.
    pub host: Option<String>,
}

/// `[drain]`: SIGTERM and Ctrl-C start a drain.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrainTable {
    /// Time from the signal until the process exits. Default: 30 s.
    #[serde(default, deserialize_with = "duration_or_seconds")]
    pub deadline: Option<Duration>,
    /// Number of clients per second that are asked to reconnect, at least 1. Default: 200.
    pub rate: Option<u32>,
}

/// `[proxy_protocol]`: addresses of clients behind a balancer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyProtocolTable {
    /// Networks whose PROXY protocol header is trusted, such as `10.0.0.0/8`.
    pub trusted: Vec<String>,
}

/// A value that may be written as a number or as a text with a unit.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, or a string with a number and a unit")]
enum Quantity {
    Whole(u64),
    Fraction(f64),
    Text(String),
}

fn duration_or_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    match Quantity::deserialize(deserializer)? {
        Quantity::Whole(seconds) => duration::from_seconds(seconds as f64),
        Quantity::Fraction(seconds) => duration::from_seconds(seconds),
        Quantity::Text(text) => duration::parse(&text),
    }
    .map(Some)
    .map_err(serde::de::Error::custom)
}

fn size_or_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Quantity::deserialize(deserializer)? {
        Quantity::Whole(bytes) => Ok(bytes),
        Quantity::Fraction(bytes) => size::parse(&bytes.to_string()),
        Quantity::Text(text) => size::parse(&text),
    }
    .map(Some)
    .map_err(serde::de::Error::custom)
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a string or a list of strings")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(Some(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(name) => vec![name],
        OneOrMany::Many(names) => names,
    }))
}
