//! What the listener of a proxy, its connections and its handle share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::Upstream;
use crate::connection::now;
use crate::event::{Event, Observer};
use crate::plan::Plan;
use crate::proxy::ConnectionInfo;
use crate::spec::{Direction, Spec};
use crate::wire::{Assigned, Injected};

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) opened: AtomicU64,
    pub(crate) cut: AtomicU64,
}

/// What the listener, the connections and the handle share.
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) seed: u64,
    pub(crate) speed: f64,
    pub(crate) start: Instant,
    pub(crate) upstream: Mutex<Upstream>,
    pub(crate) plan: Mutex<Plan>,
    pub(crate) enabled: AtomicBool,
    /// Told when the plan has changed, or whether a connection may live. What it is now is asked.
    pub(crate) changed: watch::Sender<()>,
    /// Whether the listener is open.
    pub(crate) listening: watch::Sender<bool>,
    pub(crate) counters: Counters,
    pub(crate) injected: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) connections: Mutex<BTreeMap<u64, Arc<Connection>>>,
    pub(crate) observer: Option<Observer>,
    /// It was said that some connection cannot be read.
    pub(crate) unreadable: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("name", &self.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A connection, as others see it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) index: u64,
    peer: SocketAddr,
    pub(crate) opened: Instant,
    pub(crate) up: AtomicU64,
    pub(crate) down: AtomicU64,
    faults: AtomicU64,
    killed: AtomicBool,
}

impl Connection {
    pub(crate) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }

    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn info(&self) -> ConnectionInfo {
        ConnectionInfo {
            connection: self.index,
            peer: self.peer.to_string(),
            age: (now() - self.opened).as_secs_f64(),
            up: self.up.load(Ordering::Relaxed),
            down: self.down.load(Ordering::Relaxed),
            faults: self.faults.load(Ordering::Relaxed),
        }
    }
}

impl Shared {
    /// Takes a connection into the books.
    pub(crate) fn open(&self, stream: &TcpStream, peer: SocketAddr) -> Arc<Connection> {
        // A failure means that the peer is gone, which the first read tells.
        let _ = stream.set_nodelay(true);
        let index = self.counters.opened.fetch_add(1, Ordering::Relaxed) + 1;
        let connection = Arc::new(Connection {
            index,
            peer,
            opened: now(),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            killed: AtomicBool::new(false),
        });
        lock(&self.connections).insert(index, connection.clone());
        self.tell(|shared| Event::Opened {
            proxy: shared.name.clone(),
            time: shared.time(),
            connection: index,
            peer: peer.to_string(),
        });
        connection
    }

    /// Takes it out again.
    pub(crate) fn close(&self, connection: &Connection, by: &str) {
        lock(&self.connections).remove(&connection.index);
        self.tell(|shared| Event::Closed {
            proxy: shared.name.clone(),
            time: shared.time(),
            connection: connection.index,
            age: (now() - connection.opened).as_secs_f64(),
            up: connection.up.load(Ordering::Relaxed),
            down: connection.down.load(Ordering::Relaxed),
            by: by.to_owned(),
        });
    }

    pub(crate) fn add(&self, id: Option<&str>, faults: Vec<Spec>, open_only: bool) -> Option<String> {
        let group = lock(&self.plan).add(now(), id, faults, open_only)?;
        self.tell(|shared| Event::FaultAdded {
            proxy: shared.name.clone(),
            time: shared.time(),
            fault: group.name.to_string(),
            faults: group.specs.iter().map(|spec| (**spec).clone()).collect(),
        });
        self.changed.send_replace(());
        Some(group.name.to_string())
    }

    pub(crate) fn remove(&self, id: &str) -> bool {
        let removed = lock(&self.plan).remove(id);
        if removed {
            self.tell_removed(id);
        }
        self.changed.send_replace(());
        removed
    }

    pub(crate) fn clear(&self) {
        let names = lock(&self.plan).clear();
        names.iter().for_each(|name| self.tell_removed(name));
        self.changed.send_replace(());
    }

    fn tell_removed(&self, id: &str) {
        self.tell(|shared| Event::FaultRemoved {
            proxy: shared.name.clone(),
            time: shared.time(),
            fault: id.to_owned(),
        });
    }

    pub(crate) fn kill_all(&self) {
        lock(&self.connections).values().for_each(|connection| connection.kill());
        self.changed.send_replace(());
    }

    /// Nobody should listen now.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.plan).is_closed(now()) || !self.is_enabled()
    }

    /// The listener is closed or open again.
    pub(crate) fn tell_listening(&self, open: bool) {
        self.listening.send_replace(open);
        self.tell(|shared| {
            let (proxy, time) = (shared.name.clone(), shared.time());
            if open { Event::Accepting { proxy, time } } else { Event::Refusing { proxy, time } }
        });
        if !open {
            *lock(&self.injected).entry("refuse").or_default() += 1;
        }
    }

    pub(crate) fn injected(&self, connection: &Connection, injected: Injected) {
        connection.faults.fetch_add(1, Ordering::Relaxed);
        *lock(&self.injected).entry(injected.kind).or_default() += 1;
        self.tell(|shared| Event::Injected {
            proxy: shared.name.clone(),
            time: shared.time(),
            connection: connection.index,
            fault: injected.name.to_string(),
            kind: injected.kind.to_owned(),
            direction: injected.direction,
            offset: injected.offset,
            age: injected.age.as_secs_f64(),
            what: injected.what,
            replay: injected.replay,
            from: injected.from.as_secs_f64(),
            seed: injected.seed,
        });
    }

    /// A fault that was injected before there was anything to read.
    pub(crate) fn admitted(&self, connection: &Connection, fault: &Assigned, what: &str) {
        let age = now().saturating_duration_since(connection.opened);
        self.injected(
            connection,
            Injected {
                name: fault.name.clone(),
                kind: fault.spec.kind(),
                age,
                direction: Direction::Both,
                offset: 0,
                what: what.to_owned(),
                replay: (*fault.spec).clone().share(1.0),
                from: Duration::ZERO,
                seed: fault.seed,
            },
        );
    }

    pub(crate) fn note(&self, connection: &Connection, note: String) {
        tracing::debug!(connection = connection.index, note, "chaos");
        self.tell(|shared| Event::Note {
            proxy: shared.name.clone(),
            time: shared.time(),
            connection: connection.index,
            note,
        });
    }

    /// Says once that a connection cannot be read, if a fault would need it.
    pub(crate) fn unreadable(&self, connection: &Connection, why: &str) {
        let needed = || self.assigned(connection).iter().any(|fault| fault.spec.fault.reads());
        if !self.unreadable.load(Ordering::Relaxed)
            && needed()
            && !self.unreadable.swap(true, Ordering::Relaxed)
        {
            self.note(connection, why.to_owned());
        }
    }

    pub(crate) fn assigned(&self, connection: &Connection) -> Vec<Assigned> {
        lock(&self.plan).assigned(self.seed, connection.index, connection.opened)
    }

    pub(crate) fn upstream(&self) -> Upstream {
        lock(&self.upstream).clone()
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(crate) fn time(&self) -> f64 {
        (now() - self.start).as_secs_f64()
    }

    pub(crate) fn tell(&self, event: impl FnOnce(&Shared) -> Event) {
        if let Some(observer) = &self.observer {
            observer(&event(self));
        }
    }
}

/// Nothing that holds these locks can panic half way.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
