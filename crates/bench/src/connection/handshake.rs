//! Opening one connection, phase by phase, with the time that each took.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::timeout;
use undrop_frame::Limits;
use undrop_frame::deflate;
use undrop_frame::handshake::Headers;
use undrop_transport::tls::{self, ClientTls};
use undrop_transport::{
    ConnectRequest, ConnectStage, ConnectTimings, DialOptions, Ending, OfferedExtensions, Proxy, ProxyChoice,
    Resolve, UrlError, WebSocket, WebSocketConfig, WsUrl, connect,
};

use crate::plan::{Target, Trust};
use crate::report::shown_url;

/// A plan that cannot be carried out: found before the first connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The URL cannot be used.
    #[error("`{0}` is not a WebSocket URL: {1}")]
    Url(String, #[source] UrlError),
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
    pub(crate) url: WsUrl,
    pub(crate) target: Target,
    pub(crate) headers: Headers,
    pub(crate) options: DialOptions,
    deflate: Option<deflate::Config>,
    socket: WebSocketConfig,
}

/// Why there is no connection.
#[derive(Debug, Clone)]
pub(crate) struct OpenError {
    pub(crate) stage: ConnectStage,
    pub(crate) ending: Ending,
    pub(crate) why: String,
}

/// What one connection asks for besides what all do; a scenario may want other headers per connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) url: &'a WsUrl,
    pub(crate) headers: &'a Headers,
    pub(crate) protocols: &'a [String],
}

impl Opener {
    /// Judges the target, looks its name up, and loads certificates.
    pub(crate) async fn new(target: &Target) -> Result<Opener, SetupError> {
        let url = parse(&target.url)?;
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
        options.tls = if url.is_secure() {
            let trust = match &target.trust {
                Trust::Native => tls::Trust::Native,
                Trust::NativeAnd(pem) => tls::Trust::NativeAnd(pem.clone()),
                Trust::Insecure => tls::Trust::Insecure,
            };
            Some(ClientTls::new(&trust).map_err(|error| SetupError::Tls(error.to_string()))?)
        } else {
            None
        };
        let (host, port) = (url.host().to_owned(), url.port());
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
        Ok(Opener { url, target: target.clone(), headers, options, deflate, socket })
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
    pub(crate) async fn open(
        &self,
        number: u32,
        ask: Ask<'_>,
    ) -> Result<(WebSocket, ConnectTimings), OpenError> {
        // Boxed: all of it is over when the connection begins its long life.
        Box::pin(self.run(number, ask)).await
    }

    async fn run(&self, number: u32, ask: Ask<'_>) -> Result<(WebSocket, ConnectTimings), OpenError> {
        let request = ConnectRequest {
            protocols: ask.protocols,
            extensions: self.deflate.as_ref().map_or(OfferedExtensions::None, OfferedExtensions::Deflate),
            upgrade_timeout: self.target.timeout,
            ..ConnectRequest::new(ask.url, ask.headers)
        };
        let connected = connect(&request, &self.dial_options(number)).await.map_err(|error| OpenError {
            stage: error.stage(),
            ending: error.ending(),
            why: error.explain(),
        })?;
        let timings = connected.timings;
        Ok((connected.into_websocket(&self.socket), timings))
    }
}

/// Parses a WebSocket URL. The error shows it without its secrets.
pub(crate) fn parse(text: &str) -> Result<WsUrl, SetupError> {
    text.parse().map_err(|error| SetupError::Url(shown_url(text), error))
}

/// Waits no longer than `limit` for a future.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    timeout(limit, future).await.ok()
}
