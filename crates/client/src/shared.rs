//! What the handles and the driver of one client share: the machine, and who waits for what.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::sync::oneshot;
use undrop_frame::{CloseCode, Message};
use undrop_session::{Client as Machine, ClosedBy, Full, State};
use undrop_transport::sync::{lock, register_waker};

use crate::event::{Event, Queue};
use crate::handle::{Closed, Undelivered};

/// See the module documentation. The lock is held for the machine's short methods only, never across an await.
#[derive(Debug)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) machine: Machine,
    pub(crate) receipts: HashMap<u64, oneshot::Sender<Result<(), Undelivered>>>,
    pub(crate) events: Queue,
    /// The sub-protocol of the current link.
    pub(crate) protocol: Option<String>,
    /// How it ended for good.
    pub(crate) closed: Option<Closed>,
    /// A link has been there.
    pub(crate) opened: bool,
    /// The application asked for the end: nothing can be queued any more.
    pub(crate) closing: bool,
    /// No handle is left: the driver closes and ends.
    pub(crate) abandoned: bool,
    driver: Option<Waker>,
    reader: Option<Waker>,
    watcher: Option<Waker>,
    /// Those who wait for the first link, for room, or for the end.
    others: Vec<Waker>,
}

impl Shared {
    pub(crate) fn new(machine: Machine) -> Shared {
        Shared {
            inner: Mutex::new(Inner {
                machine,
                receipts: HashMap::new(),
                events: Queue::default(),
                protocol: None,
                closed: None,
                opened: false,
                closing: false,
                abandoned: false,
                driver: None,
                reader: None,
                watcher: None,
                others: Vec::new(),
            }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// The next message; taking it is what acks it.
    pub(crate) fn poll_message(&self, cx: &Context<'_>) -> Poll<Option<Message>> {
        let mut inner = self.lock();
        let message = inner.machine.poll_message(now());
        // An ack may be due, or reading may go on.
        let driver = inner.driver.clone();
        let result = match message {
            Some(message) => Poll::Ready(Some(message)),
            None if inner.closed.is_some() => Poll::Ready(None),
            None => {
                inner.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        };
        drop(inner);
        // Polling in vain may have taken the other end's close.
        if let Some(driver) = driver {
            driver.wake();
        }
        result
    }

    pub(crate) fn poll_event(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        let mut inner = self.lock();
        match inner.events.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if inner.closed.is_some() => Poll::Ready(None),
            None => {
                inner.watcher = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Queues a message; the machine may hand it back.
    pub(crate) fn send(
        &self,
        message: Message,
        ttl: Option<std::time::Duration>,
    ) -> Result<oneshot::Receiver<Result<(), Undelivered>>, Full> {
        let mut inner = self.lock();
        if inner.closing {
            return Err(Full(message));
        }
        let receipt = inner.machine.send(now(), message, ttl)?;
        let (sender, receiver) = oneshot::channel();
        inner.receipts.insert(receipt, sender);
        let driver = inner.driver.clone();
        drop(inner);
        if let Some(driver) = driver {
            driver.wake();
        }
        Ok(receiver)
    }

    /// Waits for a change that concerns those who wait for room, the first link or the end.
    pub(crate) fn wait(inner: &mut Inner, cx: &Context<'_>) {
        // Who asks again and again, in a `select!` say, waits once.
        if !inner.others.iter().any(|waker| waker.will_wake(cx.waker())) {
            inner.others.push(cx.waker().clone());
        }
    }

    /// Runs `change` on the machine and wakes the driver.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Machine, Instant) -> R) -> R {
        let mut inner = self.lock();
        let result = change(&mut inner.machine, now());
        let driver = inner.driver.clone();
        drop(inner);
        if let Some(driver) = driver {
            driver.wake();
        }
        result
    }

    /// Begins to close.
    pub(crate) fn close(&self, code: CloseCode, reason: &str) {
        self.lock().closing = true;
        self.change(|machine, now| machine.close(now, code, reason));
    }

    pub(crate) fn abandon(&self) {
        self.lock().abandoned = true;
        self.close(CloseCode::GOING_AWAY, "");
    }

    /// The driver was dropped with its runtime: nothing will happen any more.
    pub(crate) fn orphan(&self) {
        let mut inner = self.lock();
        if inner.closed.is_none() {
            inner.closed = Some(Closed {
                code: CloseCode::ABNORMAL,
                reason: "the runtime of the client ended".into(),
                by: ClosedBy::Local,
                unacked: inner.machine.queued() as u64,
            });
        }
        inner.closing = true;
        inner.receipts.clear();
        inner.wake_all();
    }
}

impl Inner {
    pub(crate) fn register_driver(&mut self, cx: &Context<'_>) {
        register_waker(&mut self.driver, cx);
    }

    pub(crate) fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    pub(crate) fn wake_watcher(&mut self) {
        if let Some(watcher) = self.watcher.take() {
            watcher.wake();
        }
    }

    pub(crate) fn wake_others(&mut self) {
        for waker in self.others.drain(..) {
            waker.wake();
        }
    }

    pub(crate) fn wake_all(&mut self) {
        self.wake_reader();
        self.wake_watcher();
        self.wake_others();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.machine.state() == State::Closed
    }
}

/// The machine's time is tokio's, so that a test may pause it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
