//! The configuration ready to use. Whatever can be wrong with it was found by [`Config::try_from`]; nothing checks it
//! again.

use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use undrop_server::SessionOptions;
use undrop_session::{GatewayConfig, Overflow};
use url::Url;

pub mod raw;
pub mod units;

/// Connections at once, unless configured. Each needs two descriptors; the open-file limit may end it earlier.
const DEFAULT_CONNECTIONS: usize = 100_000;

/// Largest limit of a message. The lengths in a replay buffer are of 32 bits.
const MAX_MESSAGE: u64 = 2 << 30;

/// Why a configuration cannot be used: one sentence that names the place and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Threads.
    pub workers: NonZeroUsize,
    /// Longest path first; the last one is `/` when there is a default backend.
    pub routes: Vec<Route>,
    /// Certificate and key files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Sessions.
    pub session: SessionOptions,
    /// Limits of one connection.
    pub limits: Limits,
    /// How backends are reached.
    pub backend: Backend,
    /// From the signal to the end.
    pub drain_deadline: Duration,
    /// Clients told to move per second.
    pub drain_rate: u32,
    /// Networks whose PROXY header is believed; None: no PROXY protocol.
    pub proxy_trusted: Option<Vec<String>>,
}

/// A backend and the paths it serves.
#[derive(Debug, Clone)]
pub struct Route {
    /// Path prefix, without a slash at its end; empty for all paths.
    pub path: String,
    /// The backend.
    pub upstream: Upstream,
    /// Origins that may connect; None: all.
    pub origins: Option<Vec<String>>,
    /// Sessions for clients that ask for them.
    pub sessions: bool,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// A WebSocket server elsewhere. Its path goes in front of the client's.
    Url(Url),
    /// The echo and broadcast backend of this process.
    Embedded,
}

/// Limits of one connection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Payload bytes of a message.
    pub max_message: u64,
    /// Bytes of a request head.
    pub max_head: usize,
    /// From accept to the request being complete.
    pub handshake_timeout: Duration,
    /// Connections at once.
    pub max_connections: usize,
}

/// How backends are reached.
#[derive(Debug, Clone)]
pub struct Backend {
    /// DNS, TCP and TLS together.
    pub connect_timeout: Duration,
    /// From the request to the answer.
    pub handshake_timeout: Duration,
    /// Authorities to trust for `wss://`.
    pub ca: Option<PathBuf>,
    /// Pass the client's Host header on.
    pub preserve_host: bool,
}

/// Reads a TOML file. File names in it are meant relative to it.
///
/// # Errors
/// Names the file, and the line and key where there are any.
pub fn read(path: &Path) -> Result<raw::Raw, ConfigError> {
    let name = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|e| ConfigError(format!("{name}: cannot be read: {e}")))?;
    let mut raw = parse(&text).map_err(|e| ConfigError(format!("{name}: {e}")))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let relative = |file: &String| folder.join(file).to_string_lossy().into_owned();
    if let Some(tls) = &mut raw.tls {
        (tls.certificate, tls.key) = (relative(&tls.certificate), relative(&tls.key));
    }
    raw.backend.ca = raw.backend.ca.as_ref().map(relative);
    Ok(raw)
}

/// Reads the text of a configuration file.
///
/// # Errors
/// With line, column and, for a mistyped key, the likely one.
pub fn parse(text: &str) -> Result<raw::Raw, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().to_owned();
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let hint = did_you_mean(&message).map(|key| format!("; did you mean `{key}`?")).unwrap_or_default();
        match line {
            Some(line) => ConfigError(format!("line {line}: {message}{hint}")),
            None => ConfigError(format!("{message}{hint}")),
        }
    })
}

/// The known key nearest to the unknown one, from the words of the parser's message
/// (unknown field `lisen`, expected one of `listen`, `workers`).
fn did_you_mean(message: &str) -> Option<&str> {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| message.starts_with("unknown field"))?;
    names
        .map(|name| (distance(unknown, name), name))
        .min()
        .filter(|(d, name)| *d <= 1 + name.len() / 3)
        .map(|(_, n)| n)
}

/// Edit distance (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

impl TryFrom<raw::Raw> for Config {
    type Error = ConfigError;

