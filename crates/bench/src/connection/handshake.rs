//! Opening one connection, phase by phase, with the time that each took.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use undrop_frame::deflate;
use undrop_frame::handshake::{Headers, request};
use undrop_frame::{Limits, Role};
use undrop_transport::tls::{self, ClientTls};
use undrop_transport::{
    DialError, DialOptions, Ending, Offer, Proxy, ProxyChoice, Resolve, Upgraded, WebSocket, WebSocketConfig,
    dial, ending_of, host_header, random_key, upgrade,
};
use url::{Position, Url};

use crate::plan::{Target, Trust};
use crate::report::shown_url;

/// A plan that cannot be carried out: found before the first connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The URL cannot be used.
    #[error("`{0}` is not a WebSocket URL: {1}")]
    Url(String, String),
    /// The forward proxy cannot be used.
    #[error("the proxy: {0}")]
    Proxy(String),
    /// The name of the target could not be looked up.
    #[error("looking up {0}: {1}")]
    Resolve(String, std::io::Error),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(String),
    /// The scenario is not usable.
    #[error("{0}")]
    Scenario(String),
    /// A worker process did not do its part.
    #[error("worker {0}: {1}")]
    Worker(u32, String),
    /// This machine did not give what is needed.
    #[error("{0}")]
    Local(String),
}

/// Everything about a target that is the same for each of its connections.
#[derive(Debug)]
pub(crate) struct Opener {
    pub(crate) url: Url,
    /// The same host without TLS: for the TCP phase alone.
    tcp_url: Url,
    pub(crate) target: Target,
    tls: Option<ClientTls>,
    pub(crate) headers: Headers,
    pub(crate) options: DialOptions,
    deflate: Option<deflate::Config>,
    socket: WebSocketConfig,
}

/// How long the phases of a handshake took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Phases {
    pub(crate) connect: Duration,
    pub(crate) tls: Option<Duration>,
    pub(crate) upgrade: Duration,
}

/// Why there is no connection.
#[derive(Debug, Clone)]
pub(crate) struct OpenError {
    /// connect, tls, handshake or session.
    pub(crate) stage: &'static str,
    pub(crate) ending: Ending,
    pub(crate) why: String,
}

/// What one connection asks for besides what all do; a scenario may want other headers per connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) url: &'a Url,
    pub(crate) headers: &'a Headers,
    pub(crate) protocols: &'a [String],
}

impl Opener {
    /// Judges the target, looks its name up, and loads certificates.
    pub(crate) async fn new(target: &Target) -> Result<Opener, SetupError> {
        let url = parse(&target.url)?;
        let secure = matches!(url.scheme(), "wss" | "https");
        let tcp_url = without_tls(&url);
        let mut options = DialOptions {
            connect_timeout: target.timeout,
            handshake_timeout: target.timeout,
            server_name: target.server_name.clone(),
            ..DialOptions::default()
        };
        if let Some(proxy) = &target.proxy {
            let proxy: Proxy = proxy.parse().map_err(|error| SetupError::Proxy(format!("{error}")))?;
            options.proxy = ProxyChoice::Fixed(proxy);
        }
        let tls = if secure {
            let trust = match &target.trust {
                Trust::Native => tls::Trust::Native,
                Trust::NativeAnd(pem) => tls::Trust::NativeAnd(pem.clone()),
                Trust::Insecure => tls::Trust::Insecure,
            };
            Some(ClientTls::new(&trust).map_err(|error| SetupError::Tls(error.to_string()))?)
        } else {
            None
        };
        options.tls = tls.clone();
        let port = url.port_or_known_default().unwrap_or(80);
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let mut addresses: Vec<IpAddr> = target.addresses.iter().map(|address| address.ip()).collect();
        if addresses.is_empty() && target.proxy.is_none() && host.parse::<IpAddr>().is_err() {
            // Once for the run: a resolver is not what is to be tested.
            let found = tokio::net::lookup_host((host.as_str(), port)).await;
            let found = found.map_err(|error| SetupError::Resolve(host.clone(), error))?;
            addresses = found.map(|address| address.ip()).collect();
        }
        if !addresses.is_empty() {
            options.resolve = vec![Resolve { host, port: None, addresses }];
        }
        let mut headers = Headers::new();
        for (name, value) in &target.headers {
            headers.append(name, value.as_bytes());
        }
        let socket = WebSocketConfig {
            limits: Limits { frame: target.max_message, message: target.max_message },
            close_timeout: Duration::from_secs(10),
            ..WebSocketConfig::default()
        };
        let deflate = target.compress.then(deflate::Config::default);
        Ok(Opener { url, tcp_url, target: target.clone(), tls, headers, options, deflate, socket })
    }

