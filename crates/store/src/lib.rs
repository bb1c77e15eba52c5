//! The session store, which records which node owns a session.
//!
//! Every claim of a session gets a *fence*, a number that is higher than those of all earlier claims, so a former owner cannot
//! release a session that another node has claimed in the meantime. The gateway uses the store only when a session is created and
//! when it ends, never for a message. [`MemoryStore`] serves a single process.

mod memory;

pub use memory::MemoryStore;

use async_trait::async_trait;
use undrop_session::SessionId;

/// Proof of the ownership of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The id of the owned session.
    pub session: SessionId,
    /// The name of the node that owns the session.
    pub node: String,
    /// The fence of the claim; every later claim of the same session has a higher one.
    pub fence: u64,
}

/// The reason why a store rejected a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another node claimed the session later, with a higher fence.
    #[error("session {session} has a newer owner ({node}, fence {fence})")]
    Fenced {
        /// The id of the session.
        session: SessionId,
        /// The name of the present owner.
        node: String,
        /// The fence of the present owner.
        fence: u64,
    },
    /// The store cannot hold more sessions.
    #[error("the session store is full ({limit} sessions); raise its limit or end sessions")]
    Full {
        /// The maximum number of sessions in the store.
        limit: usize,
    },
}

/// Storage for the ownership of sessions.
///
/// An implementation must never assign the same fence to a session twice, not even after a release, and must reject a release with
/// a fence that is not the newest.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Makes `node` the owner of the session, replacing any other owner, with a fence above those of all earlier claims.
    ///
    /// # Errors
    /// Returns [`StoreError::Full`] if the store cannot hold another session.
    async fn claim(&self, session: &SessionId, node: &str) -> Result<Lease, StoreError>;

    /// Removes the session from the store. Does nothing if the session has no owner.
    ///
    /// # Errors
    /// Returns [`StoreError::Fenced`], without a change, if another claim has replaced the lease.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;
}
