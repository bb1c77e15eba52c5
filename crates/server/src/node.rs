//! The state that all sessions of a process share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;
use tokio::time::Instant;
use undrop_store::{Lease, SessionStore};

use crate::command::Command;
use crate::options::SessionOptions;
use crate::registry::{Registry, SessionEntry};
use crate::tombstone::Tombstone;

/// The state that all sessions of this process share.
pub(crate) struct Node {
    pub(crate) options: SessionOptions,
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Arc<dyn SessionStore>,
    /// The name of this process in session ids.
    pub(crate) name: Box<str>,
    pub(crate) live: AtomicUsize,
    /// Notified when the last session has ended.
    pub(crate) emptied: Notify,
    /// The deadline of the drain, once one has started: a session that is created later is asked to move at once.
    pub(crate) drained_by: OnceLock<Instant>,
}

impl Node {
    pub(crate) fn new(options: SessionOptions, store: Arc<dyn SessionStore>, name: &str) -> Node {
        Node {
            options,
            registry: Arc::default(),
            store,
            name: name.into(),
            live: AtomicUsize::new(0),
            emptied: Notify::new(),
            drained_by: OnceLock::new(),
        }
    }

    /// Removes a session whose task ends, and returns the links that were offered to it meanwhile.
    pub(crate) fn remove_session(
        &self,
        entry: &SessionEntry,
        contact: Option<&str>,
        tombstone: Option<Tombstone>,
    ) {
        self.registry.remove(entry, contact, tombstone);
        for command in entry.mailbox.close() {
            if let Command::Link(mut link) = command
                && let Some(refused) = link.refused.take()
            {
                // The receiver may be gone; then no task waits for the link.
                let _ = refused.send((link, None));
            }
        }
        let lease = Lease { session: entry.sid.clone(), node: self.name.to_string(), fence: entry.fence };
        let store = self.store.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = store.release(&lease).await {
                    tracing::warn!(sid = %lease.session, %error, "failed to release the lease");
                }
            });
        }
        if self.live.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.emptied.notify_waiters();
        }
    }
}
