//! Opening a connection, with the duration of each phase.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::timeout;
use undrop_frame::Limits;
use undrop_frame::deflate;
use undrop_frame::handshake::Headers;
use undrop_scenario::ScenarioError;
use undrop_transport::tls::{self, ClientTls};
use undrop_transport::{
    ConnectRequest, ConnectStage, ConnectTimings, DialOptions, Ending, OfferedExtensions, Proxy, ProxyChoice,
    Resolve, UrlError, WebSocket, WebSocketConfig, WsUrl, connect,
};

use crate::engine::message::WorkerFailure;
use crate::plan::{Target, Trust};
use crate::report::shown_url;

/// The reason why a plan cannot be carried out, found before the first connection is opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The URL is not a valid WebSocket URL.
    #[error("`{0}` is not a WebSocket URL: {1}")]
    Url(String, #[source] UrlError),
    /// The URL of the forward proxy is invalid.
    #[error("invalid proxy: {0}")]
    Proxy(String),
    /// The host name of the target cannot be resolved.
    #[error("cannot resolve {0}: {1}")]
    Resolve(String, std::io::Error),
    /// TLS cannot be configured.
    #[error("TLS: {0}")]
    Tls(String),
    /// The scenario file is invalid.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A worker process failed before all connections were attempted.
    #[error("worker {0}: {1}")]
    Worker(u32, WorkerFailure),
    /// The only worker, which is part of this process, failed.
    #[error("{0}")]
    OnlyWorker(WorkerFailure),
    /// The operating system did not provide a timer.
    #[error("no timer: {0}")]
    Timer(std::io::Error),
}

/// The target that all connections have in common.
#[derive(Debug)]
pub(crate) struct Opener {
    pub(crate) url: WsUrl,
    pub(crate) target: Target,
    pub(crate) headers: Headers,
    pub(crate) options: DialOptions,
    deflate: Option<deflate::Config>,
    socket: WebSocketConfig,
}

/// The reason why a connection could not be opened.
#[derive(Debug, Clone)]
pub(crate) struct OpenError {
    pub(crate) stage: ConnectStage,
    pub(crate) ending: Ending,
    /// An explanation for people.
    pub(crate) why: String,
}

/// The request of one connection; the users of a scenario may have additional headers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UpgradeRequest<'a> {
    pub(crate) url: &'a WsUrl,
    pub(crate) headers: &'a Headers,
    pub(crate) protocols: &'a [String],
}

impl Opener {
    /// Validates the target, resolves its name, and loads certificates.
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
            // Resolved once per run, since the resolver is not under test.
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

    /// Returns the options for connection `number`.
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

    /// Returns the request that every connection sends, except those of scenarios.
    pub(crate) fn request(&self) -> UpgradeRequest<'_> {
        UpgradeRequest { url: &self.url, headers: &self.headers, protocols: &self.target.protocols }
    }

    /// Opens a plain WebSocket connection.
    pub(crate) async fn open(
        &self,
        number: u32,
        upgrade: UpgradeRequest<'_>,
    ) -> Result<(WebSocket, ConnectTimings), OpenError> {
        // Boxed, so that its state is freed before the long life of the connection starts.
        Box::pin(self.open_phases(number, upgrade)).await
    }

    async fn open_phases(
        &self,
        number: u32,
        upgrade: UpgradeRequest<'_>,
    ) -> Result<(WebSocket, ConnectTimings), OpenError> {
        let request = ConnectRequest {
            protocols: upgrade.protocols,
            extensions: self.deflate.as_ref().map_or(OfferedExtensions::None, OfferedExtensions::Deflate),
            upgrade_timeout: self.target.timeout,
            ..ConnectRequest::new(upgrade.url, upgrade.headers)
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

/// Returns the output of a future, or `None` if it takes longer than `limit`.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    timeout(limit, future).await.ok()
}
