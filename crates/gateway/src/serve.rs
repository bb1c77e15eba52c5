//! Starting, running and stopping a gateway: one thread per worker, each with its own runtime and accept queue.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{EnterGuard, Handle, Runtime};
use tokio::sync::watch;
use tokio::time::Instant;
use undrop_server::{LINGER, Sessions};
use undrop_session::SessionId;
use undrop_store::SessionStore;
use undrop_transport::tls::{self, ClientTls, ServerTls, TlsError, Trust};
use undrop_transport::{DialOptions, ListenOptions, Listener, Net, Peer, Stream, WsUrl};

use crate::accept::handle;
use crate::config::{Config, Upstream};
use crate::embedded;
use crate::process::{GatewayState, Handshakes, Relays};

/// The number of connections above the limit that still get a response instead of being dropped.
const REFUSALS: usize = 128;

/// The reason why a gateway did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The gateway cannot listen on an address.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The certificate, its key or the trusted authorities cannot be used.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The name of this process cannot be part of session ids.
    #[error("node name `{0}` is invalid; use 1 to 64 letters, digits, `-` and `_`")]
    Node(String),
    /// A network in the configuration is invalid.
    #[error("`proxy_protocol.trusted`: {0}")]
    Net(#[from] undrop_transport::NetError),
    /// The embedded backend cannot listen on a loopback port.
    #[error("cannot start the embedded backend: {0}")]
    Embedded(#[source] io::Error),
    /// The file with the trusted authorities cannot be read.
    #[error("`backend.ca`: cannot read {0}: {1}")]
    Authorities(std::path::PathBuf, #[source] io::Error),
    /// A thread or a runtime cannot be created.
    #[error("cannot start a worker: {0}")]
    Worker(#[source] io::Error),
}

/// The result of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// The number of sessions and plain connections at the start.
    pub before: usize,
    /// The number of those that remained at the deadline and were closed.
    pub closed: usize,
}

/// A running gateway. Dropping it stops it immediately.
pub struct Gateway {
    addresses: Vec<SocketAddr>,
    process: Arc<GatewayState>,
    stage: watch::Sender<ServiceStage>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServiceStage {
    Serving,
    /// No connections are accepted; open ones continue.
    Draining,
    /// The workers stop once closing connections have sent their last bytes.
    Stopped,
    /// The workers stop immediately.
    Aborted,
}

impl Gateway {
    /// Starts the workers. Connections are accepted when it returns.
    ///
    /// # Errors
    /// The node name is invalid, an address is in use, a certificate is unreadable, or a thread cannot be created.
    pub fn start(config: Config, store: Arc<dyn SessionStore>, node: &str) -> Result<Gateway, StartError> {
        if SessionId::new(node, [0; 16]).is_err() {
            return Err(StartError::Node(node.to_owned()));
        }
        let (stage, _) = watch::channel(ServiceStage::Serving);
        let tls: Option<ServerTls> =
            config.tls.as_ref().map(|(certificate, key)| tls::server_config(certificate, key)).transpose()?;
        let trusted: Vec<Net> =
            config.proxy_trusted.iter().flatten().map(|net| net.parse()).collect::<Result<_, _>>()?;
        let mut runtimes = (0..config.workers.get())
            .map(|_| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map(WorkerRuntime::new).map_err(StartError::Worker)
            })
            .collect::<Result<Vec<_>, _>>()?
            .into_iter();
        let first = runtimes.next();
        let inside = first.as_ref().and_then(WorkerRuntime::enter);
        let mut embedded = if config.routes.iter().any(|route| route.upstream == Upstream::Embedded) {
            Some(embedded::Embedded::bind().map_err(StartError::Embedded)?)
        } else {
            None
        };
        drop(inside);
        let process = Arc::new(GatewayState {
            sessions: Sessions::new(config.session.clone(), store, node),
            tls,
            dial: dial_options(&config)?,
            embedded: embedded.as_ref().map(embedded::Embedded::url),
            relays: Arc::new(Relays::default()),
            handshakes: Handshakes::default(),
            config,
        });
        let mut gateway = Gateway { addresses: Vec::new(), process, stage, workers: Vec::new() };
        let options = ListenOptions { reuse_port: true, proxy_protocol: trusted, ..ListenOptions::default() };
        for (index, runtime) in first.into_iter().chain(runtimes).enumerate() {
            // The first worker determines the port where 0 is configured; the others share it.
            let wanted =
                if index == 0 { gateway.process.config.listen.clone() } else { gateway.addresses.clone() };
            gateway.addresses = gateway.worker((index, runtime), wanted, options.clone(), embedded.take())?;
        }
        Ok(gateway)
    }

    /// Returns the listening addresses, with the actual ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the number of open sessions.
    pub fn sessions(&self) -> usize {
        self.process.sessions.live()
    }

    /// Returns the URL of the embedded backend, if there is one.
    pub fn embedded(&self) -> Option<&WsUrl> {
        self.process.embedded.as_ref()
    }

    /// Reloads the certificate files, for new connections.
    ///
    /// # Errors
    /// A file cannot be read or used. The previous certificate remains in use.
    pub fn reload_tls(&self) -> Result<(), TlsError> {
        self.process.tls.as_ref().map_or(Ok(()), ServerTls::reload)
    }

    /// Stops accepting, asks every client to reconnect elsewhere, waits until they have left (at most the configured
    /// deadline), and stops the workers.
    pub async fn drain(mut self) -> Drained {
        self.stage.send_replace(ServiceStage::Draining);
        let rate = self.process.config.drain_rate;
        let deadline = self.process.config.drain_deadline;
        let before = self.process.sessions.live() + self.process.relays.len();
        let (sessions, relays) = tokio::join!(
            self.process.sessions.drain(rate, deadline),
            self.process.relays.drain(rate, deadline)
        );
        self.finish(ServiceStage::Stopped);
        Drained { before, closed: sessions + relays }
    }

    fn finish(&mut self, how: ServiceStage) {
        self.stage.send_replace(how);
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a worker panicked");
            }
        }
    }

    /// Starts one worker. It listens when this returns.
    fn worker(
        &mut self,
        (index, mut worker): (usize, WorkerRuntime),
        addresses: Vec<SocketAddr>,
        options: ListenOptions,
        embedded: Option<embedded::Embedded>,
    ) -> Result<Vec<SocketAddr>, StartError> {
        let listeners = {
            let _inside = worker.enter();
            let bind = |address: &SocketAddr| {
                Listener::bind(*address, options.clone()).map_err(|error| StartError::Listen(*address, error))
            };
            addresses.iter().map(bind).collect::<Result<Vec<_>, _>>()?
        };
        let bound = listeners
            .iter()
            .zip(&addresses)
            .map(|(listener, address)| {
                listener.local_addr().map_err(|error| StartError::Listen(*address, error))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let (process, stage) = (self.process.clone(), self.stage.subscribe());
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                if let Some(runtime) = worker.0.take() {
                    runtime.block_on(run(process, listeners, stage, embedded));
                }
            })
            .map_err(StartError::Worker)?;
        self.workers.push(thread);
        Ok(bound)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.finish(ServiceStage::Aborted);
    }
}

