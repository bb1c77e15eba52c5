//! What an application holds.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::oneshot;
use undrop_frame::{CloseCode, Message};
use undrop_session::{ClosedBy, PageState};

use crate::builder::{BuildError, ClientBuilder};
use crate::event::Events;
use crate::shared::Shared;

/// A connection that comes back. Dropping it closes the session with 1001 in the background.
#[derive(Debug)]
pub struct Client {
    sender: Sender,
}

/// The sending half; clones share the session.
#[derive(Debug, Clone)]
pub struct Sender {
    shared: Arc<Shared>,
    _held: Arc<Held>,
}

/// Closes the session when the last handle is gone.
#[derive(Debug)]
struct Held(Arc<Shared>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Resolves when the other end took the message.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<(), Undelivered>>);

/// Why a message was not acked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undelivered {
    /// Its time to live was over before it was sent.
    #[error("the message expired before it could be sent")]
    Expired,
    /// It made room in a full queue before it was sent.
    #[error("the message was dropped from a full queue")]
    Dropped,
    /// The session ended first. Whether the other end has it is not known.
    #[error("the session ended before the message was acked")]
    Closed,
}

/// Why a message was not queued; it is handed back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The queue is full.
    #[error("the queue is full")]
    Full(Message),
    /// The session is closed or closing.
    #[error("the session is closed")]
    Closed(Message),
}

/// How a client ended for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The code as any WebSocket would report it.
    pub code: CloseCode,
    /// Its reason.
    pub reason: String,
    /// Who ended it.
    pub by: ClosedBy,
    /// Messages that were sent or queued and not acked.
    pub unacked: u64,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL or an option is wrong.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It was refused for good, or the policy gave up.
    #[error("not connected: {} ({})", .0.reason, .0.code.get())]
    Closed(Closed),
}

impl Client {
    /// Connects with default options and waits for the first link.
    ///
    /// # Errors
    /// A wrong URL; a refusal for good. An unreachable server is tried again, without end.
    pub async fn connect(url: &str) -> Result<Client, ConnectError> {
        ClientBuilder::new(url)?.connect().await
    }

    /// Options first.
    ///
    /// # Errors
    /// A wrong URL.
    pub fn builder(url: &str) -> Result<ClientBuilder, BuildError> {
        ClientBuilder::new(url)
    }

    pub(crate) fn new(shared: Arc<Shared>) -> Client {
        Client { sender: Sender { _held: Arc::new(Held(shared.clone())), shared } }
    }

    /// Waits for the first link.
    ///
    /// # Errors
    /// The client ended before there was one.
    pub async fn opened(&self) -> Result<(), Closed> {
        poll_fn(|cx| {
            let mut inner = self.sender.shared.lock();
            if inner.opened {
                return Poll::Ready(Ok(()));
            }
            if let Some(closed) = &inner.closed {
                return Poll::Ready(Err(closed.clone()));
            }
            Shared::wait(&mut inner, cx);
            Poll::Pending
        })
        .await
    }

    /// The next message; None when the session is over. Receiving a message is what acks it. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|cx| self.sender.shared.poll_message(cx)).await
    }

    /// See [`Sender::send`].
    ///
    /// # Errors
    /// The session is closed or closing.
    pub async fn send(&self, message: Message) -> Result<Receipt, SendError> {
        self.sender.send(message).await
    }

    /// A handle that only sends.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// The events of this client.
    pub fn events(&self) -> Events {
        Events { shared: self.sender.shared.clone() }
    }

    /// Sends what is queued, closes, and waits for the end. Messages that still come are dropped.
    pub async fn close(mut self, code: CloseCode, reason: &str) -> Closed {
        self.sender.start_close(code, reason);
        while self.recv().await.is_some() {}
        self.sender.closed().await
    }

    /// How it ended, once it has.
    pub fn ended(&self) -> Option<Closed> {
        self.sender.shared.lock().closed.clone()
    }

    /// The sub-protocol of the current link.
    pub fn protocol(&self) -> Option<String> {
        self.sender.shared.lock().protocol.clone()
    }
}

impl Stream for Client {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.sender.shared.poll_message(cx)
    }
}

impl Sender {
    /// Queues a message, waiting for room when the queue is full. Cancel-safe: when dropped before it is done, nothing
    /// was queued.
    ///
    /// # Errors
    /// The session is closed or closing.
    pub async fn send(&self, message: Message) -> Result<Receipt, SendError> {
        self.send_for(message, None).await
    }

    /// [`send`](Self::send) with a time to live: how long the message may wait to be sent for the first time.
    ///
    /// # Errors
    /// The session is closed or closing.
    pub async fn send_for(&self, message: Message, ttl: Option<Duration>) -> Result<Receipt, SendError> {
        let mut waiting = Some(message);
        poll_fn(|cx| {
            let Some(message) = waiting.take() else { return Poll::Pending };
            match self.try_send_for(message, ttl) {
                Err(SendError::Full(message)) => {
                    // Whoever makes room between the try and here wakes nobody, so the queue is asked again.
                    let mut inner = self.shared.lock();
                    Shared::wait(&mut inner, cx);
                    drop(inner);
                    match self.try_send_for(message, ttl) {
                        Err(SendError::Full(message)) => {
                            waiting = Some(message);
                            Poll::Pending
                        }
                        done => Poll::Ready(done),
                    }
                }
                done => Poll::Ready(done),
            }
        })
        .await
    }

    /// Queues a message if there is room.
    ///
    /// # Errors
    /// The queue is full; the session is closed or closing.
    pub fn try_send(&self, message: Message) -> Result<Receipt, SendError> {
        self.try_send_for(message, None)
    }

    /// [`try_send`](Self::try_send) with a time to live.
    ///
    /// # Errors
    /// The queue is full; the session is closed or closing.
    pub fn try_send_for(&self, message: Message, ttl: Option<Duration>) -> Result<Receipt, SendError> {
        self.shared.send(message, ttl).map(Receipt).map_err(|full| {
            let inner = self.shared.lock();
            if inner.closing || inner.is_over() { SendError::Closed(full.0) } else { SendError::Full(full.0) }
        })
    }

    /// Bytes that wait to be sent or acked.
    pub fn queued_bytes(&self) -> usize {
        self.shared.lock().machine.queued_bytes()
    }

    /// Begins to close: what is queued is sent first.
    pub fn start_close(&self, code: CloseCode, reason: &str) {
        self.shared.close(code, reason);
    }

    /// The network changed or the machine woke up: doubt the link at once, or cut the backoff short.
    pub fn wake(&self) {
        self.shared.change(|machine, now| machine.wake(now));
    }

    /// The network is gone: no attempts until [`wake`](Self::wake).
    pub fn offline(&self) {
        self.shared.change(|machine, now| machine.offline(now));
    }

    /// Tells the gateway what becomes of the application's surface.
    pub fn hint(&self, page: PageState) {
        self.shared.change(|machine, now| machine.hint(now, page));
    }

    /// Waits until the client has ended for good.
    pub async fn closed(&self) -> Closed {
        poll_fn(|cx| {
            let mut inner = self.shared.lock();
            match &inner.closed {
                Some(closed) => Poll::Ready(closed.clone()),
                None => {
                    Shared::wait(&mut inner, cx);
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl std::future::Future for Receipt {
    type Output = Result<(), Undelivered>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|result| result.unwrap_or(Err(Undelivered::Closed)))
    }
}
