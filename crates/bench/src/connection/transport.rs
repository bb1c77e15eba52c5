//! One connection as the load sees it: a plain link, or a session whose links come and go below.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream as _;
use undrop_client::{
    Client, ClientConfig, CloseCode, ClosedBy, Event, Events, SendError, Sender, SessionMode,
};
use undrop_frame::{LocalFault, Message, OpCode, ProtocolFault};
use undrop_session::Backoff;
use undrop_transport::{ConnectStage, Ending, Received, Stream, WebSocket, dial};

use crate::connection::handshake::{OpenError, Opener};
use crate::plan::{Mode, Plan, Policy, Session as Wish, Trigger};

/// A connection.
#[derive(Debug)]
pub(crate) enum Wire {
    Plain(Box<WebSocket>),
    Session(Box<Session>),
}

/// What comes out of it.
#[derive(Debug)]
pub(crate) enum Arrival {
    Message(Message),
    Ping,
    Pong,
    /// The link below a session is gone.
    Lost(Ending),
    /// A session has a link again.
    Back {
        seamless: bool,
        after: Duration,
    },
    /// A session could not keep its promise.
    Gap,
    /// An attempt of a session begins.
    Attempt,
    /// An attempt of a session failed.
    Failed(OpenError),
}

/// A session, its events, and a way to cut its link.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    sender: Sender,
    events: Events,
    cable: Cable,
    /// How the last link ended.
    last: Option<Ending>,
    over: bool,
    /// The server knows sessions.
    pub(crate) kept: bool,
}

/// The newest socket of a session, for cutting it: a second descriptor, so only where links are to be cut.
#[derive(Debug, Clone, Default)]
struct Cable {
    wanted: bool,
    held: Arc<Mutex<Option<std::net::TcpStream>>>,
}

impl Cable {
    fn hold(&self, stream: &Stream) {
        #[cfg(unix)]
        if let Some(tcp) = stream.tcp().filter(|_| self.wanted) {
            use std::os::fd::AsFd;
            let copy = tcp.as_fd().try_clone_to_owned().ok().map(std::net::TcpStream::from);
            *self.held.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = copy;
        }
        #[cfg(not(unix))]
        let _ = stream;
    }

