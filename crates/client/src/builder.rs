//! The options of a client.

use std::io;
use std::sync::Arc;

use undrop_frame::deflate;
use undrop_frame::handshake::Headers;
use undrop_session::{Backoff, Client as Machine, ClientConfig, PlainHeartbeat, SessionMode};
use undrop_transport::{DialOptions, Stream, WebSocketConfig, WsUrl};

use crate::attempt::{ConnectTarget, Connector};
use crate::driver::ClientDriver;
use crate::error::{BuildError, ConnectError};
use crate::handle::Client;
use crate::shared::{SharedClient, now};

/// The options of a [`Client`]; [`connect`](Self::connect) or [`start`](Self::start) then creates it.
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

impl Client {
    /// Connects with default options and waits for the first connection.
    ///
    /// An unreachable server is tried again without end; set a deadline around this call where that is not wanted.
    ///
    /// # Errors
    /// The URL cannot be used, or the server refused permanently.
    pub async fn connect(url: &str) -> Result<Client, ConnectError> {
        ClientBuilder::new(url)?.connect().await
    }

    /// Returns the options of a client for this URL.
    ///
    /// # Errors
    /// The URL cannot be used.
    pub fn builder(url: &str) -> Result<ClientBuilder, BuildError> {
        ClientBuilder::new(url)
    }
}

impl ClientBuilder {
    /// Returns the default options for a `ws://` or `wss://` URL. `http` and `https` are accepted as synonyms.
    ///
    /// # Errors
    /// The URL cannot be used; for example, a fragment is not allowed (RFC 6455 §3).
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

    /// Offers a subprotocol of the application. The one that was added first is preferred.
    pub fn protocol(mut self, protocol: &str) -> Self {
        self.protocols.push(protocol.to_owned());
        self
    }

    /// Adds a header field to the request, such as `Authorization` or `Cookie`.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Selects whether to ask for a session. Default: [`SessionMode::Prefer`].
    pub fn session(mut self, mode: SessionMode) -> Self {
        self.config.session = mode;
        self
    }

    /// Sets the delay between attempts. Default: [`Backoff::full_jitter`].
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.config.backoff = backoff;
        self
    }

    /// Sets the heartbeat in plain mode. Default: a WebSocket Ping every 30 s, which must be answered within 10 s.
    pub fn plain_heartbeat(mut self, heartbeat: Option<PlainHeartbeat>) -> Self {
        self.config.plain_heartbeat = heartbeat;
        self
    }

    /// Sets all options of the session machine at once, including those of the methods above.
    pub fn config(mut self, config: ClientConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets the options for TLS, forward proxies, source address and time limits.
    pub fn dial(mut self, dial: DialOptions) -> Self {
        self.dial = dial;
        self
    }

    /// Sets the maximum size of received frames and messages. Default: 64 MiB each.
    pub fn limits(mut self, limits: undrop_frame::Limits) -> Self {
        self.socket.limits = limits;
        self
    }

    /// Offers permessage-deflate. Default: not offered.
    pub fn compress(mut self, config: deflate::Config) -> Self {
        self.deflate = Some(config);
        self
    }

    /// Opens the byte stream of every attempt with `open`, in place of TCP, TLS and forward proxies: for streams within
    /// the process, and for tests. The URL still provides the Host header and the path.
    ///
    /// The future may use the handles of this client. An error may wrap an [`Ending`](crate::Ending) or an error of
    /// `undrop-transport` (`io::Error::other(error)`), which then appears in [`Event::Failed`](crate::Event::Failed).
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

    /// Connects and waits for the first connection.
    ///
    /// # Errors
    /// The operating system provided no random bytes, the server refused permanently, or the backoff policy gave up.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let client = self.start()?;
        client.opened().await.map_err(ConnectError::Closed)?;
        Ok(client)
    }

    /// Starts to connect in the background. Messages can be queued at once. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// The operating system provided no random bytes.
    pub fn start(self) -> Result<Client, BuildError> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| BuildError::Random(error.to_string()))?;
        let cid: String = random[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let mut seed = [0; 8];
        seed.copy_from_slice(&random[16..]);
        let machine = Machine::new(now(), self.config, cid, u64::from_le_bytes(seed));
        let shared = Arc::new(SharedClient::new(machine));
        let target = ConnectTarget {
            url: self.url,
            protocols: self.protocols,
            headers: self.headers,
            dial: self.dial,
            socket: self.socket,
            deflate: self.deflate,
            connector: self.connector,
        };
        tokio::spawn(ClientDriver::new(shared.clone(), Arc::new(target)));
        Ok(Client::new(shared))
    }
}
