//! The handles that an application holds.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::oneshot;
use undrop_frame::{CloseCode, Message};
use undrop_session::PageState;

use crate::error::{Closed, SendError, Undelivered};
use crate::event::Event;
use crate::shared::SharedClient;

/// A WebSocket connection that reconnects by itself and, with an undrop gateway, keeps its session while it does.
///
/// Messages are read with [`recv`](Self::recv) or as a [`Stream`], sent with [`send`](Self::send), and changes of the
/// connection are reported by [`events`](Self::events). When the client and all its [`Sender`]s are dropped, the session
/// is closed with code 1001 in the background; use [`close`](Self::close) to wait for the end.
#[derive(Debug)]
pub struct Client {
    sender: Sender,
}

/// The sending half of a [`Client`]. Clones share the session.
#[derive(Debug, Clone)]
pub struct Sender {
    shared: Arc<SharedClient>,
    _handle: Arc<HandleCount>,
}

/// Closes the session when the last handle is dropped.
#[derive(Debug)]
struct HandleCount(Arc<SharedClient>);

impl Drop for HandleCount {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The events of one client, oldest first. Several readers share them: each event is returned once.
///
/// Up to 256 events are kept for a reader. Older ones are dropped and counted by [`missed`](Self::missed).
#[derive(Debug)]
pub struct Events {
    shared: Arc<SharedClient>,
}

/// A future that resolves when the other end has consumed the message.
///
/// In a session, `Ok` means that the gateway handed the message to the backend connection, whatever happened to the
/// links in between. In plain mode it means only that the message was written to a connection. Dropping a receipt does
/// not affect the message.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<(), Undelivered>>);

impl Client {
    pub(crate) fn new(shared: Arc<SharedClient>) -> Client {
        Client { sender: Sender { _handle: Arc::new(HandleCount(shared.clone())), shared } }
    }

    /// Waits for the first connection.
    ///
    /// # Errors
    /// The client closed before the first connection was open.
    pub async fn opened(&self) -> Result<(), Closed> {
        poll_fn(|cx| {
            self.sender.shared.with(|inner| {
                if inner.opened {
                    return Poll::Ready(Ok(()));
                }
                if let Some(closed) = &inner.closed {
                    return Poll::Ready(Err(closed.clone()));
                }
                inner.wait(cx);
                Poll::Pending
            })
        })
        .await
    }

    /// Returns the next message, or `None` when the session is over.
    ///
    /// Taking a message acknowledges it to the gateway, so a message is never delivered twice and never lost while the
    /// client is alive. An application that stops reading stops the other end: at most
    /// [`ClientConfig::inbox_limit`](crate::ClientConfig::inbox_limit) bytes are kept for it. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|cx| self.sender.shared.poll_message(cx)).await
    }

    /// Queues a message; see [`Sender::send`].
    ///
    /// # Errors
    /// The client is closed or closing.
    pub async fn send(&self, message: Message) -> Result<Receipt, SendError> {
        self.sender.send(message).await
    }

    /// Returns a handle that only sends.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Returns a handle that reads the events of this client.
    pub fn events(&self) -> Events {
        Events { shared: self.sender.shared.clone() }
    }

    /// Sends the queued messages, closes the session, and waits for the end. Messages that arrive in the meantime are
    /// discarded. Waits at most [`ClientConfig::close_timeout`](crate::ClientConfig::close_timeout) (default 10 s) for
    /// acknowledgements.
    pub async fn close(mut self, code: CloseCode, reason: &str) -> Closed {
        self.sender.start_close(code, reason);
        while self.recv().await.is_some() {}
        self.sender.closed().await
    }

    /// Returns the final state if the client is closed.
    pub fn ended(&self) -> Option<Closed> {
        self.sender.shared.with(|inner| inner.closed.clone())
    }

    /// Returns the subprotocol of the current connection, if the server selected one.
    pub fn protocol(&self) -> Option<String> {
        self.sender.shared.with(|inner| inner.protocol.clone())
    }
}

impl Stream for Client {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.sender.shared.poll_message(cx)
    }
}

impl Sender {
    /// Queues a message and waits while the queue is full. The message is sent when there is a connection.
    ///
    /// Cancel-safe: if the future is dropped before it resolves, the message was not queued.
    ///
    /// # Errors
    /// The client is closed or closing.
    pub async fn send(&self, message: Message) -> Result<Receipt, SendError> {
        self.send_for(message, None).await
    }

    /// Queues a message with a time to live: the maximum time that it may wait to be sent for the first time. A message
    /// that was sent is never withdrawn.
    ///
    /// # Errors
    /// The client is closed or closing.
    pub async fn send_for(&self, message: Message, ttl: Option<Duration>) -> Result<Receipt, SendError> {
        let mut unsent = Some(message);
        poll_fn(|cx| {
            let Some(message) = unsent.take() else { return Poll::Pending };
            match self.try_send_for(message, ttl) {
                Err(SendError::Full(message)) => {
                    // Room made between this attempt and the registration wakes no task, so a second attempt follows.
                    self.shared.with(|inner| inner.wait(cx));
                    match self.try_send_for(message, ttl) {
                        Err(SendError::Full(message)) => {
                            unsent = Some(message);
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

    /// Queues a message if the queue has room.
    ///
    /// # Errors
    /// The queue is full, or the client is closed or closing.
    pub fn try_send(&self, message: Message) -> Result<Receipt, SendError> {
        self.try_send_for(message, None)
    }

    /// Queues a message with a time to live if the queue has room; see [`send_for`](Self::send_for).
    ///
    /// # Errors
    /// The queue is full, or the client is closed or closing.
    pub fn try_send_for(&self, message: Message, ttl: Option<Duration>) -> Result<Receipt, SendError> {
        self.shared.send(message, ttl).map(Receipt)
    }

    /// Returns the size of the messages that are not yet sent or acknowledged, in bytes.
    pub fn queued_bytes(&self) -> usize {
        self.shared.with(|inner| inner.machine.queued_bytes())
    }

    /// Starts to close the session. The queued messages are sent first.
    pub fn start_close(&self, code: CloseCode, reason: &str) {
        self.shared.close(code, reason);
    }

    /// Reports that the network changed or that the device woke up. The client checks the connection at once, or, while
    /// it waits for the next attempt, starts that attempt.
    pub fn wake(&self) {
        self.shared.change(|machine, now| machine.wake(now));
    }

    /// Reports that there is no network. The client makes no attempts until [`wake`](Self::wake) is called.
    pub fn offline(&self) {
        self.shared.change(|machine, now| machine.offline(now));
    }

    /// Reports the page's lifecycle state (hidden, frozen, unloading) to the gateway.
    pub fn hint(&self, page: PageState) {
        self.shared.change(|machine, now| machine.hint(now, page));
    }

    /// Waits until the client is closed, and returns the final state.
    pub async fn closed(&self) -> Closed {
        poll_fn(|cx| {
            self.shared.with(|inner| match &inner.closed {
                Some(closed) => Poll::Ready(closed.clone()),
                None => {
                    inner.wait(cx);
                    Poll::Pending
                }
            })
        })
        .await
    }
}

impl Events {
    /// Returns the next event, or `None` after [`Event::Closed`] was returned. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.shared.poll_event(cx)).await
    }

    /// Returns the number of events that were dropped because no reader took them in time.
    pub fn missed(&self) -> u64 {
        self.shared.with(|inner| inner.events.missed())
    }
}

impl Future for Receipt {
    type Output = Result<(), Undelivered>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|result| result.unwrap_or(Err(Undelivered::Closed)))
    }
}