/// A runtime that can be dropped inside another runtime, as happens when starting a gateway fails halfway.
struct WorkerRuntime(Option<Runtime>);

impl WorkerRuntime {
    fn new(runtime: Runtime) -> WorkerRuntime {
        WorkerRuntime(Some(runtime))
    }

    fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.as_ref().map(Runtime::enter)
    }
}

impl Drop for WorkerRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs one worker until it is stopped.
async fn run(
    process: Arc<GatewayState>,
    listeners: Vec<Listener>,
    mut stage: watch::Receiver<ServiceStage>,
    embedded: Option<embedded::Embedded>,
) {
    let embedded = embedded.map(|embedded| tokio::spawn(embedded.serve()));
    for listener in listeners {
        tokio::spawn(accept(process.clone(), Arc::new(listener), stage.clone()));
    }
    let aborted =
        stage.wait_for(|stage| matches!(stage, ServiceStage::Stopped | ServiceStage::Aborted)).await;
    let aborted = aborted.is_ok_and(|stage| *stage == ServiceStage::Aborted);
    if let Some(embedded) = embedded {
        embedded.abort();
    }
    let end = if aborted { Instant::now() } else { Instant::now() + LINGER };
    while Handle::current().metrics().num_alive_tasks() > 0 && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn accept(
    process: Arc<GatewayState>,
    listener: Arc<Listener>,
    mut stage: watch::Receiver<ServiceStage>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stage.wait_for(|stage| *stage != ServiceStage::Serving) => return,
        };
        match accepted {
            Ok((stream, peer)) => admit(&process, &listener, stream, peer),
            Err(error) => {
                tracing::error!(%error, "the listening socket failed");
                return;
            }
        }
    }
}

/// Counts the connection and starts the task of its handshake.
fn admit(process: &Arc<GatewayState>, listener: &Arc<Listener>, mut stream: TcpStream, mut peer: Peer) {
    let limit = process.config.limits.max_connections;
    let (permit, handshakes) = process.handshakes.enter();
    let count = handshakes + process.relays.len() + process.sessions.live();
    let crowded = count >= limit;
    if count >= limit + REFUSALS {
        tracing::warn!(peer = %peer.addr, limit, "connection dropped: the number of connections is far above the limit");
        return;
    }
    let (process, listener) = (process.clone(), listener.clone());
    tokio::spawn(async move {
        let _permit = permit;
        match listener.proxy_header(&mut stream, &mut peer).await {
            Ok(()) => handle(process, Stream::from(stream), peer, crowded).await,
            Err(error) => tracing::info!(peer = %peer.addr, %error, "invalid or missing PROXY header"),
        }
    });
}

fn dial_options(config: &Config) -> Result<DialOptions, StartError> {
    let trust = match &config.backend.ca {
        Some(file) => {
            Trust::Only(std::fs::read(file).map_err(|error| StartError::Authorities(file.clone(), error))?)
        }
        None => Trust::Native,
    };
    let secure = config.routes.iter().any(|r| matches!(&r.upstream, Upstream::Url(url) if url.is_secure()));
    let mut options =
        DialOptions { connect_timeout: config.backend.connect_timeout, ..DialOptions::default() };
    if secure {
        options.tls = Some(ClientTls::new(&trust)?);
    }
    Ok(options)
}
