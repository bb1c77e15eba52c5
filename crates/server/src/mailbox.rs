//! The mailbox of a session's task, for rare commands, never for messages.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use undrop_transport::sync::{lock, register_waker};

/// A queue of commands. An empty one owns no heap memory and costs one atomic load per wake-up.
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
    /// Creates an empty queue.
    pub fn new() -> Mailbox<C> {
        Mailbox {
            waiting: AtomicBool::new(false),
            inner: Mutex::new(Inner { commands: Vec::new(), waker: None, closed: false }),
        }
    }

    /// Sends a command to the owner.
    ///
    /// # Errors
    /// The owner is gone; returns the command.
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

    /// Registers the waker of the owner, which calls this once per poll. Locks only if the waker changed.
    pub fn register(&self, cx: &Context<'_>, known: &mut Option<Waker>) {
        if register_waker(known, cx) {
            lock(&self.inner).waker = Some(cx.waker().clone());
        }
    }

    /// Returns the commands that arrived, oldest first. An empty queue costs one atomic load.
    pub fn take(&self) -> Vec<C> {
        if !self.waiting.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut inner = lock(&self.inner);
        self.waiting.store(false, Ordering::Release);
        std::mem::take(&mut inner.commands)
    }

    /// Closes the queue, because the owner ends. Returns the waiting commands; later ones are returned to their senders.
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
    fn commands_come_out_in_order_and_a_closed_mailbox_returns_them() {
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
