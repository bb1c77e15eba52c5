//! Tombstones of ended sessions, from which a late client learns which units were accepted.

use std::collections::{HashMap, VecDeque};

use undrop_session::{Loss, LossReason, SessionId, SessionKey};

/// The number of sessions that are remembered for each kind of end. A tombstone takes about 150 bytes.
const REMEMBERED: usize = 16 * 1024;

/// The tombstone of an ended session.
#[derive(Debug, Clone)]
pub(crate) struct Tombstone {
    pub(crate) key: SessionKey,
    /// The reason why it cannot be resumed. `None`: its client closed it, and the backend accepted everything up to that
    /// close.
    pub(crate) why: Option<LossReason>,
    /// The number of client units that the backend accepted.
    pub(crate) taken: u64,
    /// The number of server units.
    pub(crate) sent: u64,
}

impl Tombstone {
    /// Returns the loss for a client that consumed `rx` units.
    pub(crate) fn loss(&self, rx: u64) -> Loss {
        let lost = (self.sent > rx).then_some((rx + 1, self.sent));
        Loss { why: self.why.unwrap_or(LossReason::Unknown), acc: self.taken, lost }
    }
}

/// The newest tombstones, at most [`REMEMBERED`].
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    by_name: HashMap<SessionId, Tombstone>,
    order: VecDeque<SessionId>,
}

impl Tombstones {
    pub(crate) fn add(&mut self, sid: SessionId, tombstone: Tombstone) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_name.remove(&oldest);
        }
        self.order.push_back(sid.clone());
        self.by_name.insert(sid, tombstone);
    }

    pub(crate) fn get(&self, sid: &SessionId) -> Option<&Tombstone> {
        self.by_name.get(sid)
    }
}
