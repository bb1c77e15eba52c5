//! A running proxy: its listener, its connections, and what can be done to them.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::builder::Builder;
use crate::connection::now;
use crate::event::Event;
use crate::serve;
use crate::shared::{Counters, Shared, lock};
use crate::spec::Spec;
use crate::{Error, Faults, Upstream};

/// Chooses the faults of a connection by hand.
pub(crate) type Choose = Box<dyn FnMut(&mut Rng) -> Faults + Send>;

/// A running proxy. Dropping it resets all its connections.
#[derive(Debug)]
pub struct Chaos {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What a connection is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectionInfo {
    /// Its number, from 1, in the order of accepting.
    pub connection: u64,
    /// The client's address.
    pub peer: String,
    /// Its age in seconds.
    pub age: f64,
    /// Bytes from the client that were passed on.
    pub up: u64,
    /// Bytes from the upstream that were passed on.
    pub down: u64,
    /// Faults that were injected into it.
    pub faults: u64,
}

/// Faults that were added under one name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultInfo {
    /// The name.
    pub id: String,
    /// The faults, at the proxy's speed.
    pub faults: Vec<Spec>,
}

/// What has happened so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Connections accepted.
    pub opened: u64,
    /// Connections that are open now.
    pub open: u64,
    /// Connections that a fault ended.
    pub cut: u64,
    /// Faults injected, by kind.
    pub injected: BTreeMap<String, u64>,
}

impl Chaos {
    /// A proxy in front of `upstream`: an address, or a text such as `127.0.0.1:9000` or `ws://127.0.0.1:9000`. Await it
    /// to start it.
    pub fn start(upstream: impl ToUpstream) -> Builder {
        Builder::new(upstream.to_upstream())
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Where to connect to, as a WebSocket URL without a path.
    pub fn url(&self) -> String {
        format!("ws://{}", self.shared.address)
    }

    /// The name in events.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Where connections are forwarded to.
    pub fn upstream(&self) -> Upstream {
        self.shared.upstream()
    }

    /// Forwards connections that are accepted from now on to another upstream.
    pub fn set_upstream(&self, upstream: Upstream) {
        *lock(&self.shared.upstream) = upstream;
    }

    /// Connections accepted.
    pub fn opened(&self) -> u64 {
        self.shared.counters.opened.load(Ordering::Relaxed)
    }

    /// Connections that a fault ended.
    pub fn cut(&self) -> u64 {
        self.shared.counters.cut.load(Ordering::Relaxed)
    }

    /// Everything that was counted.
    pub fn counts(&self) -> Counts {
        Counts {
            opened: self.opened(),
            open: lock(&self.shared.connections).len() as u64,
            cut: self.cut(),
            injected: lock(&self.shared.injected).iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect(),
        }
    }

    /// The event that ends a log. It is only made, not told.
    pub fn summary(&self) -> Event {
        Event::Summary { proxy: self.shared.name.clone(), time: self.shared.time(), counts: self.counts() }
    }

    /// Adds a fault, for open connections as well as new ones; its durations count at the proxy's speed. Returns its
    /// name.
    pub fn add(&self, fault: Spec) -> String {
        // Without a name there is none that is taken.
        self.add_as(None, vec![fault]).unwrap_or_default()
    }

    /// Adds faults under one name (`None`: one is made).
    ///
    /// # Errors
    /// The name is taken.
    pub fn add_as(&self, id: Option<&str>, faults: Vec<Spec>) -> Result<String, Error> {
        let faults = faults.iter().map(|fault| fault.faster(self.shared.speed)).collect();
        self.shared.add(id, faults, false).ok_or_else(|| Error::NameTaken(id.unwrap_or_default().to_owned()))
    }

    /// Takes faults away; what they held back goes on. False: there are none of that name.
    pub fn remove(&self, id: &str) -> bool {
        self.shared.remove(id)
    }

    /// Takes all faults away.
    pub fn clear(&self) {
        self.shared.clear();
    }

    /// The faults on it now.
    pub fn faults(&self) -> Vec<FaultInfo> {
        let plan = lock(&self.shared.plan);
        let info = |group: &crate::plan::Group| FaultInfo {
            id: group.name.to_string(),
            faults: group.specs.iter().map(|spec| (**spec).clone()).collect(),
        };
        plan.groups().iter().map(info).collect()
    }

    /// The connections that are open now.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        lock(&self.shared.connections).values().map(|connection| connection.info()).collect()
    }

