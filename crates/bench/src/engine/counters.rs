//! Numbers of connections in each state.

use std::cell::Cell;

use tokio::sync::Notify;

/// The numbers of a worker's connections in each state. The worker is notified of every change.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// The number of connections that are open.
    pub(crate) alive: Cell<u64>,
    /// The number of handshakes in progress.
    pub(crate) opening: Cell<u64>,
    /// The number of connections whose first handshake has succeeded or failed.
    pub(crate) attempted: Cell<u64>,
    /// The number of connections, or virtual users, whose task is running.
    pub(crate) active: Cell<u64>,
    changed: Notify,
}

impl Counters {
    /// Changes one of the counters.
    pub(crate) fn change(&self, counter: &Cell<u64>, by: i64) {
        counter.set(counter.get().saturating_add_signed(by));
        self.notify();
    }

    /// Notifies the worker that something it waits for may have changed.
    pub(crate) fn notify(&self) {
        self.changed.notify_one();
    }

    /// Waits for the next notification.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}
