//! The session store: who owns a session, with fences that tell an old owner that it was replaced.
//!
//! The gateway asks it when a session begins, ends, or arrives at a node that does not hold it, never on the way of a
//! message. [`MemoryStore`] serves one process. Every other store must pass [`conformance::run`].

mod memory;

pub mod conformance;

pub use memory::MemoryStore;

use async_trait::async_trait;
use undrop_session::SessionId;

/// Proof of ownership. A higher fence is newer; an owner that meets one has lost the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The session.
    pub session: SessionId,
    /// The node that owns it.
    pub node: String,
    /// Strictly higher for every later claim of the same session.
    pub fence: u64,
}

/// Why a store could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody claimed the session with a higher fence.
    #[error("session {session} has a newer owner ({node}, fence {fence})")]
    Fenced {
        /// The session.
        session: SessionId,
        /// Its owner.
        node: String,
        /// The owner's fence.
        fence: u64,
    },
    /// The store cannot hold more sessions.
    #[error("the store is full ({limit} sessions)")]
    Full {
        /// Its bound.
        limit: usize,
    },
    /// The store cannot be reached or failed; trying again may help.
    #[error("the store failed: {0}")]
    Unavailable(String),
}

/// Where ownership of sessions is kept.
///
/// Implementations may be slow and may fail with [`StoreError::Unavailable`]. They must never hand out the same fence
/// twice for a session, not even after a release, and must refuse whoever shows an older one.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Makes `node` the owner, whoever was it before, with a fence above every earlier one.
    async fn claim(&self, session: &SessionId, node: &str) -> Result<Lease, StoreError>;

    /// The current owner; None when nobody holds the session.
    async fn owner(&self, session: &SessionId) -> Result<Option<Lease>, StoreError>;

    /// Is `lease` still the newest? Errors with [`StoreError::Fenced`] when it is not.
    async fn verify(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Gives the session up. A lease that was replaced changes nothing and is told so.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;
}
