//! How the rest of the process reaches the task that owns a session: rare commands, never messages.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use undrop_transport::sync::{lock, register_waker};

/// A queue of commands that costs nothing on the heap while it is empty, and one atomic load per wake-up.
#[derive(Debug)]
pub struct Mailbox<C> {
    waiting: AtomicBool,
    inner: Mutex<Inner<C>>,
}

#[derive(Debug)]
struct Inner<C> {
    commands: Vec<C>,
    waker: Option<Waker>,
    closed: bool,
}

impl<C> Default for Mailbox<C> {
    fn default() -> Self {
        Mailbox::new()
    }
}

impl<C> Mailbox<C> {
    /// An empty queue that nobody waits at.
    pub fn new() -> Mailbox<C> {
        Mailbox {
            waiting: AtomicBool::new(false),
            inner: Mutex::new(Inner { commands: Vec::new(), waker: None, closed: false }),
        }
    }

    /// Hands a command to the owner; gives it back when the owner is gone.
    pub fn send(&self, command: C) -> Result<(), C> {
        let waker = {
            let mut inner = lock(&self.inner);
            if inner.closed {
                return Err(command);
            }
            inner.commands.push(command);
            self.waiting.store(true, Ordering::Release);
            inner.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Remembers whom to wake. Called once per poll by the owner; takes the lock only when the waker changed.
    pub fn register(&self, cx: &Context<'_>, known: &mut Option<Waker>) {
        if register_waker(known, cx) {
            lock(&self.inner).waker = Some(cx.waker().clone());
        }
    }

    /// What has arrived, oldest first. One atomic load when that is nothing.
    pub fn take(&self) -> Vec<C> {
        if !self.waiting.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut inner = lock(&self.inner);
        self.waiting.store(false, Ordering::Release);
        std::mem::take(&mut inner.commands)
    }

    /// The owner ends: later commands are handed back to their senders, waiting ones are returned here.
    pub fn close(&self) -> Vec<C> {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        inner.waker = None;
        std::mem::take(&mut inner.commands)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn commands_come_out_in_order_and_a_closed_box_hands_them_back() {
        let mailbox = Mailbox::new();
        assert!(mailbox.take().is_empty());
        mailbox.send(1).unwrap();
        mailbox.send(2).unwrap();
        assert_eq!(mailbox.take(), [1, 2]);
        assert!(mailbox.take().is_empty());
        mailbox.send(3).unwrap();
        assert_eq!(mailbox.close(), [3]);
        assert_eq!(mailbox.send(4), Err(4));
    }
}
