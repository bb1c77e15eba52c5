//! The state that all workers of a gateway share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use undrop_frame::CloseCode;
use undrop_server::{Command, Mailbox, Sessions};
use undrop_transport::sync::lock;
use undrop_transport::tls::ServerTls;
use undrop_transport::{DialOptions, WsUrl};

use crate::config::{Config, Route};

/// The configuration of a gateway and its connections.
pub(crate) struct GatewayState {
    pub(crate) config: Config,
    pub(crate) sessions: Sessions,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) dial: DialOptions,
    /// The URL of the embedded backend, if there is one.
    pub(crate) embedded: Option<WsUrl>,
    pub(crate) relays: Arc<Relays>,
    /// Connections that are accepted, but belong to no relay or session yet.
    pub(crate) handshakes: Handshakes,
}

impl GatewayState {
    /// Returns the route of a request target: the one with the longest matching path.
    pub(crate) fn route(&self, target: &str) -> Option<&Route> {
        let target = crate::backend::origin_form(target);
        let path = target.split(['?', '#']).next().unwrap_or_default();
        self.config.routes.iter().find(|route| {
            path.strip_prefix(route.path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// The pass-through connections, for a drain to reach.
#[derive(Default)]
pub(crate) struct Relays {
    open: Mutex<HashMap<u64, Arc<Mailbox<Command>>>>,
    next: AtomicU64,
    emptied: Notify,
    /// A drain has started: a connection that enters later is asked to leave immediately.
    draining: AtomicBool,
}

/// The registration of a relay, which ends when it is dropped.
pub(crate) struct RelayEntry {
    relays: Arc<Relays>,
    id: u64,
    pub(crate) mailbox: Arc<Mailbox<Command>>,
}

impl Relays {
    pub(crate) fn enter(self: &Arc<Self>) -> RelayEntry {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mailbox::new());
        self.lock().insert(id, mailbox.clone());
        if self.draining.load(Ordering::Relaxed) {
            // The relay does not exist yet, so its mailbox cannot be closed.
            let _ = mailbox.send(restart());
        }
        RelayEntry { relays: self.clone(), id, mailbox }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Closes all relays with 1012 and a delay for the client, `rate` per second, and waits until all have ended, at most
    /// `deadline`. Returns the number of relays that remain.
    pub(crate) async fn drain(&self, rate: u32, deadline: Duration) -> usize {
        let end = Instant::now() + deadline;
        self.draining.store(true, Ordering::Relaxed);
        let mailboxes: Vec<_> = self.lock().values().cloned().collect();
        // At the requested rate, or faster where that would exceed the deadline.
        let pause = Duration::from_secs(1) / rate.max(1);
        let pause = pause.min(deadline / 2 / u32::try_from(mailboxes.len().max(1)).unwrap_or(u32::MAX));
        for (at, mailbox) in mailboxes.iter().enumerate() {
            // A relay that has just ended refuses the command, which is fine.
            let _ = mailbox.send(restart());
            if at % 16 == 15 {
                tokio::time::sleep(pause * 16).await;
            }
        }
        while self.len() > 0 {
            let emptied = self.emptied.notified();
            if self.len() == 0 || tokio::time::timeout_at(end, emptied).await.is_err() {
                break;
            }
        }
        self.len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Mailbox<Command>>>> {
        lock(&self.open)
    }
}

/// The number of connections in their handshake.
#[derive(Default)]
pub(crate) struct Handshakes(Arc<AtomicUsize>);

/// One counted handshake. It is no longer counted once this is dropped, also when the handshake panics.
pub(crate) struct HandshakePermit(Arc<AtomicUsize>);

impl Handshakes {
    /// Counts one more handshake. Also returns the number of handshakes before it.
    pub(crate) fn enter(&self) -> (HandshakePermit, usize) {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        (HandshakePermit(self.0.clone()), before)
    }
}

impl Drop for HandshakePermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns the command that closes a plain client because the gateway stops.
fn restart() -> Command {
    let retry = fastrand::u64(100..2000);
    Command::Close { code: CloseCode::SERVICE_RESTART, reason: format!("retry={retry}") }
}

impl Drop for RelayEntry {
    fn drop(&mut self) {
        let mut open = self.relays.lock();
        open.remove(&self.id);
        if open.is_empty() {
            self.relays.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handshake_that_panics_is_no_longer_counted() {
        let handshakes = Handshakes::default();
        let (permit, before) = handshakes.enter();
        assert_eq!(before, 0);
        let handshake = tokio::spawn(async move {
            let _permit = permit;
            panic!("a defect in a handshake");
        });
        assert!(handshake.await.unwrap_err().is_panic());
        assert_eq!(handshakes.enter().1, 0);
    }
}
