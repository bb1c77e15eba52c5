//! The validated configuration. [`Config::try_from`] finds every error; no other code validates it again.

use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use undrop_server::SessionOptions;
use undrop_session::{GatewayConfig, Overflow};
use undrop_text::suggest;
use undrop_transport::WsUrl;

mod error;
pub mod file;
mod toml;

pub use error::ConfigError;
use file::{BackendTable, ConfigFile, LimitsTable, RouteTable, SessionTable};

/// The default for the maximum number of concurrent connections. Each connection needs two file descriptors, so the limit of open
/// files may be reached earlier.
const DEFAULT_CONNECTIONS: usize = 100_000;

/// The largest value of `limits.max_message`: replay buffers store lengths in 32 bits.
const MAX_MESSAGE: u64 = 2 << 30;

/// A validated configuration of the gateway.
#[derive(Debug, Clone)]
pub struct Config {
    /// The addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// The number of worker threads.
    pub workers: NonZeroUsize,
    /// The routes, those with the longest path first. If there is a default backend, it is the last one, with an empty path.
    pub routes: Vec<Route>,
    /// The files with the certificate chain and its private key; `None` serves without TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The options of resumable sessions.
    pub session: SessionOptions,
    /// The limits of a single connection, and of their number.
    pub limits: ConnectionLimits,
    /// The options for connections to backends.
    pub backend: BackendOptions,
    /// The time from the start of a drain until the process exits.
    pub drain_deadline: Duration,
    /// The number of clients per second that a drain asks to reconnect.
    pub drain_rate: u32,
    /// The networks whose PROXY protocol header is trusted; `None` disables the PROXY protocol.
    pub proxy_trusted: Option<Vec<String>>,
}

/// A path prefix with its backend.
#[derive(Debug, Clone)]
pub struct Route {
    /// The path prefix without a trailing slash; empty for all paths.
    pub path: String,
    /// The backend for these paths.
    pub upstream: Upstream,
    /// The origins that may connect; `None` allows all.
    pub origins: Option<Vec<String>>,
    /// Whether clients that request a resumable session get one.
    pub sessions: bool,
}

/// The backend of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// An external WebSocket server. The path of this URL is placed before the path of the request.
    Url(WsUrl),
    /// The echo and broadcast backend inside this process.
    Embedded,
}

/// Limits that apply to the connections of clients.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// The maximum number of payload bytes in a message.
    pub max_message: u64,
    /// The maximum number of bytes in a request head.
    pub max_head: usize,
    /// The time from accepting a connection until its request is complete.
    pub handshake_timeout: Duration,
    /// The maximum number of concurrent connections.
    pub max_connections: usize,
}

/// Options for connections to backends.
#[derive(Debug, Clone)]
pub struct BackendOptions {
    /// The timeout for name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// The timeout from sending the request to receiving the response head.
    pub handshake_timeout: Duration,
    /// A PEM file with the certificate authorities to trust for `wss://`; `None` trusts those of the system.
    pub ca: Option<PathBuf>,
    /// Whether the backend gets the Host header of the client rather than its own host name.
    pub preserve_host: bool,
}

/// Reads a TOML file. Relative file names in it are resolved against its folder.
///
/// # Errors
/// Returns an error with the file, and with the line and the key if the content is wrong.
pub fn read(path: &Path) -> Result<ConfigFile, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError::new(format!("cannot be read: {error}")).in_file(path))?;
    let mut file = parse(&text).map_err(|error| error.in_file(path))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let relative = |file: &String| folder.join(file).to_string_lossy().into_owned();
    if let Some(tls) = &mut file.tls {
        (tls.certificate, tls.key) = (relative(&tls.certificate), relative(&tls.key));
    }
    file.backend.ca = file.backend.ca.as_ref().map(relative);
    Ok(file)
}

/// Parses the text of a configuration file.
///
/// # Errors
/// Returns an error with the line and the key, and for a mistyped key with the probable one.
pub fn parse(text: &str) -> Result<ConfigFile, ConfigError> {
    toml::from_str(text)
}

impl TryFrom<ConfigFile> for Config {
    type Error = ConfigError;

    fn try_from(file: ConfigFile) -> Result<Config, ConfigError> {
        let limits = limits(&file.limits)?;
        let session = session_options(&file.session, limits.max_message)?;
        let sessions = file.session.enabled.unwrap_or(true);
        let routes = routes(&file.route, file.upstream.as_deref(), sessions)?;
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let workers = match file.workers {
            None => cores,
            Some(n) => NonZeroUsize::new(n).filter(|n| n.get() <= 1024).ok_or_else(|| {
                ConfigError::at_key(
                    "workers",
                    format!("{n} is out of range; write 1 to 1024, or remove the key for one per core"),
                )
            })?,
        };
        let drain_rate = file.drain.rate.unwrap_or(200);
        if drain_rate == 0 {
            return Err(ConfigError::at_key(
                "drain.rate",
                "0 is out of range; write at least 1 client per second",
            ));
        }
        Ok(Config {
            listen: listen(file.listen)?,
            workers,
            routes,
            tls: file.tls.map(|tls| (tls.certificate.into(), tls.key.into())),
            session,
            limits,
            backend: backend(file.backend)?,
            drain_deadline: file.drain.deadline.unwrap_or(Duration::from_secs(30)),
            drain_rate,
            proxy_trusted: file.proxy_protocol.map(|table| table.trusted),
        })
    }
}

