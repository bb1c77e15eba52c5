//! A fault that is assigned to a connection.

use std::sync::Arc;
use std::time::Instant;

use crate::spec::FaultSpec;

/// A fault that is assigned to a connection.
#[derive(Debug, Clone)]
pub(crate) struct AssignedFault {
    /// Identifies the fault on the proxy, so that it can be removed.
    pub(crate) tag: u64,
    /// The name under which the fault was added, for the log.
    pub(crate) name: Arc<str>,
    pub(crate) spec: Arc<FaultSpec>,
    /// The time at which the fault was added to the proxy.
    pub(crate) since: Instant,
    /// The seed of all random draws of the fault on this connection.
    pub(crate) seed: u64,
}
