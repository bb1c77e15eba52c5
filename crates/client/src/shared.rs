//! The state that the handles and the driver of one client share: the session machine, and the tasks that wait.

use std::collections::HashMap;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use undrop_frame::{CloseCode, Message};
use undrop_session::{Client as Machine, ClientState, ClosedBy, QueueFull};
use undrop_transport::sync::{lock, register_waker};

use crate::error::{Closed, SendError, Undelivered};
use crate::event::{ClientEvents, Event};

/// The lock around [`LockedState`]. It is held for short methods of the machine only: never across an await, and never while
/// code of others runs (a future, a waker, a socket, a log subscriber), because that code may use this client.
#[derive(Debug)]
pub(crate) struct SharedClient {
    inner: Mutex<LockedState>,
}

#[derive(Debug)]
pub(crate) struct LockedState {
    pub(crate) machine: Machine,
    pub(crate) receipts: HashMap<u64, oneshot::Sender<Result<(), Undelivered>>>,
    pub(crate) events: ClientEvents,
    /// The subprotocol of the current link.
    pub(crate) protocol: Option<String>,
    /// The final state, once there is one.
    pub(crate) closed: Option<Closed>,
    /// A link was open at some time.
    pub(crate) opened: bool,
    /// The application started to close: nothing can be queued.
    pub(crate) closing: bool,
    /// The last handle was dropped: the driver closes and ends.
    pub(crate) abandoned: bool,
    /// The tasks that wait.
    waiting: Wakers,
    /// The tasks to wake when the lock is released.
    to_wake: Wakers,
}

#[derive(Debug, Default)]
struct Wakers {
    driver: Option<Waker>,
    message_reader: Option<Waker>,
    event_reader: Option<Waker>,
    /// The tasks that wait for the first link, for room in the queue, or for the end.
    others: Vec<Waker>,
}

impl Wakers {
    fn wake(self) {
        let Wakers { driver, message_reader, event_reader, others } = self;
        for waker in [driver, message_reader, event_reader].into_iter().flatten().chain(others) {
            waker.wake();
        }
    }
}

impl SharedClient {
    pub(crate) fn new(machine: Machine) -> SharedClient {
        SharedClient {
            inner: Mutex::new(LockedState {
                machine,
                receipts: HashMap::new(),
                events: ClientEvents::default(),
                protocol: None,
                closed: None,
                opened: false,
                closing: false,
                abandoned: false,
                waiting: Wakers::default(),
                to_wake: Wakers::default(),
            }),
        }
    }

    /// Runs `f` under the lock, and wakes the tasks that `f` marked after the lock is released.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut LockedState) -> R) -> R {
        let mut inner = lock(&self.inner);
        let result = f(&mut inner);
        let to_wake = std::mem::take(&mut inner.to_wake);
        drop(inner);
        to_wake.wake();
        result
    }

    /// Returns the next message. Taking it is what acknowledges it.
    pub(crate) fn poll_message(&self, cx: &Context<'_>) -> Poll<Option<Message>> {
        self.with(|inner| {
            let message = inner.machine.poll_message(now());
            // An ack may be due, reading may continue, or the close of the other end may have been taken.
            inner.wake_driver();
            match message {
                Some(message) => Poll::Ready(Some(message)),
                None if inner.closed.is_some() => Poll::Ready(None),
                None => {
                    register_waker(&mut inner.waiting.message_reader, cx);
                    Poll::Pending
                }
            }
        })
    }

    pub(crate) fn poll_event(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        self.with(|inner| match inner.events.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if inner.closed.is_some() => Poll::Ready(None),
            None => {
                register_waker(&mut inner.waiting.event_reader, cx);
                Poll::Pending
            }
        })
    }

    /// Queues a message.
    ///
    /// # Errors
    /// The queue is full, or the client is closed or closing.
    pub(crate) fn send(
        &self,
        message: Message,
        ttl: Option<Duration>,
    ) -> Result<oneshot::Receiver<Result<(), Undelivered>>, SendError> {
        self.with(|inner| {
            if inner.closing {
                return Err(SendError::Closed(message));
            }
            let receipt = match inner.machine.send(now(), message, ttl) {
                Ok(receipt) => receipt,
                Err(QueueFull(message)) if inner.is_over() => return Err(SendError::Closed(message)),
                Err(QueueFull(message)) => return Err(SendError::Full(message)),
            };
            let (sender, receiver) = oneshot::channel();
            inner.receipts.insert(receipt, sender);
            inner.wake_driver();
            Ok(receiver)
        })
    }

    /// Runs `change` on the machine and wakes the driver.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Machine, Instant) -> R) -> R {
        self.with(|inner| {
            inner.wake_driver();
            change(&mut inner.machine, now())
        })
    }

    /// Starts to close the session.
    pub(crate) fn close(&self, code: CloseCode, reason: &str) {
        self.with(|inner| {
            inner.closing = true;
            inner.machine.close(now(), code, reason);
            inner.wake_driver();
        });
    }

    pub(crate) fn abandon(&self) {
        self.with(|inner| inner.abandoned = true);
        self.close(CloseCode::GOING_AWAY, "");
    }

    /// The driver ended, regularly or because its runtime was dropped: nothing else will happen.
    pub(crate) fn orphan(&self) {
        let receipts = self.with(|inner| {
            if inner.closed.is_none() {
                inner.closed = Some(Closed {
                    code: CloseCode::ABNORMAL,
                    reason: "the runtime of the client ended".into(),
                    by: ClosedBy::Local,
                    unacked: inner.machine.queued() as u64,
                });
            }
            inner.closing = true;
            inner.wake_all();
            std::mem::take(&mut inner.receipts)
        });
        // Dropping a sender wakes its receiver, which must not happen under the lock.
        drop(receipts);
    }
}

impl LockedState {
    pub(crate) fn register_driver(&mut self, cx: &Context<'_>) {
        register_waker(&mut self.waiting.driver, cx);
    }

    /// Registers a task that waits for room in the queue, for the first link or for the end.
    pub(crate) fn wait(&mut self, cx: &Context<'_>) {
        // A task that polls repeatedly, for example in a `select!`, is registered once.
        if !self.waiting.others.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.others.push(cx.waker().clone());
        }
    }

    pub(crate) fn wake_driver(&mut self) {
        self.to_wake.driver.clone_from(&self.waiting.driver);
    }

    pub(crate) fn wake_message_reader(&mut self) {
        if let Some(waker) = self.waiting.message_reader.take() {
            self.to_wake.message_reader = Some(waker);
        }
    }

    pub(crate) fn wake_event_reader(&mut self) {
        if let Some(waker) = self.waiting.event_reader.take() {
            self.to_wake.event_reader = Some(waker);
        }
    }

    pub(crate) fn wake_others(&mut self) {
        self.to_wake.others.append(&mut self.waiting.others);
    }

    pub(crate) fn wake_all(&mut self) {
        self.wake_message_reader();
        self.wake_event_reader();
        self.wake_others();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.machine.state() == ClientState::Closed
    }
}

/// Returns the present time by tokio's clock, so that a test can pause it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
