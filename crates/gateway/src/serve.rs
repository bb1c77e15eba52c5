//! Starting, running and stopping a gateway: one thread per worker, each with a runtime and an accept queue of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
use crate::process::{Process, Relays};

/// Connections above the limit that are still told so instead of being cut.
const COURTESY: usize = 128;

/// Why a gateway did not start: one sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// Certificate, key or authority files.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The name of this process cannot stand in session ids.
    #[error("node name `{0}`: use 1 to 64 letters, digits, - and _")]
    Node(String),
    /// A network in the configuration is none.
    #[error("`proxy_protocol.trusted`: {0}")]
    Net(#[from] undrop_transport::NetError),
    /// The embedded backend found no loopback port.
    #[error("cannot start the embedded backend: {0}")]
    Embedded(#[source] io::Error),
    /// The file with the authorities to trust.
    #[error("`backend.ca`: {0}: {1}")]
    Authorities(std::path::PathBuf, #[source] io::Error),
    /// A thread or runtime cannot be had.
    #[error("cannot start a worker: {0}")]
    Worker(#[source] io::Error),
}

/// What a drain achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Sessions and plain connections there were when it began.
    pub before: usize,
    /// Those that had not moved at the deadline and were closed.
    pub closed: usize,
}

/// A running gateway. Dropping it stops it at once.
pub struct Gateway {
    addresses: Vec<SocketAddr>,
    process: Arc<Process>,
    stage: watch::Sender<Stage>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    /// No more accepts; connections go on.
    Draining,
    /// Connections that are closing get a moment for their last bytes.
    Stopped,
    /// The end, at once.
    Cut,
}

impl Gateway {
    /// Starts the workers. When it returns, connections are accepted.
    ///
    /// # Errors
    /// An unusable node name, an address in use, unreadable certificates, no threads.
    pub fn start(config: Config, store: Arc<dyn SessionStore>, node: &str) -> Result<Gateway, StartError> {
        if SessionId::new(node, [0; 16]).is_err() {
            return Err(StartError::Node(node.to_owned()));
        }
        let (stage, _) = watch::channel(Stage::Serving);
        let tls: Option<ServerTls> =
            config.tls.as_ref().map(|(certificate, key)| tls::server_config(certificate, key)).transpose()?;
        let trusted: Vec<Net> =
            config.proxy_trusted.iter().flatten().map(|net| net.parse()).collect::<Result<_, _>>()?;
        let mut runtimes = (0..config.workers.get())
            .map(|_| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map(Worker::new).map_err(StartError::Worker)
            })
            .collect::<Result<Vec<_>, _>>()?
            .into_iter();
        let first = runtimes.next();
        let inside = first.as_ref().and_then(Worker::enter);
        let mut embedded = if config.routes.iter().any(|route| route.upstream == Upstream::Embedded) {
            Some(embedded::Embedded::bind().map_err(StartError::Embedded)?)
        } else {
            None
        };
        drop(inside);
        let process = Arc::new(Process {
            sessions: Sessions::new(config.session.clone(), store, node),
            tls,
            dial: dial_options(&config)?,
            embedded: embedded.as_ref().map(embedded::Embedded::url),
            relays: Arc::new(Relays::default()),
            handshakes: AtomicUsize::new(0),
            config,
        });
        let mut gateway = Gateway { addresses: Vec::new(), process, stage, workers: Vec::new() };
        let options = ListenOptions { reuse_port: true, proxy_protocol: trusted, ..ListenOptions::default() };
        for (index, runtime) in first.into_iter().chain(runtimes).enumerate() {
            // The first worker finds out which port a 0 became; the others share it.
            let wanted =
                if index == 0 { gateway.process.config.listen.clone() } else { gateway.addresses.clone() };
            gateway.addresses = gateway.worker((index, runtime), wanted, options.clone(), embedded.take())?;
        }
        Ok(gateway)
    }

    /// Where it listens, with the real ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Sessions that live.
    pub fn sessions(&self) -> usize {
        self.process.sessions.live()
    }

    /// Where the embedded backend is, when there is one.
    pub fn embedded(&self) -> Option<&WsUrl> {
        self.process.embedded.as_ref()
    }

    /// Reads the certificate files again, for new connections.
    ///
    /// # Errors
    /// Unreadable files; the old certificate stays in use.
    pub fn reload_tls(&self) -> Result<(), TlsError> {
        self.process.tls.as_ref().map_or(Ok(()), ServerTls::reload)
    }

    /// Stops accepting, tells every client to move, waits for them (at most the configured deadline), then stops.
    pub async fn drain(mut self) -> Drained {
        self.stage.send_replace(Stage::Draining);
        let rate = self.process.config.drain_rate;
        let deadline = self.process.config.drain_deadline;
        let before = self.process.sessions.live() + self.process.relays.len();
        let (sessions, relays) = tokio::join!(
            self.process.sessions.drain(rate, deadline),
            self.process.relays.drain(rate, deadline)
        );
        // The last words of what was closed just now get out before the threads end.
        self.finish(Stage::Stopped);
        Drained { before, closed: sessions + relays }
    }

    fn finish(&mut self, how: Stage) {
        self.stage.send_replace(how);
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a worker panicked");
            }
        }
    }

    /// Starts one worker and waits until it listens.
    fn worker(
        &mut self,
        (index, mut worker): (usize, Worker),
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
        self.finish(Stage::Cut);
    }
}

