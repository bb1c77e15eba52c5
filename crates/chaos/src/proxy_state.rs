//! The state that the listener of a proxy, its connections and its handle share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::assignment::AssignedFault;
use crate::clock::now;
use crate::direction::Direction;
use crate::event::{Event, Observer};
use crate::fault_set::FaultSet;
use crate::info::ConnectionInfo;
use crate::spec::FaultSpec;
use crate::tunnel::Injection;
use crate::upstream::Upstream;

/// The counters that change with every connection.
#[derive(Debug, Default)]
pub(crate) struct ProxyCounters {
    pub(crate) opened: AtomicU64,
    pub(crate) cut: AtomicU64,
}

/// The state that the listener, the connections and the handle share.
pub(crate) struct ProxyState {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) seed: u64,
    pub(crate) speed: f64,
    pub(crate) start: Instant,
    pub(crate) upstream: Mutex<Upstream>,
    pub(crate) faults: Mutex<FaultSet>,
    pub(crate) enabled: AtomicBool,
    /// Notified when the faults have changed, or when a connection must be reset.
    pub(crate) changed: watch::Sender<()>,
    /// Whether the listener is open now.
    pub(crate) listening: watch::Sender<bool>,
    pub(crate) counters: ProxyCounters,
    pub(crate) injected: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) connections: Mutex<BTreeMap<u64, Arc<ConnectionRecord>>>,
    pub(crate) observer: Option<Observer>,
    /// Whether a remark about an unreadable connection was already emitted.
    pub(crate) unreadable: AtomicBool,
}

impl std::fmt::Debug for ProxyState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyState")
            .field("name", &self.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// The record of an open connection.
#[derive(Debug)]
pub(crate) struct ConnectionRecord {
    pub(crate) index: u64,
    peer: SocketAddr,
    pub(crate) opened: Instant,
    pub(crate) up: AtomicU64,
    pub(crate) down: AtomicU64,
    faults: AtomicU64,
    must_reset: AtomicBool,
}

impl ConnectionRecord {
    pub(crate) fn must_reset(&self) -> bool {
        self.must_reset.load(Ordering::Relaxed)
    }

    pub(crate) fn reset(&self) {
        self.must_reset.store(true, Ordering::Relaxed);
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

impl ProxyState {
    /// Records an accepted connection.
    pub(crate) fn open(&self, stream: &TcpStream, peer: SocketAddr) -> Arc<ConnectionRecord> {
        // A failure means that the peer has disconnected, which the first read reports.
        let _ = stream.set_nodelay(true);
        let index = self.counters.opened.fetch_add(1, Ordering::Relaxed) + 1;
        let connection = Arc::new(ConnectionRecord {
            index,
            peer,
            opened: now(),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            must_reset: AtomicBool::new(false),
        });
        lock(&self.connections).insert(index, connection.clone());
        self.emit(|state| Event::Opened {
            proxy: state.name.clone(),
            time: state.time(),
            connection: index,
            peer: peer.to_string(),
        });
        connection
    }

    /// Removes the record of a closed connection.
    pub(crate) fn close(&self, connection: &ConnectionRecord, by: &str) {
        lock(&self.connections).remove(&connection.index);
        self.emit(|state| Event::Closed {
            proxy: state.name.clone(),
            time: state.time(),
            connection: connection.index,
            age: (now() - connection.opened).as_secs_f64(),
            up: connection.up.load(Ordering::Relaxed),
            down: connection.down.load(Ordering::Relaxed),
            by: by.to_owned(),
        });
    }

    pub(crate) fn add(&self, id: Option<&str>, faults: Vec<FaultSpec>, open_only: bool) -> Option<String> {
        let group = lock(&self.faults).add(now(), id, faults, open_only)?;
        self.emit(|state| Event::FaultAdded {
            proxy: state.name.clone(),
            time: state.time(),
            fault: group.name.to_string(),
            faults: group.specs.iter().map(|spec| (**spec).clone()).collect(),
        });
        self.changed.send_replace(());
        Some(group.name.to_string())
    }

    pub(crate) fn remove(&self, id: &str) -> bool {
        let removed = lock(&self.faults).remove(id);
        if removed {
            self.emit_removed(id);
        }
        self.changed.send_replace(());
        removed
    }

    pub(crate) fn clear(&self) {
        let names = lock(&self.faults).clear();
        names.iter().for_each(|name| self.emit_removed(name));
        self.changed.send_replace(());
    }

    fn emit_removed(&self, id: &str) {
        self.emit(|state| Event::FaultRemoved {
            proxy: state.name.clone(),
            time: state.time(),
            fault: id.to_owned(),
        });
    }

    pub(crate) fn reset_all(&self) {
        lock(&self.connections).values().for_each(|connection| connection.reset());
        self.changed.send_replace(());
    }

    /// Returns whether the listener must be closed now.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.faults).is_closed(now()) || !self.is_enabled()
    }

    /// Records that the listener was closed or opened again.
    pub(crate) fn set_listening(&self, open: bool) {
        self.listening.send_replace(open);
        self.emit(|state| {
            let (proxy, time) = (state.name.clone(), state.time());
            if open { Event::Accepting { proxy, time } } else { Event::Refusing { proxy, time } }
        });
        if !open {
            *lock(&self.injected).entry("refuse").or_default() += 1;
        }
    }

    /// Records an injected fault.
    pub(crate) fn record_injection(&self, connection: &ConnectionRecord, injection: Injection) {
        connection.faults.fetch_add(1, Ordering::Relaxed);
        *lock(&self.injected).entry(injection.kind).or_default() += 1;
        self.emit(|state| Event::Injected {
            proxy: state.name.clone(),
            time: state.time(),
            connection: connection.index,
            fault: injection.name.to_string(),
            kind: injection.kind.to_owned(),
            direction: injection.direction,
            offset: injection.offset,
            age: injection.age.as_secs_f64(),
            what: injection.what,
            replay: injection.replay,
            from: injection.from.as_secs_f64(),
            seed: injection.seed,
        });
    }

    /// Records a fault that was injected while the connection was being accepted.
    pub(crate) fn record_admission(&self, connection: &ConnectionRecord, fault: &AssignedFault, what: &str) {
        let age = now().saturating_duration_since(connection.opened);
        self.record_injection(
            connection,
            Injection {
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

    pub(crate) fn note(&self, connection: &ConnectionRecord, note: String) {
        tracing::debug!(connection = connection.index, note, "chaos");
        self.emit(|state| Event::Note {
            proxy: state.name.clone(),
            time: state.time(),
            connection: connection.index,
            note,
        });
    }

    /// Emits a remark, once per proxy, that a connection cannot be read although a fault needs it.
    pub(crate) fn report_unreadable(&self, connection: &ConnectionRecord, why: &str) {
        let needed =
            || self.assigned(connection).iter().any(|fault| fault.spec.fault.behavior().needs_websocket());
        if !self.unreadable.load(Ordering::Relaxed)
            && needed()
            && !self.unreadable.swap(true, Ordering::Relaxed)
        {
            self.note(connection, why.to_owned());
        }
    }

    pub(crate) fn assigned(&self, connection: &ConnectionRecord) -> Vec<AssignedFault> {
        lock(&self.faults).assigned(self.seed, connection.index, connection.opened)
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

    pub(crate) fn emit(&self, event: impl FnOnce(&ProxyState) -> Event) {
        if let Some(observer) = &self.observer {
            observer(&event(self));
        }
    }
}

/// Locks a mutex. No code that holds these locks can panic and leave its data inconsistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
