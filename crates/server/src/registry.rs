//! The registry of this node: live sessions, first contacts, and tombstones.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;
use undrop_session::{SessionId, SessionKey};
use undrop_transport::sync::lock;

use crate::command::Command;
use crate::mailbox::Mailbox;
use crate::tombstone::{Tombstone, Tombstones};

/// The entry of a live session.
#[derive(Debug)]
pub(crate) struct SessionEntry {
    pub(crate) sid: SessionId,
    pub(crate) key: SessionKey,
    /// The principal that opened the session; a resume must come from the same one.
    pub(crate) principal: Box<str>,
    /// The subprotocol that the backend chose.
    pub(crate) protocol: Option<Box<str>>,
    /// The fence of the lease in the store.
    pub(crate) fence: u64,
    pub(crate) mailbox: Mailbox<Command>,
    /// The memory of the session while detached, in bytes; 0 while attached.
    pub(crate) detached_bytes: AtomicUsize,
    /// The order in which sessions were detached, for eviction: a smaller number is longer ago.
    pub(crate) detached_order: AtomicU64,
}

/// All sessions of this node.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    state: Mutex<RegistryState>,
    detached_total: AtomicUsize,
    detachments: AtomicU64,
}

#[derive(Debug, Default)]
struct RegistryState {
    sessions: HashMap<SessionId, Arc<SessionEntry>>,
    /// First contacts of sessions that no link has confirmed yet.
    contacts: HashMap<Box<str>, ContactState>,
    /// Sessions that cannot be resumed.
    lost: Tombstones,
    /// Sessions that their clients closed. They are kept apart so that they do not displace the others.
    closed: Tombstones,
}

#[derive(Debug)]
enum ContactState {
    /// Its session is being created; the claim has the sender.
    Creating(watch::Receiver<()>),
    Session(SessionId),
}

/// The result of looking up a first contact.
pub(crate) enum FirstContact {
    /// The session that it created before.
    Session(Arc<SessionEntry>),
    /// An earlier attempt creates the session; it has ended when the channel is closed.
    Creating(watch::Receiver<()>),
    /// There is no session; the caller has the right to create it.
    Free(Claim),
}

/// The right to create the session of a first contact. Other attempts wait until it is used or dropped.
pub(crate) struct Claim {
    registry: Arc<Registry>,
    pub(crate) contact: Box<str>,
    _done: watch::Sender<()>,
    used: bool,
}

impl Claim {
    /// Registers the created session, so that other attempts find it.
    pub(crate) fn fulfil(mut self, entry: &SessionEntry) -> Box<str> {
        self.used = true;
        let contact = self.contact.clone();
        self.registry.lock().contacts.insert(contact.clone(), ContactState::Session(entry.sid.clone()));
        contact
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim").field("contact", &self.contact).finish_non_exhaustive()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.used {
            self.registry.lock().contacts.remove(&self.contact);
        }
    }
}

impl Registry {
    /// Adds a session, which can then be found by its id.
    pub(crate) fn insert(&self, entry: Arc<SessionEntry>) {
        self.lock().sessions.insert(entry.sid.clone(), entry);
    }

    /// Returns the unconfirmed session of a first contact, or the right to create it.
    pub(crate) fn contact(self: &Arc<Self>, contact: &str) -> FirstContact {
        let mut state = self.lock();
        match state.contacts.get(contact) {
            Some(ContactState::Creating(done)) => return FirstContact::Creating(done.clone()),
            Some(ContactState::Session(sid)) => {
                if let Some(entry) = state.sessions.get(sid) {
                    return FirstContact::Session(entry.clone());
                }
            }
            None => {}
        }
        let (done, waiting) = watch::channel(());
        state.contacts.insert(contact.into(), ContactState::Creating(waiting));
        FirstContact::Free(Claim {
            registry: self.clone(),
            contact: contact.into(),
            _done: done,
            used: false,
        })
    }

    /// Removes a first-contact id: the client has proved that it has the session's key.
    pub(crate) fn confirm(&self, contact: &str) {
        self.lock().contacts.remove(contact);
    }

    /// Removes a session that ended. `tombstone` is kept for a client that may still ask for it.
    pub(crate) fn remove(&self, entry: &SessionEntry, contact: Option<&str>, tombstone: Option<Tombstone>) {
        self.set_attached(entry);
        let mut state = self.lock();
        state.sessions.remove(&entry.sid);
        if let Some(contact) = contact
            && matches!(state.contacts.get(contact), Some(ContactState::Session(sid)) if *sid == entry.sid)
        {
            state.contacts.remove(contact);
        }
        if let Some(tombstone) = tombstone {
            let tombstones = if tombstone.why.is_some() { &mut state.lost } else { &mut state.closed };
            tombstones.add(entry.sid.clone(), tombstone);
        }
    }

    /// Records the memory of a detached session. Returns whether the total exceeds `budget`.
    pub(crate) fn set_detached(&self, entry: &SessionEntry, bytes: usize, budget: usize) -> bool {
        let before = entry.detached_bytes.swap(bytes.max(1), Ordering::Relaxed);
        if before == 0 {
            entry.detached_order.store(self.detachments.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        }
        self.detached_total.fetch_add(bytes.max(1), Ordering::Relaxed);
        self.detached_total.fetch_sub(before, Ordering::Relaxed);
        self.detached_total.load(Ordering::Relaxed) > budget
    }

    /// Records that the session has a link again, or ended.
    pub(crate) fn set_attached(&self, entry: &SessionEntry) {
        let before = entry.detached_bytes.swap(0, Ordering::Relaxed);
        self.detached_total.fetch_sub(before, Ordering::Relaxed);
    }

    /// Evicts the sessions that hold most memory, among equals those detached for the longest time, until `budget` is met.
    /// Returns the number of evicted sessions.
    pub(crate) fn evict_down_to(&self, budget: usize) -> usize {
        let mut detached: Vec<(usize, u64, Arc<SessionEntry>)> = self
            .lock()
            .sessions
            .values()
            .map(|e| {
                (
                    e.detached_bytes.load(Ordering::Relaxed),
                    e.detached_order.load(Ordering::Relaxed),
                    e.clone(),
                )
            })
            .filter(|(bytes, ..)| *bytes > 0)
            .collect();
        detached.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut excess = self.detached_total.load(Ordering::Relaxed).saturating_sub(budget);
        let mut evicted = 0;
        for (bytes, _, entry) in detached {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(bytes);
            if entry.mailbox.send(Command::Evict).is_ok() {
                evicted += 1;
            }
        }
        evicted
    }

    pub(crate) fn get(&self, sid: &SessionId) -> Option<Arc<SessionEntry>> {
        self.lock().sessions.get(sid).cloned()
    }

    pub(crate) fn tombstone(&self, sid: &SessionId) -> Option<Tombstone> {
        let state = self.lock();
        state.lost.get(sid).or_else(|| state.closed.get(sid)).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<SessionEntry>> {
        self.lock().sessions.values().cloned().collect()
    }

    pub(crate) fn detached_bytes(&self) -> usize {
        self.detached_total.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, RegistryState> {
        lock(&self.state)
    }
}
