//! The state that a worker and one of its connections exchange.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::Duration;

use crate::engine::send_times::SendTimes;

/// Requests of the worker to one connection, and the state by which the worker decides about it.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    waker: RefCell<Option<Waker>>,
    send_times: Cell<Option<SendTimes>>,
    /// The number of messages that the schedule wanted sent so far.
    pub(crate) due: Cell<u64>,
    /// Set when the connection should send a Ping.
    pub(crate) ping: Cell<bool>,
    /// Set when the connection should drop its link without a Close frame.
    pub(crate) cut: Cell<bool>,
    pub(crate) liveness: Liveness,
}

/// Whether the peer of a connection still responds.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    /// The time of the last receipt, or of the message since which a reply is awaited.
    pub(crate) last_active_us: Cell<u64>,
    /// Set while a reply is awaited, so that silence means that the connection is dead.
    pub(crate) awaits_reply: Cell<bool>,
    /// Set by the worker when the silence has lasted too long.
    is_dead: Cell<bool>,
    /// The time of the next Ping; 0 until it is chosen.
    next_ping_us: Cell<u64>,
}

impl Signals {
    /// Registers the task of the connection. The connection must call this whenever it is polled.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut current = self.waker.borrow_mut();
        if !current.as_ref().is_some_and(|current| current.will_wake(waker)) {
            *current = Some(waker.clone());
        }
    }

    /// Wakes the task of the connection.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn send_times(&self) -> Option<SendTimes> {
        self.send_times.get()
    }

    pub(crate) fn set_send_times(&self, times: SendTimes) {
        self.send_times.set(Some(times));
    }

    /// Takes the connection off the schedule, because it is closed and will not be opened again.
    pub(crate) fn retire(&self) {
        self.send_times.set(None);
        self.liveness.awaits_reply.set(false);
        *self.waker.borrow_mut() = None;
    }
}

impl Liveness {
    /// Marks the peer as dead if a reply has been awaited for longer than `limit`. Returns whether it was marked.
    pub(crate) fn check(&self, now_us: u64, limit_us: u64) -> bool {
        let silent = self.awaits_reply.get() && now_us.saturating_sub(self.last_active_us.get()) > limit_us;
        if silent {
            self.is_dead.set(true);
        }
        silent
    }

    /// Returns whether the peer was marked as dead since the last call.
    pub(crate) fn take_dead(&self) -> bool {
        self.is_dead.take()
    }

    /// Returns whether a Ping is due, and chooses the time of the next one. Connection `index` of `count` gets its own place in
    /// the interval, so that the Pings of all connections are spread evenly.
    pub(crate) fn is_ping_due(&self, now_us: u64, interval: Duration, index: usize, count: usize) -> bool {
        let interval_us = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX).max(1);
        let due = self.next_ping_us.get();
        if due == 0 {
            self.next_ping_us.set(now_us + interval_us * (index as u64 + 1) / count.max(1) as u64);
            return false;
        }
        if due <= now_us {
            self.next_ping_us.set(due + interval_us);
        }
        due <= now_us
    }
}