/// A runtime that may be dropped anywhere, inside another runtime too: a start that fails halfway leaves such.
struct Worker(Option<Runtime>);

impl Worker {
    fn new(runtime: Runtime) -> Worker {
        Worker(Some(runtime))
    }

    fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.as_ref().map(Runtime::enter)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// One worker, until it is stopped.
async fn run(
    process: Arc<Process>,
    listeners: Vec<Listener>,
    mut stage: watch::Receiver<Stage>,
    embedded: Option<embedded::Embedded>,
) {
    let embedded = embedded.map(|embedded| tokio::spawn(embedded.serve()));
    for listener in listeners {
        tokio::spawn(accept(process.clone(), Arc::new(listener), stage.clone()));
    }
    // The sender lives as long as the gateway.
    let cut = stage.wait_for(|stage| matches!(stage, Stage::Stopped | Stage::Cut)).await;
    let cut = cut.is_ok_and(|stage| *stage == Stage::Cut);
    if let Some(embedded) = embedded {
        embedded.abort();
    }
    let end = if cut { Instant::now() } else { Instant::now() + LINGER };
    while Handle::current().metrics().num_alive_tasks() > 0 && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn accept(process: Arc<Process>, listener: Arc<Listener>, mut stage: watch::Receiver<Stage>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stage.wait_for(|stage| *stage != Stage::Serving) => return,
        };
        match accepted {
            Ok((stream, peer)) => admit(&process, &listener, stream, peer),
            Err(error) => {
                tracing::error!(%error, "the listening socket is lost");
                return;
            }
        }
    }
}

/// Counts the connection in and gives its handshake a task.
fn admit(process: &Arc<Process>, listener: &Arc<Listener>, mut stream: TcpStream, mut peer: Peer) {
    let limit = process.config.limits.max_connections;
    let handshakes = process.handshakes.fetch_add(1, Ordering::Relaxed);
    let count = handshakes + process.relays.len() + process.sessions.live();
    let crowded = count >= limit;
    if count >= limit + COURTESY {
        process.handshakes.fetch_sub(1, Ordering::Relaxed);
        tracing::warn!(peer = %peer.addr, limit, "connection cut: far above the limit");
        return;
    }
    let (process, listener) = (process.clone(), listener.clone());
    tokio::spawn(async move {
        match listener.proxy_header(&mut stream, &mut peer).await {
            Ok(()) => handle(process.clone(), Stream::from(stream), peer, crowded).await,
            Err(error) => tracing::info!(peer = %peer.addr, %error, "no usable PROXY header"),
        }
        process.handshakes.fetch_sub(1, Ordering::Relaxed);
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
