//! Which task owns which session on this node, and what is remembered of sessions that ended.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use undrop_session::{Loss, LossReason, SessionId, SessionKey};

use crate::driver::Command;
use crate::mailbox::Mailbox;

/// Ended sessions that are remembered, so that a late client learns what was taken. About 100 bytes each.
const REMEMBERED: usize = 16 * 1024;

/// What others may know of a live session.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) sid: SessionId,
    pub(crate) key: SessionKey,
    /// Who opened it: a resume must come from the same origin over the same route.
    pub(crate) principal: Box<str>,
    /// The sub-protocol that the backend chose.
    pub(crate) protocol: Option<Box<str>>,
    /// Of our lease in the store.
    pub(crate) fence: u64,
    pub(crate) mailbox: Mailbox<Command>,
    /// Bytes held while no link is there; 0 while attached.
    pub(crate) parked_bytes: AtomicUsize,
    /// Order of parking, for eviction: smaller is longer ago.
    pub(crate) parked_order: AtomicU64,
}

/// What is remembered of an ended session.
#[derive(Debug, Clone)]
pub(crate) struct Tomb {
    pub(crate) key: SessionKey,
    pub(crate) why: LossReason,
    /// Client units the backend took.
    pub(crate) taken: u64,
    /// Server units that were numbered.
    pub(crate) sent: u64,
}

impl Tomb {
    /// What a client that took `rx` units is told.
    pub(crate) fn loss(&self, rx: u64) -> Loss {
        let lost = (self.sent > rx).then_some((rx + 1, self.sent));
        Loss { why: self.why, acc: self.taken, lost }
    }
}

/// All sessions of this node.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    inner: Mutex<Inner>,
    parked_total: AtomicUsize,
    parkings: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    sessions: HashMap<SessionId, Arc<Entry>>,
    /// First-contact ids of sessions that no link has confirmed yet.
    contacts: HashMap<Box<str>, SessionId>,
    tombs: HashMap<SessionId, Tomb>,
    tomb_order: VecDeque<SessionId>,
}

impl Registry {
    /// A new session, reachable by its id and, until confirmed, by its first-contact id.
    pub(crate) fn insert(&self, entry: Arc<Entry>, contact: &str) {
        let mut inner = self.lock();
        inner.contacts.insert(contact.into(), entry.sid.clone());
        inner.sessions.insert(entry.sid.clone(), entry);
    }

    /// The client proved that it has the session's key: the first-contact id opens nothing any more.
    pub(crate) fn confirm(&self, contact: &str) {
        self.lock().contacts.remove(contact);
    }

    /// The session ended; a tomb is kept when a client could still ask for it.
    pub(crate) fn remove(&self, entry: &Entry, contact: Option<&str>, tomb: Option<Tomb>) {
        self.unpark(entry);
        let mut inner = self.lock();
        inner.sessions.remove(&entry.sid);
        if let Some(contact) = contact {
            inner.contacts.remove(contact);
        }
        if let Some(tomb) = tomb {
            if inner.tomb_order.len() >= REMEMBERED
                && let Some(oldest) = inner.tomb_order.pop_front()
            {
                inner.tombs.remove(&oldest);
            }
            inner.tomb_order.push_back(entry.sid.clone());
            inner.tombs.insert(entry.sid.clone(), tomb);
        }
    }

    /// States how much a session without a link holds. Returns true when the total is over `budget`.
    pub(crate) fn park(&self, entry: &Entry, bytes: usize, budget: usize) -> bool {
        let before = entry.parked_bytes.swap(bytes.max(1), Ordering::Relaxed);
        if before == 0 {
            entry.parked_order.store(self.parkings.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        }
        self.parked_total.fetch_add(bytes.max(1), Ordering::Relaxed);
        self.parked_total.fetch_sub(before, Ordering::Relaxed);
        self.parked_total.load(Ordering::Relaxed) > budget
    }

    /// The session has a link again or ended.
    pub(crate) fn unpark(&self, entry: &Entry) {
        let before = entry.parked_bytes.swap(0, Ordering::Relaxed);
        self.parked_total.fetch_sub(before, Ordering::Relaxed);
    }

    /// Tells the sessions that hold most, longest parked first among equals, to end until `budget` is met.
    /// Returns how many were told.
    pub(crate) fn evict_down_to(&self, budget: usize) -> usize {
        let mut parked: Vec<(usize, u64, Arc<Entry>)> = self
            .lock()
            .sessions
            .values()
            .map(|e| {
                (e.parked_bytes.load(Ordering::Relaxed), e.parked_order.load(Ordering::Relaxed), e.clone())
            })
            .filter(|(bytes, ..)| *bytes > 0)
            .collect();
        parked.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut excess = self.parked_total.load(Ordering::Relaxed).saturating_sub(budget);
        let mut told = 0;
        for (bytes, _, entry) in parked {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(bytes);
            if entry.mailbox.send(Command::Evict).is_ok() {
                told += 1;
            }
        }
        told
    }

    pub(crate) fn get(&self, sid: &SessionId) -> Option<Arc<Entry>> {
        self.lock().sessions.get(sid).cloned()
    }

    /// The unconfirmed session that a repeated first contact belongs to.
    pub(crate) fn by_contact(&self, contact: &str) -> Option<Arc<Entry>> {
        let inner = self.lock();
        inner.contacts.get(contact).and_then(|sid| inner.sessions.get(sid)).cloned()
    }

    pub(crate) fn tomb(&self, sid: &SessionId) -> Option<Tomb> {
        self.lock().tombs.get(sid).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.lock().sessions.values().cloned().collect()
    }

    pub(crate) fn parked_bytes(&self) -> usize {
        self.parked_total.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