fn listen(names: Option<Vec<String>>) -> Result<Vec<SocketAddr>, ConfigError> {
    let names = names.unwrap_or_else(|| vec!["127.0.0.1:8080".to_owned()]);
    let mut addresses = Vec::new();
    for name in &names {
        let name = if name.starts_with(':') { format!("[::]{name}") } else { name.clone() };
        let found = name.to_socket_addrs().map_err(|error| {
            ConfigError::at_key(
                "listen",
                format!("`{name}` is not HOST:PORT ({error}); write for example 127.0.0.1:8080"),
            )
        })?;
        addresses.extend(found);
    }
    if addresses.is_empty() {
        return Err(ConfigError::at_key(
            "listen",
            "the list is empty; write at least one HOST:PORT, or remove the key",
        ));
    }
    addresses.dedup();
    Ok(addresses)
}

/// Returns all routes, the longest path first.
fn routes(tables: &[RouteTable], default: Option<&str>, sessions: bool) -> Result<Vec<Route>, ConfigError> {
    let mut routes = tables.iter().map(|table| route(table, sessions)).collect::<Result<Vec<_>, _>>()?;
    let upstream = match default {
        Some(url) => Some(upstream("upstream", url)?),
        None if routes.is_empty() => Some(Upstream::Embedded),
        None => None,
    };
    routes.extend(upstream.map(|upstream| Route { path: String::new(), upstream, origins: None, sessions }));
    routes.sort_by_key(|route| std::cmp::Reverse(route.path.len()));
    for (at, route) in routes.iter().enumerate() {
        if routes.iter().skip(at + 1).any(|other| other.path == route.path) {
            let path = if route.path.is_empty() { "/" } else { &route.path };
            return Err(ConfigError::at_key(
                "route.path",
                format!("two routes have the path `{path}`; remove one of them"),
            ));
        }
    }
    Ok(routes)
}

fn route(table: &RouteTable, sessions: bool) -> Result<Route, ConfigError> {
    if !table.path.starts_with('/') || table.path.contains(['?', '#']) {
        return Err(ConfigError::at_key(
            "route.path",
            format!("`{}` is not a path; write one that starts with / and has no query", table.path),
        ));
    }
    Ok(Route {
        path: table.path.trim_end_matches('/').to_owned(),
        upstream: upstream("route.upstream", &table.upstream)?,
        origins: table.origins.clone(),
        sessions: table.sessions.unwrap_or(sessions),
    })
}

fn upstream(key: &str, text: &str) -> Result<Upstream, ConfigError> {
    let wrong = |why: &str| ConfigError::at_key(key, format!("`{text}` {why}; write ws://HOST:PORT/PATH"));
    let url: WsUrl = text.parse().map_err(|error| wrong(&format!("is not a WebSocket URL: {error}")))?;
    if url.as_url().query().is_some() {
        return Err(wrong("has a query, which the client supplies"));
    }
    Ok(Upstream::Url(url))
}

fn session_options(table: &SessionTable, max_message: u64) -> Result<SessionOptions, ConfigError> {
    let default = GatewayConfig::default();
    let buffer = |key: &str, bytes: Option<u64>, default: usize| {
        bounded(key, bytes, default, 4096..=1 << 40, "4KiB to 1TiB")
    };
    let overflow = match table.overflow.as_deref() {
        None => default.overflow,
        Some(name) => Overflow::by_name(name)
            .ok_or_else(|| unknown_word("session.overflow", name, &["pause", "end", "drop-oldest"]))?,
    };
    let machine = GatewayConfig {
        heartbeat: table.heartbeat.unwrap_or(default.heartbeat),
        ttl: table.ttl.unwrap_or(default.ttl),
        attached_limit: buffer("session.attached_buffer", table.attached_buffer, default.attached_limit)?,
        detached_limit: buffer("session.parked_buffer", table.parked_buffer, default.detached_limit)?,
        overflow,
        link_max_age: table.max_link_age.filter(|age| !age.is_zero()),
        ..default
    };
    let detached_budget = buffer("session.parked_budget", table.parked_budget, 256 << 20)?;
    Ok(SessionOptions { machine: Arc::new(machine), detached_budget, max_message })
}

fn limits(table: &LimitsTable) -> Result<ConnectionLimits, ConfigError> {
    Ok(ConnectionLimits {
        max_message: bounded(
            "limits.max_message",
            table.max_message,
            64 << 20,
            1..=MAX_MESSAGE,
            "1 byte to 2GiB",
        )?,
        max_head: bounded("limits.max_head", table.max_head, 16 * 1024, 1024..=1 << 20, "1KiB to 1MiB")?,
        handshake_timeout: table.handshake_timeout.unwrap_or(Duration::from_secs(10)),
        max_connections: table.max_connections.unwrap_or(DEFAULT_CONNECTIONS),
    })
}

