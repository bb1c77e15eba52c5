//! Ownership in the memory of one process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use undrop_session::SessionId;

use crate::{Lease, SessionStore, StoreError};

/// Sessions that a store holds unless told otherwise.
const DEFAULT_LIMIT: usize = 1 << 20;

/// A store for one process: nothing survives its end.
#[derive(Debug)]
pub struct MemoryStore {
    leases: Mutex<HashMap<SessionId, (String, u64)>>,
    /// One counter for all sessions, so that a fence is new even after a release.
    fences: AtomicU64,
    limit: usize,
}

impl MemoryStore {
    /// An empty store for at most 1,048,576 sessions.
    pub fn new() -> MemoryStore {
        MemoryStore::with_limit(DEFAULT_LIMIT)
    }

    /// An empty store for at most `limit` sessions.
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

    async fn owner(&self, session: &SessionId) -> Result<Option<Lease>, StoreError> {
        let leases = self.lock();
        Ok(leases.get(session).map(|(node, fence)| Lease {
            session: session.clone(),
            node: node.clone(),
            fence: *fence,
        }))
    }

    async fn verify(&self, lease: &Lease) -> Result<(), StoreError> {
        match self.lock().get(&lease.session) {
            Some((node, fence)) if *fence > lease.fence => {
                Err(StoreError::Fenced { session: lease.session.clone(), node: node.clone(), fence: *fence })
            }
            _ => Ok(()),
        }
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.verify(lease).await?;
        self.lock().remove(&lease.session);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn conforms() {
        crate::conformance::run(|| Arc::new(MemoryStore::new())).await;
    }

    #[tokio::test]
    async fn is_bounded() {
        let store = MemoryStore::with_limit(1);
        let one = SessionId::new("n", [1; 16]).unwrap();
        let two = SessionId::new("n", [2; 16]).unwrap();
        let lease = store.claim(&one, "n").await.unwrap();
        assert_eq!(store.claim(&two, "n").await, Err(StoreError::Full { limit: 1 }));
        assert!(store.claim(&one, "m").await.is_ok(), "a known session may change hands in a full store");
        assert!(store.release(&lease).await.is_err());
    }
}
