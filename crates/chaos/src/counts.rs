//! The counters of a proxy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The counters of a proxy since its start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// The number of connections accepted.
    pub opened: u64,
    /// The number of connections that are open now.
    pub open: u64,
    /// The number of connections that a fault ended.
    pub cut: u64,
    /// The number of faults injected, by kind.
    pub injected: BTreeMap<String, u64>,
}