fn backend(table: BackendTable) -> Result<BackendOptions, ConfigError> {
    Ok(BackendOptions {
        connect_timeout: table.connect_timeout.unwrap_or(Duration::from_secs(5)),
        handshake_timeout: table.handshake_timeout.unwrap_or(Duration::from_secs(10)),
        ca: table.ca.map(PathBuf::from),
        preserve_host: match table.host.as_deref() {
            None | Some("preserve") => true,
            Some("upstream") => false,
            Some(other) => return Err(unknown_word("backend.host", other, &["preserve", "upstream"])),
        },
    })
}

/// Returns the size of a key, or its default, if it is within the range, which `words` states for the error.
fn bounded<N: TryFrom<u64>>(
    key: &str,
    bytes: Option<u64>,
    default: N,
    range: RangeInclusive<u64>,
    words: &str,
) -> Result<N, ConfigError> {
    let Some(bytes) = bytes else { return Ok(default) };
    N::try_from(bytes)
        .ok()
        .filter(|_| range.contains(&bytes))
        .ok_or_else(|| ConfigError::at_key(key, format!("{bytes} bytes is out of range; write {words}")))
}

fn unknown_word(key: &str, word: &str, known: &[&str]) -> ConfigError {
    let hint = suggest::hint(word, known.iter().copied());
    ConfigError::at_key(key, format!("`{word}` is unknown; write one of {}{hint}", known.join(", ")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<Config, String> {
        parse(text).and_then(Config::try_from).map_err(|e| e.to_string())
    }

    #[test]
    fn an_empty_file_listens_on_loopback_with_the_embedded_backend() {
        let config = config("").unwrap();
        assert_eq!(config.listen, ["127.0.0.1:8080".parse().unwrap()]);
        assert_eq!(config.routes.len(), 1);
        assert_eq!(config.routes[0].upstream, Upstream::Embedded);
        assert!(config.routes[0].sessions);
    }

    #[test]
    fn a_mistyped_key_is_named_with_its_line_and_the_likely_one() {
        let error = config("workers = 2\n[session]\nheartbeet = 5\n").unwrap_err();
        assert_eq!(error, "line 3: `session.heartbeet`: unknown key; did you mean `heartbeat`?");
    }

    #[test]
    fn durations_and_sizes_may_be_numbers_or_texts() {
        let text = "[session]\nttl = 1.5\nheartbeat = 0\nparked_buffer = 8192\nattached_buffer = \"8k\"\nmax_link_age = \"5 minutes\"";
        let machine = config(text).unwrap().session.machine;
        assert_eq!((machine.ttl, machine.heartbeat), (Duration::from_millis(1500), Duration::ZERO));
        assert_eq!((machine.detached_limit, machine.attached_limit), (8192, 8192));
        assert_eq!(machine.link_max_age, Some(Duration::from_secs(300)));
    }

    #[test]
    fn wrong_values_name_their_key() {
        for (text, expected) in [
            ("upstream = \"ftp://x\"", "`upstream`"),
            ("upstream = \"ws://x/?a=b\"", "query"),
            ("workers = 0", "`workers`"),
            (
                "[limits]\nmax_message = \"3GiB\"",
                "`limits.max_message`: 3221225472 bytes is out of range; write 1 byte to 2GiB",
            ),
            (
                "[session]\nttl = \"soon\"",
                "line 2: `session.ttl`: `soon` is not a duration; write a number and a unit",
            ),
            ("[session]\nttl = -1", "line 2: `session.ttl`"),
            ("[limits]\nmax_head = \"1 XiB\"", "`limits.max_head`: `1 XiB` has the unknown unit `XiB`"),
            ("[session]\noverflow = \"drop_oldest\"", "did you mean `drop-oldest`?"),
            ("[backend]\nhost = \"client\"", "preserve, upstream"),
            ("[session]\noverflow = \"explode\"", "drop-oldest"),
            ("[session]\nparked_buffer = 1", "`session.parked_buffer`"),
            ("[[route]]\npath = \"chat\"\nupstream = \"ws://x\"", "`route.path`"),
            (
                "[[route]]\npath = \"/a\"\nupstream = \"ws://x\"\n[[route]]\npath = \"/a/\"\nupstream = \"ws://x\"",
                "two routes",
            ),
            ("listen = \"nonsense\"", "HOST:PORT"),
            ("[drain]\nrate = 0", "`drain.rate`"),
        ] {
            let error = config(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn routes_are_tried_longest_first() {
        let config = config(
            "upstream = \"ws://a\"\n[[route]]\npath = \"/x\"\nupstream = \"ws://b\"\n\
             [[route]]\npath = \"/x/y\"\nupstream = \"http://c:1\"\n",
        )
        .unwrap();
        let paths: Vec<&str> = config.routes.iter().map(|r| r.path.as_str()).collect();
        assert_eq!(paths, ["/x/y", "/x", ""]);
        assert_eq!(config.routes[0].upstream, Upstream::Url("ws://c:1".parse().unwrap()));
    }
}