    /// Resets a connection. False: there is none of that number.
    pub fn reset_connection(&self, connection: u64) -> bool {
        let found = lock(&self.shared.connections).get(&connection).map(|found| found.kill());
        self.shared.changed.send_replace(());
        found.is_some()
    }

    /// Resets all connections.
    pub fn reset_connections(&self) {
        self.shared.kill_all();
    }

    /// Closes the listener and resets all connections, or opens it again.
    pub fn set_enabled(&self, enabled: bool) {
        self.shared.enabled.store(enabled, Ordering::Relaxed);
        if !enabled {
            self.shared.kill_all();
        }
        self.shared.changed.send_replace(());
    }

    /// See [`Chaos::set_enabled`].
    pub fn is_enabled(&self) -> bool {
        self.shared.is_enabled()
    }

    /// Waits until the listener is closed or open as it should be by now; faults and orders reach it a moment later. Gives
    /// up after two seconds (something else may listen on the address by then). True: it is as it should be.
    pub fn settled(&self) -> impl Future<Output = bool> + Send + use<> {
        let shared = self.shared.clone();
        let mut listening = shared.listening.subscribe();
        async move {
            let wait = listening.wait_for(|listening| *listening != shared.is_closed());
            tokio::time::timeout(std::time::Duration::from_secs(2), wait).await.is_ok_and(|seen| seen.is_ok())
        }
    }

    /// The proxy's speed.
    pub fn speed(&self) -> f64 {
        self.shared.speed
    }

    /// The seed of everything that is drawn.
    pub fn seed(&self) -> u64 {
        self.shared.seed
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What [`Chaos::start`] takes.
pub trait ToUpstream {
    /// The upstream, or what is wrong with it.
    ///
    /// # Errors
    /// A text that names no upstream.
    fn to_upstream(self) -> Result<Upstream, Error>;
}

impl ToUpstream for SocketAddr {
    fn to_upstream(self) -> Result<Upstream, Error> {
        Ok(self.into())
    }
}

impl ToUpstream for Upstream {
    fn to_upstream(self) -> Result<Upstream, Error> {
        Ok(self)
    }
}

impl ToUpstream for &str {
    fn to_upstream(self) -> Result<Upstream, Error> {
        self.parse().map_err(Error::Upstream)
    }
}

impl ToUpstream for &String {
    fn to_upstream(self) -> Result<Upstream, Error> {
        self.as_str().to_upstream()
    }
}

pub(crate) async fn start(builder: Builder) -> Result<Chaos, Error> {
    let upstream = builder.upstream?;
    if let Some(wrong) = builder.wrong {
        return Err(wrong);
    }
    let speed = builder.speed;
    if !(speed.is_finite() && speed > 0.0) {
        return Err(Error::Speed(speed));
    }
    let listener = TcpListener::bind(builder.listen)
        .await
        .map_err(|source| Error::Listen { address: builder.listen, source })?;
    let address =
        listener.local_addr().map_err(|source| Error::Listen { address: builder.listen, source })?;
    let start = now();
    let shared = Arc::new(Shared {
        name: builder.name,
        address,
        seed: builder.seed,
        speed,
        start,
        upstream: Mutex::new(upstream),
        plan: Mutex::default(),
        enabled: AtomicBool::new(true),
        changed: watch::Sender::new(()),
        listening: watch::Sender::new(true),
        counters: Counters::default(),
        injected: Mutex::default(),
        connections: Mutex::default(),
        observer: builder.observer,
        unreadable: AtomicBool::new(false),
    });
    shared.tell(|shared| Event::Listening {
        proxy: shared.name.clone(),
        address: address.to_string(),
        upstream: shared.upstream().to_string(),
        seed: shared.seed,
    });
    if let Some(replay) = builder.replay {
        lock(&shared.plan).replay(start, replay);
    }
    for fault in builder.faults {
        shared.add(None, vec![fault.faster(speed)], false);
    }
    let timeline = builder.timeline.faster(speed);
    let task = tokio::spawn(serve::run(listener, shared.clone(), timeline, builder.choose));
    Ok(Chaos { shared, task })
}
