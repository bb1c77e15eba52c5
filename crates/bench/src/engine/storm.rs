//! The progress of a reconnect storm.

use std::cell::Cell;

/// The number of links that were lost in a storm, and of those that were restored.
#[derive(Debug, Default)]
pub(crate) struct StormProgress {
    /// The time when the first link was lost, or when all were cut.
    pub(crate) started_us: Cell<Option<u64>>,
    /// The number of connections that lost their link; further losses of the same connection do not count.
    pub(crate) lost: Cell<u64>,
    /// The number of those that were restored.
    pub(crate) restored: Cell<u64>,
    /// The number of those that gave up.
    pub(crate) given_up: Cell<u64>,
}

impl StormProgress {
    /// Records the start of the storm, unless it has started already.
    pub(crate) fn start(&self, now_us: u64) {
        if self.started_us.get().is_none() {
            self.started_us.set(Some(now_us));
        }
    }

    /// Returns whether every lost link was restored or given up.
    pub(crate) fn is_settled(&self) -> bool {
        self.restored.get() + self.given_up.get() >= self.lost.get()
    }
}
