//! The proxies of one process, by name.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::toxic::Toxic;
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::proxy::Chaos;
use crate::proxy_state::lock;
use crate::upstream::Upstream;

/// The proxies of one process, by name. Proxies that the API creates use its seed, speed and observer.
pub struct Control {
    proxies: Mutex<BTreeMap<String, Member>>,
    seed: u64,
    speed: f64,
    observer: Option<Observer>,
}

/// A proxy, with the toxics that were added to it.
pub(super) struct Member {
    pub(super) chaos: Chaos,
    pub(super) toxics: Vec<Toxic>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("proxies", &lock(&self.proxies).keys()).finish_non_exhaustive()
    }
}

impl Control {
    /// Creates a set without proxies.
    pub fn new(seed: u64, speed: f64) -> Control {
        Control { proxies: Mutex::default(), seed, speed, observer: None }
    }

    /// Sets a function that is called with every event of the proxies that the API creates later.
    #[must_use]
    pub fn observe(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Control {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Adds a proxy under its own name.
    ///
    /// # Errors
    /// The name is already in use.
    pub fn insert(&self, chaos: Chaos) -> Result<(), Error> {
        let name = chaos.name().to_owned();
        let mut proxies = lock(&self.proxies);
        if proxies.contains_key(&name) {
            return Err(Error::NameTaken(name));
        }
        proxies.insert(name, Member { chaos, toxics: Vec::new() });
        Ok(())
    }

    /// Calls a function for each proxy, in the order of their names, and returns the results.
    pub fn each<T>(&self, mut visit: impl FnMut(&Chaos) -> T) -> Vec<T> {
        lock(&self.proxies).values().map(|member| visit(&member.chaos)).collect()
    }

    /// Waits until the listeners are open or closed as required: clients rely on that when they receive the response.
    pub(super) async fn settle(&self) {
        for settled in self.each(|chaos| chaos.settled()) {
            settled.await;
        }
    }

    /// Starts a proxy and adds it.
    pub(super) async fn create(&self, name: &str, listen: &str, upstream: Upstream) -> Result<(), Error> {
        if lock(&self.proxies).contains_key(name) {
            return Err(Error::NameTaken(name.to_owned()));
        }
        let address = resolve(listen).await?;
        let mut builder = Chaos::start(upstream).listen(address).name(name).seed(self.seed).speed(self.speed);
        builder.observer = self.observer.clone();
        self.insert(builder.await?)
    }

    /// Calls a function for one proxy. Returns `None` if no proxy has the name.
    pub(super) fn with<T>(&self, name: &str, visit: impl FnOnce(&mut Member) -> T) -> Option<T> {
        lock(&self.proxies).get_mut(name).map(visit)
    }

    /// Calls a function for each proxy with its toxics, and returns the results.
    pub(super) fn members<T>(&self, mut visit: impl FnMut(&mut Member) -> T) -> Vec<T> {
        lock(&self.proxies).values_mut().map(&mut visit).collect()
    }

    /// Removes a proxy. Dropping it resets its connections.
    pub(super) fn take(&self, name: &str) -> Option<Member> {
        lock(&self.proxies).remove(name)
    }
}

/// Resolves a listen address: `host:port`, or `:port` for loopback.
async fn resolve(listen: &str) -> Result<SocketAddr, Error> {
    let text = if listen.starts_with(':') { format!("127.0.0.1{listen}") } else { listen.to_owned() };
    let mut found = tokio::net::lookup_host(&text)
        .await
        .map_err(|source| Error::Resolve { address: listen.to_owned(), source })?;
    found.next().ok_or_else(|| Error::NoAddress(listen.to_owned()))
}
