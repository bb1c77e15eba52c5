//! The proxies of one process, by name.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crate::api::toxic::Toxic;
use crate::event::{Event, Observer};
use crate::shared::lock;
use crate::{Chaos, Error, Upstream};

/// The proxies of one process. Proxies that are added get its seed and speed, and tell its observer.
pub struct Control {
    proxies: Mutex<BTreeMap<String, Member>>,
    seed: u64,
    speed: f64,
    observer: Option<Observer>,
}

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
    /// No proxies yet.
    pub fn new(seed: u64, speed: f64) -> Control {
        Control { proxies: Mutex::default(), seed, speed, observer: None }
    }

    /// Tells this observer what happens on proxies that are added later.
    #[must_use]
    pub fn observe(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Control {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Takes a proxy in under its own name.
    ///
    /// # Errors
    /// The name is taken.
    pub fn insert(&self, chaos: Chaos) -> Result<(), Error> {
        let name = chaos.name().to_owned();
        let mut proxies = lock(&self.proxies);
        if proxies.contains_key(&name) {
            return Err(Error::NameTaken(name));
        }
        proxies.insert(name, Member { chaos, toxics: Vec::new() });
        Ok(())
    }

    /// What a function makes of each proxy, in the order of their names.
    pub fn each<T>(&self, mut look: impl FnMut(&Chaos) -> T) -> Vec<T> {
        lock(&self.proxies).values().map(|member| look(&member.chaos)).collect()
    }

    /// Waits until the listeners are closed or open as they should be, which clients rely on.
    pub(super) async fn settle(&self) {
        for settled in self.each(|chaos| chaos.settled()) {
            settled.await;
        }
    }

    /// Starts a proxy and takes it in.
    pub(super) async fn create(&self, name: &str, listen: &str, upstream: Upstream) -> Result<(), Error> {
        if lock(&self.proxies).contains_key(name) {
            return Err(Error::NameTaken(name.to_owned()));
        }
        let address = resolve(listen).await?;
        let mut builder = Chaos::start(upstream).listen(address).name(name).seed(self.seed).speed(self.speed);
        builder.observer = self.observer.clone();
        self.insert(builder.await?)
    }

    /// What a function makes of one proxy. `None`: there is none of that name.
    pub(super) fn with<T>(&self, name: &str, look: impl FnOnce(&mut Member) -> T) -> Option<T> {
        lock(&self.proxies).get_mut(name).map(look)
    }

    /// What a function makes of every proxy, with its toxics.
    pub(super) fn members<T>(&self, mut look: impl FnMut(&mut Member) -> T) -> Vec<T> {
        lock(&self.proxies).values_mut().map(&mut look).collect()
    }

    /// Takes a proxy out; dropping it resets its connections.
    pub(super) fn take(&self, name: &str) -> Option<Member> {
        lock(&self.proxies).remove(name)
    }
}

/// An address to listen on: `host:port`, or `:port` for loopback.
async fn resolve(listen: &str) -> Result<SocketAddr, Error> {
    let text = if listen.starts_with(':') { format!("127.0.0.1{listen}") } else { listen.to_owned() };
    let unknown = |reason: String| Error::Address { address: listen.to_owned(), reason };
    let mut found = tokio::net::lookup_host(&text).await.map_err(|error| unknown(error.to_string()))?;
    found.next().ok_or_else(|| unknown("no address".to_owned()))
}