    /// The options for the connection of this number.
    pub(crate) fn dial_options(&self, number: u32) -> DialOptions {
        let mut options = self.options.clone();
        let sources = &self.target.source;
        if !sources.is_empty() {
            options.source_addr = Some(sources[number as usize % sources.len()]);
        }
        options
    }

    pub(crate) fn deflate(&self) -> Option<&deflate::Config> {
        self.deflate.as_ref()
    }

    pub(crate) fn limits(&self) -> Limits {
        self.socket.limits
    }

    /// What every connection asks for.
    pub(crate) fn ask(&self) -> Ask<'_> {
        Ask { url: &self.url, headers: &self.headers, protocols: &self.target.protocols }
    }

    /// Opens a plain WebSocket.
    pub(crate) async fn open(&self, number: u32, ask: Ask<'_>) -> Result<(WebSocket, Phases), OpenError> {
        // Boxed: all of it is over when the connection begins its long life.
        Box::pin(self.run(number, ask)).await
    }

    async fn run(&self, number: u32, ask: Ask<'_>) -> Result<(WebSocket, Phases), OpenError> {
        let mut phases = Phases::default();
        let started = Instant::now();
        let secure = matches!(ask.url.scheme(), "wss" | "https");
        let other;
        let tcp_url = if *ask.url == self.url {
            &self.tcp_url
        } else {
            other = without_tls(ask.url);
            &other
        };
        let stream = dial(tcp_url, &self.dial_options(number)).await;
        let mut stream = stream.map_err(|error| dial_failed("connect", &error))?;
        phases.connect = started.elapsed();
        if secure {
            let started = Instant::now();
            let tls = self.tls.clone().map_or_else(ClientTls::native, Ok);
            let tls = tls.map_err(|error| dial_failed("tls", &DialError::Tls(error)))?;
            let name = self.target.server_name.as_deref().or(ask.url.host_str()).unwrap_or_default();
            let deadline = Instant::now() + self.target.timeout;
            let secured = tls::connect(stream, &tls, name, deadline).await;
            stream = secured.map_err(|error| dial_failed("tls", &DialError::Tls(error)))?;
            phases.tls = Some(started.elapsed());
        }
        let started = Instant::now();
        let key = random_key().map_err(|error| local(&error))?;
        let extensions = self.deflate.as_ref().map(deflate::Config::offer);
        let path = &ask.url[Position::BeforePath..Position::AfterQuery];
        let host = host_header(ask.url);
        let bytes = request(&host, path, &key, ask.protocols, extensions.as_deref(), ask.headers);
        let offer = Offer::new(&key, ask.protocols, extensions.is_some());
        let upgraded = upgrade(stream, &bytes, &offer, Instant::now() + self.target.timeout).await;
        let Upgraded { stream, accepted, leftover, .. } = upgraded.map_err(|error| OpenError {
            stage: "handshake",
            ending: error.ending(),
            why: error.explain(),
        })?;
        phases.upgrade = started.elapsed();
        let mut config = self.socket.clone();
        if let Some(ours) = &self.deflate {
            let agreed = ours.accept(accepted.extensions.as_deref()).map_err(|error| OpenError {
                stage: "handshake",
                why: error.to_string(),
                ending: error.into(),
            })?;
            config.deflate = agreed.map(|params| (params, ours.clone()));
        }
        Ok((WebSocket::new(stream, Role::Client, leftover, &config), phases))
    }
}

/// Judges a WebSocket URL.
pub(crate) fn parse(text: &str) -> Result<Url, SetupError> {
    let wrong = |why: &str| SetupError::Url(shown_url(text), why.to_owned());
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "ws" | "wss" | "http" | "https") {
        return Err(wrong(&format!("the scheme is `{}`, not ws or wss", url.scheme())));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("it names no host"));
    }
    if url.fragment().is_some() {
        return Err(wrong("it has a fragment, which never reaches the server"));
    }
    Ok(url)
}

fn without_tls(url: &Url) -> Url {
    let mut plain = url.clone();
    let port = url.port_or_known_default();
    // Both schemes are known to have hosts and ports, so neither call can fail.
    let _ = plain.set_scheme("ws");
    let _ = plain.set_port(port);
    plain
}

fn dial_failed(stage: &'static str, error: &DialError) -> OpenError {
    OpenError { stage, ending: error.ending(), why: error.to_string() }
}

fn local(error: &std::io::Error) -> OpenError {
    OpenError { stage: "connect", ending: ending_of(error), why: format!("no random bytes: {error}") }
}

/// Waits no longer than `limit` for a future.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    timeout(limit, future).await.ok()
}
