//! Which task owns which session on this node, and what is remembered of sessions that ended.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;
use undrop_session::{Loss, LossReason, SessionId, SessionKey};
use undrop_transport::sync::lock;

use crate::driver::Command;
use crate::mailbox::Mailbox;
use crate::sessions::Shared;

/// Sessions of one kind of end that are remembered, so that a late client learns what was taken. About 150 bytes each.
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
    /// Why it cannot be resumed; None: its client closed it, and everything up to that close was taken.
    pub(crate) why: Option<LossReason>,
    /// Client units the backend took.
    pub(crate) taken: u64,
    /// Server units that were numbered.
    pub(crate) sent: u64,
}

impl Tomb {
    /// What a client that took `rx` units is told.
    pub(crate) fn loss(&self, rx: u64) -> Loss {
        let lost = (self.sent > rx).then_some((rx + 1, self.sent));
        Loss { why: self.why.unwrap_or(LossReason::Unknown), acc: self.taken, lost }
    }
}

/// The newest tombs.
#[derive(Debug, Default)]
struct Tombs {
    by_name: HashMap<SessionId, Tomb>,
    order: VecDeque<SessionId>,
}

impl Tombs {
    fn add(&mut self, sid: SessionId, tomb: Tomb) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_name.remove(&oldest);
        }
        self.order.push_back(sid.clone());
        self.by_name.insert(sid, tomb);
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
    /// First contacts of sessions that no link has confirmed yet.
    contacts: HashMap<Box<str>, Contact>,
    /// Sessions that cannot be resumed.
    lost: Tombs,
    /// Sessions that their clients closed; apart, so that many of them do not push out the others.
    closed: Tombs,
}

#[derive(Debug)]
enum Contact {
    /// Its backend is being reached; the sender is in the claim.
    Founding(watch::Receiver<()>),
    Session(SessionId),
}

/// What a first contact finds.
pub(crate) enum Found {
    /// The session that it founded before.
    Session(Arc<Entry>),
    /// An earlier one is at it; over when the channel is closed.
    Founding(watch::Receiver<()>),
    /// Nobody: it is the caller's to found.
    Free(Claim),
}

/// The right to found the session of a first contact. Others wait until it is used or dropped.
pub(crate) struct Claim {
    shared: Arc<Shared>,
    pub(crate) contact: Box<str>,
    _done: watch::Sender<()>,
    used: bool,
}

impl Claim {
    /// The session is there; others find it.
    pub(crate) fn fulfil(mut self, entry: &Entry) -> Box<str> {
        self.used = true;
        let contact = self.contact.clone();
        self.shared.registry.lock().contacts.insert(contact.clone(), Contact::Session(entry.sid.clone()));
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
            self.shared.registry.lock().contacts.remove(&self.contact);
        }
    }
}

impl Registry {
    /// A new session, reachable by its id.
    pub(crate) fn insert(&self, entry: Arc<Entry>) {
        self.lock().sessions.insert(entry.sid.clone(), entry);
    }

    /// The unconfirmed session of a first contact, or the right to found it.
    pub(crate) fn contact(shared: &Arc<Shared>, contact: &str) -> Found {
        let mut inner = shared.registry.lock();
        match inner.contacts.get(contact) {
            Some(Contact::Founding(done)) => return Found::Founding(done.clone()),
            Some(Contact::Session(sid)) => {
                if let Some(entry) = inner.sessions.get(sid) {
                    return Found::Session(entry.clone());
                }
            }
            None => {}
        }
        let (done, waiting) = watch::channel(());
        inner.contacts.insert(contact.into(), Contact::Founding(waiting));
        Found::Free(Claim { shared: shared.clone(), contact: contact.into(), _done: done, used: false })
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
        if let Some(contact) = contact
            && matches!(inner.contacts.get(contact), Some(Contact::Session(sid)) if *sid == entry.sid)
        {
            inner.contacts.remove(contact);
        }
        if let Some(tomb) = tomb {
            let tombs = if tomb.why.is_some() { &mut inner.lost } else { &mut inner.closed };
            tombs.add(entry.sid.clone(), tomb);
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

    pub(crate) fn tomb(&self, sid: &SessionId) -> Option<Tomb> {
        let inner = self.lock();
        inner.lost.by_name.get(sid).or_else(|| inner.closed.by_name.get(sid)).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.lock().sessions.values().cloned().collect()
    }

    pub(crate) fn parked_bytes(&self) -> usize {
        self.parked_total.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}