    fn try_from(raw: raw::Raw) -> Result<Config, ConfigError> {
        let limits = limits(&raw.limits)?;
        let session = session_options(&raw.session, limits.max_message)?;
        let session_default = raw.session.enabled.unwrap_or(true);
        let mut routes =
            raw.route.iter().map(|r| route(r, session_default)).collect::<Result<Vec<_>, _>>()?;
        let upstream = match &raw.upstream {
            Some(url) => Some(upstream("upstream", url)?),
            None if routes.is_empty() => Some(Upstream::Embedded),
            None => None,
        };
        routes.extend(upstream.map(|upstream| Route {
            path: String::new(),
            upstream,
            origins: None,
            sessions: session_default,
        }));
        routes.sort_by_key(|r| std::cmp::Reverse(r.path.len()));
        for pair in routes.windows(2) {
            if pair[0].path == pair[1].path {
                return Err(ConfigError(format!("two routes have the path `{}/`; remove one", pair[0].path)));
            }
        }
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let workers = match raw.workers {
            None => cores,
            Some(n) if n <= 1024 => NonZeroUsize::new(n)
                .ok_or_else(|| ConfigError("`workers` is 0; leave it out for one per core".into()))?,
            Some(n) => return Err(ConfigError(format!("`workers` is {n}; at most 1024"))),
        };
        Ok(Config {
            listen: listen(raw.listen)?,
            workers,
            routes,
            tls: raw.tls.map(|tls| (tls.certificate.into(), tls.key.into())),
            session,
            limits,
            backend: backend(raw.backend)?,
            drain_deadline: span("drain.deadline", raw.drain.deadline, Duration::from_secs(30))?,
            drain_rate: match raw.drain.rate {
                Some(0) => return Err(ConfigError("`drain.rate` is 0; at least 1 client per second".into())),
                rate => rate.unwrap_or(200),
            },
            proxy_trusted: raw.proxy_protocol.map(|p| p.trusted),
        })
    }
}

fn listen(raw: Option<raw::OneOrMany>) -> Result<Vec<SocketAddr>, ConfigError> {
    let names = match raw {
        None => vec!["127.0.0.1:8080".to_owned()],
        Some(raw::OneOrMany::One(name)) => vec![name],
        Some(raw::OneOrMany::Many(names)) => names,
    };
    let mut addresses = Vec::new();
    for name in &names {
        let name = if name.starts_with(':') { format!("[::]{name}") } else { name.clone() };
        let found = name.to_socket_addrs().map_err(|e| {
            ConfigError(format!("`listen`: `{name}` is not HOST:PORT ({e}); write 127.0.0.1:8080"))
        })?;
        addresses.extend(found);
    }
    if addresses.is_empty() {
        return Err(ConfigError("`listen` names no address".into()));
    }
    addresses.dedup();
    Ok(addresses)
}

fn route(raw: &raw::Route, sessions: bool) -> Result<Route, ConfigError> {
    if !raw.path.starts_with('/') || raw.path.contains(['?', '#']) {
        return Err(ConfigError(format!(
            "`route.path`: `{}` is not a path; it begins with / and has no query",
            raw.path
        )));
    }
    Ok(Route {
        path: raw.path.trim_end_matches('/').to_owned(),
        upstream: upstream("route.upstream", &raw.upstream)?,
        origins: raw.origins.clone(),
        sessions: raw.sessions.unwrap_or(sessions),
    })
}