    fn cut(&self) {
        let held = self.held.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(stream) = held {
            // A failure means that it is gone already.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// The backoff of a policy.
pub(crate) fn backoff(policy: Policy) -> Backoff {
    match policy {
        Policy::FullJitter => Backoff::full_jitter(),
        Policy::Classic => Backoff::classic(),
        Policy::Immediate => {
            Backoff::full_jitter().with_range(Duration::from_millis(100), Duration::from_millis(100))
        }
    }
}

impl Session {
    /// Opens a session, or a plain connection that is kept by the client where that is enough.
    pub(crate) async fn open(
        opener: &Arc<Opener>,
        plan: &Plan,
        number: u32,
        policy: Policy,
    ) -> Result<Session, OpenError> {
        let wrong = |why: String| OpenError {
            stage: ConnectStage::Connect,
            ending: LocalFault::Configuration(why.clone()).into(),
            why,
        };
        let mut builder =
            Client::builder(opener.url.as_url().as_str()).map_err(|error| wrong(error.to_string()))?;
        for protocol in &opener.target.protocols {
            builder = builder.protocol(protocol);
        }
        for (name, value) in &opener.target.headers {
            builder = builder.header(name, value);
        }
        if let Some(config) = opener.deflate() {
            builder = builder.compress(config.clone());
        }
        let config = ClientConfig {
            session: if plan.session == Wish::Require { SessionMode::Require } else { SessionMode::Prefer },
            backoff: backoff(policy),
            connect_timeout: opener.target.timeout,
            plain_heartbeat: None,
            ..ClientConfig::default()
        };
        let wanted = matches!(plan.mode, Mode::Storm { trigger: Trigger::Cut, .. });
        let cable = Cable { wanted, ..Cable::default() };
        let (dialer, hand) = (opener.clone(), cable.clone());
        let client = builder
            .config(config)
            .limits(opener.limits())
            .dial(opener.dial_options(number))
            .connector(move || {
                let (opener, cable) = (dialer.clone(), hand.clone());
                async move {
                    let stream = dial(opener.url.as_url(), &opener.dial_options(number)).await;
                    let stream = stream.map_err(std::io::Error::other)?;
                    cable.hold(&stream);
                    Ok(stream)
                }
            })
            .start()
            .map_err(|error| wrong(error.to_string()))?;
        let (sender, events) = (client.sender(), client.events());
        let mut session = Session { client, sender, events, cable, last: None, over: false, kept: false };
        let mut failed = None;
        loop {
            match session.events.next().await {
                Some(Event::Open { session: kept, .. }) => {
                    session.kept = kept;
                    return Ok(session);
                }
                Some(Event::Failed { stage, ending, why }) => {
                    // The first failure is the answer: a load tester reports, it does not insist.
                    let error = OpenError { stage, ending, why };
                    session.sender.start_close(CloseCode::NORMAL, "");
                    return Err(error);
                }
                Some(Event::Closed { code, reason, by, .. }) => {
                    let why = if reason.is_empty() { format!("{by:?}") } else { reason.clone() };
                    let ending = match by {
                        ClosedBy::Peer => Ending::Close { code, reason },
                        _ => ProtocolFault::Session(why.clone()).into(),
                    };
                    return Err(failed.unwrap_or(OpenError { stage: ConnectStage::Session, ending, why }));
                }
                Some(Event::Lost { ending }) => {
                    failed =
                        Some(OpenError { stage: ConnectStage::Session, why: ending.to_string(), ending });
                }
                Some(_) => {}
                None => return Err(wrong("the client ended".to_owned())),
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, Ending>> {
        while !self.over {
            let event = match pin!(self.events.next()).poll(cx) {
                Poll::Ready(Some(event)) => event,
                Poll::Ready(None) => break,
                Poll::Pending => match Pin::new(&mut self.client).poll_next(cx) {
                    Poll::Ready(Some(message)) => return Poll::Ready(Ok(Arrival::Message(message))),
                    // The end comes as an event.
                    Poll::Ready(None) => {
                        self.over = true;
                        break;
                    }
                    Poll::Pending => return Poll::Pending,
                },
            };
            let arrival = match event {
                Event::Lost { ending } => {
                    self.last = Some(ending.clone());
                    Arrival::Lost(ending)
                }
                Event::Resumed { seamless, after, .. } => Arrival::Back { seamless, after },
                // A plain connection, or the first link of a new session, after a loss.
                Event::Open { session, .. } => {
                    self.kept = session;
                    Arrival::Back { seamless: false, after: Duration::ZERO }
                }
                Event::Gap { .. } => Arrival::Gap,
                Event::Connecting { .. } => Arrival::Attempt,
                Event::Failed { stage, ending, why } => {
                    self.last = Some(ending.clone());
                    Arrival::Failed(OpenError { stage, ending, why })
                }
                Event::Closed { code, reason, by, .. } => {
                    self.over = true;
                    let said = Ending::Close { code, reason };
                    self.last = Some(match by {
                        ClosedBy::Peer | ClosedBy::Local => said,
                        _ => self.last.take().unwrap_or(said),
                    });
                    break;
                }
                _ => continue,
            };
            return Poll::Ready(Ok(arrival));
        }
        Poll::Ready(Err(self.last.clone().unwrap_or(Ending::Fin)))
    }
}

impl Wire {
    /// What came; in the end how it ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, Ending>> {
        match self {
            Wire::Plain(socket) => socket.poll_recv(cx).map_ok(|received| match received {
                Received::Message(message) => Arrival::Message(message),
                Received::Ping(_) => Arrival::Ping,
                Received::Pong(_) => Arrival::Pong,
            }),
            Wire::Session(session) => session.poll(cx),
        }
    }

    /// Takes a message if there is room for it; nothing is written before [`Wire::flush`].
    pub(crate) fn offer(&mut self, cx: &mut Context<'_>, binary: bool, bytes: &[u8]) -> bool {
        match self {
            Wire::Plain(socket) => {
                let opcode = if binary { OpCode::Binary } else { OpCode::Text };
                matches!(socket.poll_ready(cx), Poll::Ready(Ok(()))) && socket.queue(opcode, bytes).is_ok()
            }
            Wire::Session(session) => {
                let message = if binary {
                    Message::Binary(bytes.to_vec())
                } else {
                    Message::Text(String::from_utf8_lossy(bytes).into_owned())
                };
                match session.sender.try_send(message) {
                    Ok(_) => true,
                    Err(SendError::Full(_) | SendError::Closed(_)) => false,
                }
            }
        }
    }

    /// Whether [`Wire::offer`] would take a message now.
    pub(crate) fn has_room(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Wire::Plain(socket) => matches!(socket.poll_ready(cx), Poll::Ready(Ok(()))),
            // The client's queue holds 1 MiB; a message at a time is tried.
            Wire::Session(session) => session.sender.queued_bytes() < 512 * 1024,
        }
    }

    /// Writes what waits, as far as the socket takes it.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>) {
        if let Wire::Plain(socket) = self {
            // A failure shows at the next read.
            let _ = socket.poll_flush(cx);
        }
    }

    /// Queues a Ping; false where there is none to be had.
    pub(crate) fn ping(&mut self) -> bool {
        match self {
            Wire::Plain(socket) => socket.queue_ping(b"undrop bench").is_ok(),
            Wire::Session(_) => false,
        }
    }

    /// Drops the link without a word. A session stays, a plain connection is over.
    pub(crate) fn cut(self) -> Option<Wire> {
        match self {
            Wire::Plain(socket) => {
                socket.abort();
                None
            }
            Wire::Session(session) => {
                session.cable.cut();
                Some(Wire::Session(session))
            }
        }
    }

    pub(crate) fn is_session(&self) -> bool {
        matches!(self, Wire::Session(session) if session.kept)
    }

    /// Closes, and says how that went: the ending, and what a session could not deliver.
    pub(crate) async fn close(self) -> (Ending, u64) {
        match self {
            Wire::Plain(mut socket) => (socket.close(CloseCode::NORMAL, "").await, 0),
            Wire::Session(session) => {
                let Session { client, sender, events, .. } = *session;
                drop((sender, events));
                let closed = client.close(CloseCode::NORMAL, "").await;
                (Ending::Close { code: closed.code, reason: closed.reason }, closed.unacked)
            }
        }
    }
}
