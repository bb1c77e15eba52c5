//! What all workers of a gateway share.

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

/// See the module documentation.
pub(crate) struct Process {
    pub(crate) config: Config,
    pub(crate) sessions: Sessions,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) dial: DialOptions,
    /// Where the embedded backend listens.
    pub(crate) embedded: Option<WsUrl>,
    pub(crate) relays: Arc<Relays>,
    /// Connections between accept and the task that owns them for good.
    pub(crate) handshakes: AtomicUsize,
}

impl Process {
    /// The route of a request target: the longest path that matches.
    pub(crate) fn route(&self, target: &str) -> Option<&Route> {
        let target = crate::backend::origin_form(target);
        let path = target.split(['?', '#']).next().unwrap_or_default();
        self.config.routes.iter().find(|route| {
            path.strip_prefix(route.path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// The pass-through connections, so that a drain can reach them.
#[derive(Default)]
pub(crate) struct Relays {
    open: Mutex<HashMap<u64, Arc<Mailbox<Command>>>>,
    next: AtomicU64,
    emptied: Notify,
    /// A drain has begun: a connection that enters later is told at once.
    draining: AtomicBool,
}

/// A relay's place in the list; leaves it when dropped.
pub(crate) struct Seat {
    relays: Arc<Relays>,
    id: u64,
    pub(crate) mailbox: Arc<Mailbox<Command>>,
}

impl Relays {
    pub(crate) fn enter(self: &Arc<Self>) -> Seat {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mailbox::new());
        self.lock().insert(id, mailbox.clone());
        if self.draining.load(Ordering::Relaxed) {
            // Its relay is not there yet, so it cannot have ended.
            let _ = mailbox.send(restart());
        }
        Seat { relays: self.clone(), id, mailbox }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Closes all with 1012 and a delay, `rate` per second, then waits until none is left or `deadline` has passed.
    /// Returns how many are left.
    pub(crate) async fn drain(&self, rate: u32, deadline: Duration) -> usize {
        let end = Instant::now() + deadline;
        self.draining.store(true, Ordering::Relaxed);
        let mailboxes: Vec<_> = self.lock().values().cloned().collect();
        // As fast as asked, faster when the deadline would pass.
        let pause = Duration::from_secs(1) / rate.max(1);
        let pause = pause.min(deadline / 2 / u32::try_from(mailboxes.len().max(1)).unwrap_or(u32::MAX));
        for (at, mailbox) in mailboxes.iter().enumerate() {
            // One that just ended needs no telling.
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

/// What a plain client is told by a gateway that stops.
fn restart() -> Command {
    let retry = fastrand::u64(100..2000);
    Command::Close { code: CloseCode::SERVICE_RESTART, reason: format!("retry={retry}") }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.relays.lock();
        open.remove(&self.id);
        if open.is_empty() {
            self.relays.emptied.notify_waiters();
        }
    }
}