fn upstream(key: &str, text: &str) -> Result<Upstream, ConfigError> {
    let wrong = |why: &str| ConfigError(format!("`{key}`: `{text}` {why}; write ws://HOST:PORT/PATH"));
    let mut url = Url::parse(text).map_err(|e| wrong(&format!("is not a URL ({e})")))?;
    match url.scheme() {
        "ws" | "wss" => {}
        "http" | "https" => {
            let scheme = if url.scheme() == "http" { "ws" } else { "wss" };
            url.set_scheme(scheme).map_err(|()| wrong("has no WebSocket scheme"))?;
        }
        _ => return Err(wrong("has no WebSocket scheme")),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("names no host"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or fragment, which come from the client"));
    }
    Ok(Upstream::Url(url))
}

fn session_options(raw: &raw::Session, max_message: u64) -> Result<SessionOptions, ConfigError> {
    let default = GatewayConfig::default();
    let bounded = |key: &str, value: &Option<raw::Size>, default: usize| -> Result<usize, ConfigError> {
        let bytes = size(key, value.as_ref(), default as u64)?;
        usize::try_from(bytes)
            .ok()
            .filter(|n| (4096..=1 << 40).contains(n))
            .ok_or_else(|| ConfigError(format!("`{key}` is {bytes} bytes; between 4KiB and 1TiB")))
    };
    let name = raw.overflow.as_deref().unwrap_or(default.overflow.name());
    let overflow = Overflow::by_name(name).ok_or_else(|| {
        ConfigError(format!("`session.overflow` is `{name}`; one of pause, end, drop-oldest"))
    })?;
    let max_link_age = span("session.max_link_age", raw.max_link_age.clone(), Duration::ZERO)?;
    let parked_budget = bounded("session.parked_budget", &raw.parked_budget, 256 << 20)?;
    let machine = GatewayConfig {
        heartbeat: span("session.heartbeat", raw.heartbeat.clone(), default.heartbeat)?,
        ttl: span("session.ttl", raw.ttl.clone(), default.ttl)?,
        attached_limit: bounded("session.attached_buffer", &raw.attached_buffer, default.attached_limit)?,
        parked_limit: bounded("session.parked_buffer", &raw.parked_buffer, default.parked_limit)?,
        overflow,
        link_max_age: (!max_link_age.is_zero()).then_some(max_link_age),
        ..default
    };
    Ok(SessionOptions { machine: Arc::new(machine), detached_budget: parked_budget, max_message })
}

fn limits(raw: &raw::Limits) -> Result<Limits, ConfigError> {
    let max_head = size("limits.max_head", raw.max_head.as_ref(), 16 * 1024)?;
    Ok(Limits {
        max_message: match size("limits.max_message", raw.max_message.as_ref(), 64 << 20)? {
            bytes @ 1..=MAX_MESSAGE => bytes,
            bytes => {
                return Err(ConfigError(format!(
                    "`limits.max_message` is {bytes} bytes; between 1 and 2GiB"
                )));
            }
        },
        max_head: usize::try_from(max_head).ok().filter(|n| (1024..=1 << 20).contains(n)).ok_or_else(
            || ConfigError(format!("`limits.max_head` is {max_head} bytes; between 1KiB and 1MiB")),
        )?,
        handshake_timeout: span(
            "limits.handshake_timeout",
            raw.handshake_timeout.clone(),
            Duration::from_secs(10),
        )?,
        max_connections: raw.max_connections.unwrap_or(DEFAULT_CONNECTIONS),
    })
}

fn backend(raw: raw::Backend) -> Result<Backend, ConfigError> {
    Ok(Backend {
        connect_timeout: span("backend.connect_timeout", raw.connect_timeout, Duration::from_secs(5))?,
        handshake_timeout: span("backend.handshake_timeout", raw.handshake_timeout, Duration::from_secs(10))?,
        ca: raw.ca.map(PathBuf::from),
        preserve_host: match raw.host.as_deref() {
            None | Some("preserve") => true,
            Some("upstream") => false,
            Some(other) => {
                return Err(ConfigError(format!("`backend.host` is `{other}`; one of preserve, upstream")));
            }
        },
    })
}

fn span(key: &str, raw: Option<raw::Span>, default: Duration) -> Result<Duration, ConfigError> {
    let seconds =
        |value: f64| units::seconds(value).ok_or_else(|| format!("{value} s is not between 0 and 10 years"));
    match raw {
        None => Ok(default),
        Some(raw::Span::Whole(value)) => seconds(value as f64),
        Some(raw::Span::Fraction(value)) => seconds(value),
        Some(raw::Span::Text(text)) => units::duration(&text),
    }
    .map_err(|why| ConfigError(format!("`{key}`: {why}")))
}

fn size(key: &str, raw: Option<&raw::Size>, default: u64) -> Result<u64, ConfigError> {
    match raw {
        None => Ok(default),
        Some(raw::Size::Bytes(bytes)) => Ok(*bytes),
        Some(raw::Size::Text(text)) => {
            units::size(text).map_err(|why| ConfigError(format!("`{key}`: {why}")))
        }
    }
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
        assert!(error.contains("line 3") && error.contains("did you mean `heartbeat`"), "{error}");
    }

    #[test]
    fn wrong_values_name_their_key() {
        for (text, expected) in [
            ("upstream = \"ftp://x\"", "`upstream`"),
            ("upstream = \"ws://x/?a=b\"", "query"),
            ("workers = 0", "`workers`"),
            ("[limits]\nmax_message = \"3GiB\"", "`limits.max_message`"),
            ("[session]\nttl = \"soon\"", "`session.ttl`"),
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
