//! The connections of a worker, as the worker sees them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::connection::signals::Signals;

/// The signals of all connections of a worker.
#[derive(Debug, Default)]
pub(crate) struct Connections(RefCell<Vec<Rc<Signals>>>);

impl Connections {
    /// Adds a connection that stays until the end of the run.
    pub(crate) fn add(&self, signals: Rc<Signals>) {
        self.0.borrow_mut().push(signals);
    }

    /// Adds a connection that is replaced by others during the run, and removes those whose task has ended. `active` is the
    /// number of tasks that are running.
    pub(crate) fn add_short_lived(&self, signals: Rc<Signals>, active: u64) {
        let mut all = self.0.borrow_mut();
        if all.len() as u64 > 2 * active + 64 {
            all.retain(|signals| Rc::strong_count(signals) > 1);
        }
        all.push(signals);
    }

    pub(crate) fn wake_all(&self) {
        self.0.borrow().iter().for_each(|signals| signals.wake());
    }

    /// Makes all connections drop their links.
    pub(crate) fn cut_all(&self) {
        for signals in self.0.borrow().iter() {
            signals.cut.set(true);
            signals.wake();
        }
    }

    /// Returns whether any connection awaits a reply.
    pub(crate) fn any_awaits_reply(&self) -> bool {
        self.0.borrow().iter().any(|signals| signals.liveness.awaits_reply.get())
    }

    /// Marks connections as dead that have awaited a reply for longer than `limit_us`.
    pub(crate) fn check_liveness(&self, now_us: u64, limit_us: u64) {
        for signals in self.0.borrow().iter() {
            if signals.liveness.check(now_us, limit_us) {
                signals.wake();
            }
        }
    }

    /// Makes connections send the Pings that are due.
    pub(crate) fn request_pings(&self, now_us: u64, interval: Duration) {
        let all = self.0.borrow();
        for (index, signals) in all.iter().enumerate() {
            if signals.liveness.is_ping_due(now_us, interval, index, all.len()) {
                signals.ping.set(true);
                signals.wake();
            }
        }
    }
}
