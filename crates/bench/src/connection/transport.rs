//! A connection of the load: a plain WebSocket, or a session whose links may be replaced.

use std::task::{Context, Poll};

use undrop_frame::{CloseCode, Ending, Message, OpCode};
use undrop_transport::{Received, WebSocket};

use crate::connection::event::TransportEvent;
use crate::connection::session::ClientSession;

/// A connection of either kind.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(Box<WebSocket>),
    Session(Box<ClientSession>),
}

impl Transport {
    /// Returns the next event, or how the connection ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<TransportEvent, Ending>> {
        match self {
            Transport::Plain(socket) => socket.poll_recv(cx).map_ok(|received| match received {
                Received::Message(message) => TransportEvent::Message(message),
                Received::Ping(_) => TransportEvent::Ping,
                Received::Pong(_) => TransportEvent::Pong,
            }),
            Transport::Session(session) => session.poll(cx),
        }
    }

    /// Queues a message if there is room for it, and returns whether it was queued. A plain connection writes it in
    /// [`Transport::flush`].
    pub(crate) fn offer(&mut self, cx: &mut Context<'_>, binary: bool, bytes: &[u8]) -> bool {
        match self {
            Transport::Plain(socket) => {
                let opcode = if binary { OpCode::Binary } else { OpCode::Text };
                matches!(socket.poll_ready(cx), Poll::Ready(Ok(()))) && socket.queue(opcode, bytes).is_ok()
            }
            Transport::Session(session) => session.offer(if binary {
                Message::Binary(bytes.to_vec())
            } else {
                Message::Text(String::from_utf8_lossy(bytes).into_owned())
            }),
        }
    }

    /// Returns whether [`Transport::offer`] would queue a message.
    pub(crate) fn has_room(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Transport::Plain(socket) => matches!(socket.poll_ready(cx), Poll::Ready(Ok(()))),
            Transport::Session(session) => session.has_room(),
        }
    }

    /// Writes what is queued, as far as the socket accepts it.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>) {
        if let Transport::Plain(socket) = self {
            // The next read reports a failure.
            let _ = socket.poll_flush(cx);
        }
    }

    /// Queues a Ping, and returns whether it was queued: a session sends none.
    pub(crate) fn ping(&mut self) -> bool {
        match self {
            Transport::Plain(socket) => socket.queue_ping(b"undrop bench").is_ok(),
            Transport::Session(_) => false,
        }
    }

    /// Cuts the link without a Close frame. Returns the session, which opens another link; a plain connection is closed.
    pub(crate) fn cut(self) -> Option<Transport> {
        match self {
            Transport::Plain(socket) => {
                socket.abort();
                None
            }
            Transport::Session(session) => {
                session.cut_link();
                Some(Transport::Session(session))
            }
        }
    }

    pub(crate) fn is_session(&self) -> bool {
        matches!(self, Transport::Session(session) if session.is_session())
    }

    /// Closes the connection. Returns how it ended, and the number of messages that a session could not deliver.
    pub(crate) async fn close(self) -> (Ending, u64) {
        match self {
            Transport::Plain(mut socket) => (socket.close(CloseCode::NORMAL, "").await, 0),
            Transport::Session(session) => session.close().await,
        }
    }
}
