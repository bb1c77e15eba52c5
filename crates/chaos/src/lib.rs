//! A TCP proxy that does to connections what real networks and proxies do: it drives `undrop-fault` between sockets.
//!
//! ```no_run
//! use std::time::Duration;
//! use undrop_chaos::{Chaos, Faults};
//! use undrop_fault::{Cut, CutAfter, Fault, Trigger};
//!
//! # async fn run() -> std::io::Result<()> {
//! let upstream = ([127, 0, 0, 1], 8080).into();
//! // Every connection is reset one second after it was opened.
//! let chaos = Chaos::start(upstream, 7, |_| {
//!     let cut = CutAfter { when: Trigger::Age(Duration::from_secs(1)), how: Cut::Rst };
//!     Faults { forth: Fault { cut: Some(cut), ..Fault::default() }, back: Fault::default() }
//! })
//! .await?;
//! println!("connect to {}", chaos.address());
//! # Ok(())
//! # }
//! ```

mod connection;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use undrop_fault::Fault;

/// What is wrong with one connection: towards the upstream, and back from it.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Client to upstream.
    pub forth: Fault,
    /// Upstream to client.
    pub back: Fault,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    opened: AtomicU64,
    cut: AtomicU64,
}

/// A running proxy. Dropping it resets all its connections.
#[derive(Debug)]
pub struct Chaos {
    address: SocketAddr,
    counters: Arc<Counters>,
    task: JoinHandle<()>,
}

impl Chaos {
    /// Listens on a free loopback port and forwards each connection to `upstream`, under the faults that `choose` picks
    /// for it. The same seed gives the same picks.
    ///
    /// # Errors
    /// No port.
    pub async fn start(
        upstream: SocketAddr,
        seed: u64,
        choose: impl FnMut(&mut Rng) -> Faults + Send + 'static,
    ) -> io::Result<Chaos> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let counters = Arc::new(Counters::default());
        let task = tokio::spawn(serve(listener, upstream, seed, choose, counters.clone()));
        Ok(Chaos { address, counters, task })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections accepted.
    pub fn opened(&self) -> u64 {
        self.counters.opened.load(Ordering::Relaxed)
    }

    /// Connections that a fault ended.
    pub fn cut(&self) -> u64 {
        self.counters.cut.load(Ordering::Relaxed)
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    listener: TcpListener,
    upstream: SocketAddr,
    seed: u64,
    mut choose: impl FnMut(&mut Rng) -> Faults + Send + 'static,
    counters: Arc<Counters>,
) {
    let mut rng = Rng::with_seed(seed);
    let mut connections = JoinSet::new();
    loop {
        let client = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match client {
            Ok((client, peer)) => {
                let faults = choose(&mut rng);
                let seed = rng.u64(..);
                counters.opened.fetch_add(1, Ordering::Relaxed);
                let counters = counters.clone();
                connections.spawn(async move {
                    match TcpStream::connect(upstream).await {
                        Ok(upstream) => connection::run(client, upstream, faults, seed, &counters).await,
                        // The client sees what it would see from the upstream itself.
                        Err(error) => {
                            tracing::debug!(%peer, %upstream, %error, "upstream not reached");
                            connection::reset(&client);
                        }
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept for now");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}
