//! The options of a client.

use std::io;
use std::sync::Arc;

use undrop_frame::deflate;
use undrop_frame::handshake::Headers;
use undrop_session::{Backoff, Client as Machine, ClientConfig, PlainHeartbeat, SessionMode};
use undrop_transport::{DialOptions, Stream, UrlError, WebSocketConfig, WsUrl};

use crate::attempt::{Connector, Target};
use crate::driver::Driver;
use crate::handle::{Client, ConnectError};
use crate::shared::{Shared, now};

/// Options, then [`connect`](Self::connect) or [`start`](Self::start).
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    url: WsUrl,
    protocols: Vec<String>,
    headers: Headers,
    config: ClientConfig,
    dial: DialOptions,
    socket: WebSocketConfig,
    deflate: Option<deflate::Config>,
    connector: Option<Connector>,
}

/// An option that cannot work: one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Not a WebSocket URL.
    #[error("`{0}` is not a WebSocket URL: {1}")]
    Url(String, #[source] UrlError),
    /// No random numbers for the session's first id.
    #[error("the operating system gave no random bytes: {0}")]
    Random(String),
}

impl ClientBuilder {
    /// Default options for a `ws://` or `wss://` URL (`http` and `https` are taken for them).
    ///
    /// # Errors
    /// The URL cannot be used; a fragment is not allowed (RFC 6455 §3).
    pub fn new(url: &str) -> Result<ClientBuilder, BuildError> {
        let parsed = url.parse().map_err(|error| BuildError::Url(url.to_owned(), error))?;
        Ok(ClientBuilder {
            url: parsed,
            protocols: Vec::new(),
            headers: Headers::new(),
            config: ClientConfig::default(),
            dial: DialOptions::default(),
            socket: WebSocketConfig::default(),
            deflate: None,
            connector: None,
        })
    }

    /// Offers an application sub-protocol; the first has preference.
    pub fn protocol(mut self, protocol: &str) -> Self {
        self.protocols.push(protocol.to_owned());
        self
    }

    /// Adds a request header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Whether to ask for a session. Default: prefer.
    pub fn session(mut self, mode: SessionMode) -> Self {
        self.config.session = mode;
        self
    }

    /// Delay between attempts. Default: full jitter.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.config.backoff = backoff;
        self
    }

    /// Heartbeat in plain mode. Default: a WebSocket Ping each 30 s, answered within 10 s.
    pub fn plain_heartbeat(mut self, heartbeat: Option<PlainHeartbeat>) -> Self {
        self.config.plain_heartbeat = heartbeat;
        self
    }

    /// All settings of the session machine at once.
    pub fn config(mut self, config: ClientConfig) -> Self {
        self.config = config;
        self
    }

    /// How to connect: TLS, proxies, timeouts.
    pub fn dial(mut self, dial: DialOptions) -> Self {
        self.dial = dial;
        self
    }

    /// Largest frame and message accepted.
    pub fn limits(mut self, limits: undrop_frame::Limits) -> Self {
        self.socket.limits = limits;
        self
    }

    /// Offers permessage-deflate. Default: no.
    pub fn compress(mut self, config: deflate::Config) -> Self {
        self.deflate = Some(config);
        self
    }

    /// Opens the byte stream of every attempt by `open`, in place of TCP, TLS and forward proxies: for streams within the
    /// process, and for tests. The URL still names the resource.
    ///
    /// ```no_run
    /// # use undrop_client::{Client, Stream};
    /// # async fn run(open: impl Fn() -> tokio::io::DuplexStream + Send + Sync + 'static) -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = Client::builder("ws://inside/echo")?;
    /// let client = builder.connector(move || std::future::ready(Ok(Stream::Memory(open())))).connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn connector<F, O>(mut self, open: F) -> Self
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<Stream>> + Send + 'static,
    {
        self.connector = Some(Connector(Arc::new(move || Box::pin(open()))));
        self
    }

    /// Connects and waits for the first link.
    ///
    /// # Errors
    /// No random bytes; a refusal for good.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let client = self.start()?;
        client.opened().await.map_err(ConnectError::Closed)?;
        Ok(client)
    }

    /// Starts to connect in the background; messages can be queued at once. Needs a tokio runtime.
    ///
    /// # Errors
    /// No random bytes.
    pub fn start(self) -> Result<Client, BuildError> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| BuildError::Random(error.to_string()))?;
        let cid: String = random[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let mut seed = [0; 8];
        seed.copy_from_slice(&random[16..]);
        let machine = Machine::new(now(), self.config, cid, u64::from_le_bytes(seed));
        let shared = Arc::new(Shared::new(machine));
        let target = Target {
            url: self.url,
            protocols: self.protocols,
            headers: self.headers,
            dial: self.dial,
            socket: self.socket,
            deflate: self.deflate,
            connector: self.connector,
        };
        tokio::spawn(Driver::new(shared.clone(), Arc::new(target)));
        Ok(Client::new(shared))
    }
}
