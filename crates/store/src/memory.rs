//! A store in the memory of one process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use undrop_session::SessionId;

use crate::{Lease, SessionStore, StoreError};

/// The default maximum number of sessions in a store.
const DEFAULT_LIMIT: usize = 1 << 20;

/// A session store for a single process. Its content is lost when the process exits.
#[derive(Debug)]
pub struct MemoryStore {
    leases: Mutex<HashMap<SessionId, (String, u64)>>,
    /// The last fence. One counter serves all sessions, so a fence is new even after a release.
    fences: AtomicU64,
    limit: usize,
}

impl MemoryStore {
    /// Creates an empty store for at most 1,048,576 sessions.
    pub fn new() -> MemoryStore {
        MemoryStore::with_limit(DEFAULT_LIMIT)
    }

    /// Creates an empty store for at most `limit` sessions.
    pub fn with_limit(limit: usize) -> MemoryStore {
        MemoryStore { leases: Mutex::default(), fences: AtomicU64::new(0), limit }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, (String, u64)>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::new()
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn claim(&self, session: &SessionId, node: &str) -> Result<Lease, StoreError> {
        let mut leases = self.lock();
        if leases.len() >= self.limit && !leases.contains_key(session) {
            return Err(StoreError::Full { limit: self.limit });
        }
        let fence = self.fences.fetch_add(1, Ordering::Relaxed) + 1;
        leases.insert(session.clone(), (node.to_owned(), fence));
        Ok(Lease { session: session.clone(), node: node.to_owned(), fence })
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut leases = self.lock();
        if let Some((node, fence)) = leases.get(&lease.session)
            && *fence > lease.fence
        {
            return Err(StoreError::Fenced {
                session: lease.session.clone(),
                node: node.clone(),
                fence: *fence,
            });
        }
        leases.remove(&lease.session);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn session(byte: u8) -> SessionId {
        SessionId::new("n", [byte; 16]).unwrap()
    }

    #[tokio::test]
    async fn a_later_claim_has_a_higher_fence_and_replaces_the_owner() {
        let store = MemoryStore::new();
        let first = store.claim(&session(1), "a").await.unwrap();
        let second = store.claim(&session(1), "b").await.unwrap();
        assert!(second.fence > first.fence);
        let fenced = StoreError::Fenced { session: session(1), node: "b".to_owned(), fence: second.fence };
        assert_eq!(store.release(&first).await, Err(fenced), "a replaced lease releases nothing");
        assert_eq!(store.release(&second).await, Ok(()));
    }

    #[tokio::test]
    async fn fences_grow_across_a_release() {
        let store = MemoryStore::new();
        let first = store.claim(&session(1), "a").await.unwrap();
        store.release(&first).await.unwrap();
        assert_eq!(store.release(&first).await, Ok(()), "a second release has no effect");
        let second = store.claim(&session(1), "a").await.unwrap();
        assert!(second.fence > first.fence);
        assert!(store.release(&first).await.is_err(), "an old lease cannot release a new claim");
    }

    #[tokio::test]
    async fn the_number_of_sessions_is_limited() {
        let store = MemoryStore::with_limit(1);
        let lease = store.claim(&session(1), "n").await.unwrap();
        assert_eq!(store.claim(&session(2), "n").await, Err(StoreError::Full { limit: 1 }));
        assert!(
            store.claim(&session(1), "m").await.is_ok(),
            "a known session can be claimed in a full store"
        );
        assert!(store.release(&lease).await.is_err());
    }
}
