//! The handle of a running proxy.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::counts::Counts;
use crate::error::Error;
use crate::event::Event;
use crate::fault_set::FaultGroup;
use crate::info::{ConnectionInfo, FaultInfo};
use crate::proxy_state::{ProxyState, lock};
use crate::spec::FaultSpec;
use crate::upstream::Upstream;

/// The time limit for the listener to be closed or opened.
const LISTENER_TIMEOUT: Duration = Duration::from_secs(2);

/// A running proxy, started with [`Chaos::start`]. Dropping it resets all its connections.
#[derive(Debug)]
pub struct Chaos {
    state: Arc<ProxyState>,
    task: JoinHandle<()>,
}

impl Chaos {
    pub(crate) fn new(state: Arc<ProxyState>, task: JoinHandle<()>) -> Chaos {
        Chaos { state, task }
    }

    /// Returns the address on which the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.state.address
    }

    /// Returns the address on which the proxy listens, as a WebSocket URL without a path.
    pub fn url(&self) -> String {
        format!("ws://{}", self.state.address)
    }

    /// Returns the name of the proxy in events.
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// Returns the address to which connections are forwarded.
    pub fn upstream(&self) -> Upstream {
        self.state.upstream()
    }

    /// Sets the upstream of connections that are accepted from now on.
    pub fn set_upstream(&self, upstream: Upstream) {
        *lock(&self.state.upstream) = upstream;
    }

    /// Returns the number of connections accepted.
    pub fn opened(&self) -> u64 {
        self.state.counters.opened.load(Ordering::Relaxed)
    }

    /// Returns the number of connections that a fault ended.
    pub fn cut(&self) -> u64 {
        self.state.counters.cut.load(Ordering::Relaxed)
    }

    /// Returns all counters of the proxy.
    pub fn counts(&self) -> Counts {
        Counts {
            opened: self.opened(),
            open: lock(&self.state.connections).len() as u64,
            cut: self.cut(),
            injected: lock(&self.state.injected).iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect(),
        }
    }

    /// Returns the event that ends a log. The observer is not called with it.
    pub fn summary(&self) -> Event {
        Event::Summary { proxy: self.state.name.clone(), time: self.state.time(), counts: self.counts() }
    }

    /// Adds a fault that affects open connections and new ones. Its durations are divided by the speed of the proxy. Returns
    /// the name of the fault.
    pub fn add(&self, fault: FaultSpec) -> String {
        // A generated name is never in use.
        self.add_as(None, vec![fault]).unwrap_or_default()
    }

    /// Adds faults under one name, which is generated if `id` is `None`. Returns the name.
    ///
    /// # Errors
    /// The name is already in use.
    pub fn add_as(&self, id: Option<&str>, faults: Vec<FaultSpec>) -> Result<String, Error> {
        let faults = faults.iter().map(|fault| fault.faster(self.state.speed)).collect();
        self.state.add(id, faults, false).ok_or_else(|| Error::NameTaken(id.unwrap_or_default().to_owned()))
    }

    /// Removes faults by name; data that they held back is delivered. Returns false if no faults have the name.
    pub fn remove(&self, id: &str) -> bool {
        self.state.remove(id)
    }

    /// Removes all faults from the proxy.
    pub fn clear(&self) {
        self.state.clear();
    }

    /// Returns the current faults.
    pub fn faults(&self) -> Vec<FaultInfo> {
        let faults = lock(&self.state.faults);
        let info = |group: &FaultGroup| FaultInfo {
            id: group.name.to_string(),
            faults: group.specs.iter().map(|spec| (**spec).clone()).collect(),
        };
        faults.groups().iter().map(info).collect()
    }

    /// Returns the connections that are open now.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        lock(&self.state.connections).values().map(|connection| connection.info()).collect()
    }

    /// Resets a connection. Returns false if no open connection has the number.
    pub fn reset_connection(&self, connection: u64) -> bool {
        let found = lock(&self.state.connections).get(&connection).map(|found| found.reset());
        self.state.changed.send_replace(());
        found.is_some()
    }

    /// Resets all connections that are open.
    pub fn reset_connections(&self) {
        self.state.reset_all();
    }

    /// Opens the listener, or closes it and resets all connections.
    pub fn set_enabled(&self, enabled: bool) {
        self.state.enabled.store(enabled, Ordering::Relaxed);
        if !enabled {
            self.state.reset_all();
        }
        self.state.changed.send_replace(());
    }

    /// Returns whether the proxy is enabled; see [`Chaos::set_enabled`].
    pub fn is_enabled(&self) -> bool {
        self.state.is_enabled()
    }

    /// Waits until the listener is open or closed, as the faults and [`Chaos::set_enabled`] require; changes reach it with a
    /// short delay. Returns false if that takes more than two seconds, for example because another program now listens on
    /// the address.
    pub fn settled(&self) -> impl Future<Output = bool> + Send + use<> {
        let state = self.state.clone();
        let mut listening = state.listening.subscribe();
        async move {
            let wait = listening.wait_for(|listening| *listening != state.is_closed());
            tokio::time::timeout(LISTENER_TIMEOUT, wait).await.is_ok_and(|seen| seen.is_ok())
        }
    }

    /// Returns the factor by which durations are divided.
    pub fn speed(&self) -> f64 {
        self.state.speed
    }

    /// Returns the seed of all random draws.
    pub fn seed(&self) -> u64 {
        self.state.seed
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.task.abort();
    }
}
