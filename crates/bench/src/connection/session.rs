//! A connection whose links are kept by the client library.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::Stream as _;
use undrop_client::{Client, ClientConfig, CloseCode, ClosedBy, Event, Events, SendError, Sender};
use undrop_frame::{Ending, LocalFault, Message, ProtocolFault};
use undrop_transport::{ConnectStage, Stream, dial};

use crate::connection::event::TransportEvent;
use crate::connection::handshake::{OpenError, Opener};
use crate::plan::{Mode, Plan, Policy, Trigger};

/// The number of queued bytes at or above which no more messages are offered; the client's queue holds 1 MiB.
const MAX_QUEUED: usize = 512 * 1024;

/// A session with its events, and a way to cut its link.
#[derive(Debug)]
pub(crate) struct ClientSession {
    client: Client,
    sender: Sender,
    events: Events,
    cutter: LinkCutter,
    /// The ending of the last link or attempt.
    last_ending: Option<Ending>,
    is_closed: bool,
    /// Whether the server supports sessions, so that this is not a plain connection.
    is_session: bool,
}

/// A second descriptor of the newest socket of a session, by which the link can be cut. It is kept only in a storm that cuts.
#[derive(Debug, Clone, Default)]
struct LinkCutter {
    is_enabled: bool,
    socket: Arc<Mutex<Option<std::net::TcpStream>>>,
}

impl LinkCutter {
    fn keep(&self, stream: &Stream) {
        #[cfg(unix)]
        if let Some(tcp) = stream.tcp().filter(|_| self.is_enabled) {
            use std::os::fd::AsFd;
            let copy = tcp.as_fd().try_clone_to_owned().ok().map(std::net::TcpStream::from);
            *self.socket.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = copy;
        }
        #[cfg(not(unix))]
        let _ = stream;
    }

    fn cut(&self) {
        let socket = self.socket.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(socket) = socket {
            // A failure means that the link is gone already.
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl ClientSession {
    /// Opens a session, or a plain connection if the server does not support sessions and the plan allows that.
    ///
    /// # Errors
    /// The first attempt failed. Retries would hide the failure from the report.
    pub(crate) async fn open(
        opener: &Arc<Opener>,
        plan: &Plan,
        number: u32,
        policy: Policy,
    ) -> Result<ClientSession, OpenError> {
        let mut session = ClientSession::start(opener, plan, number, policy)?;
        let mut failed = None;
        loop {
            match session.events.next().await {
                Some(Event::Open { session: is_session, .. }) => {
                    session.is_session = is_session;
                    return Ok(session);
                }
                Some(Event::Failed { stage, ending, why }) => {
                    session.sender.start_close(CloseCode::NORMAL, "");
                    return Err(OpenError { stage, ending, why });
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
                None => return Err(misconfigured("the client ended".to_owned())),
            }
        }
    }

    fn start(
        opener: &Arc<Opener>,
        plan: &Plan,
        number: u32,
        policy: Policy,
    ) -> Result<ClientSession, OpenError> {
        let mut builder = Client::builder(opener.url.as_url().as_str())
            .map_err(|error| misconfigured(error.to_string()))?;
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
            session: plan.session,
            backoff: policy.backoff(),
            connect_timeout: opener.target.timeout,
            plain_heartbeat: None,
            ..ClientConfig::default()
        };
        let is_enabled = matches!(plan.mode, Mode::Storm { trigger: Trigger::Cut, .. });
        let cutter = LinkCutter { is_enabled, ..LinkCutter::default() };
        let (connector_opener, connector_cutter) = (opener.clone(), cutter.clone());
        let client = builder
            .config(config)
            .limits(opener.limits())
            .dial(opener.dial_options(number))
            .connector(move || {
                let (opener, cutter) = (connector_opener.clone(), connector_cutter.clone());
                async move {
                    let stream = dial(opener.url.as_url(), &opener.dial_options(number)).await;
                    let stream = stream.map_err(std::io::Error::other)?;
                    cutter.keep(&stream);
                    Ok(stream)
                }
            })
            .start()
            .map_err(|error| misconfigured(error.to_string()))?;
        let (sender, events) = (client.sender(), client.events());
        Ok(ClientSession {
            client,
            sender,
            events,
            cutter,
            last_ending: None,
            is_closed: false,
            is_session: false,
        })
    }

    /// Returns the next event, or how the session ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<TransportEvent, Ending>> {
        while !self.is_closed {
            let event = match pin!(self.events.next()).poll(cx) {
                Poll::Ready(Some(event)) => event,
                Poll::Ready(None) => break,
                Poll::Pending => match Pin::new(&mut self.client).poll_next(cx) {
                    Poll::Ready(Some(message)) => return Poll::Ready(Ok(TransportEvent::Message(message))),
                    Poll::Ready(None) => {
                        self.is_closed = true;
                        break;
                    }
                    Poll::Pending => return Poll::Pending,
                },
            };
            if let Some(event) = self.on_event(event) {
                return Poll::Ready(Ok(event));
            }
        }
        Poll::Ready(Err(self.last_ending.clone().unwrap_or(Ending::Fin)))
    }

    fn on_event(&mut self, event: Event) -> Option<TransportEvent> {
        Some(match event {
            Event::Lost { ending } => {
                self.last_ending = Some(ending.clone());
                TransportEvent::LinkLost(ending)
            }
            Event::Resumed { seamless, after, .. } => {
                TransportEvent::LinkRestored { seamless, after: Some(after) }
            }
            // A plain connection, or the first link of a new session, after a loss.
            Event::Open { session, .. } => {
                self.is_session = session;
                TransportEvent::LinkRestored { seamless: false, after: None }
            }
            Event::Gap { .. } => TransportEvent::Gap,
            Event::Connecting { .. } => TransportEvent::AttemptStarted,
            Event::Failed { stage, ending, why } => {
                self.last_ending = Some(ending.clone());
                TransportEvent::AttemptFailed(OpenError { stage, ending, why })
            }
            Event::Closed { code, reason, by, .. } => {
                self.is_closed = true;
                let close = Ending::Close { code, reason };
                self.last_ending = Some(match by {
                    ClosedBy::Peer | ClosedBy::Local => close,
                    _ => self.last_ending.take().unwrap_or(close),
                });
                return None;
            }
            _ => return None,
        })
    }

    /// Queues a message. Returns false if the queue is full or the session is closed.
    pub(crate) fn offer(&mut self, message: Message) -> bool {
        match self.sender.try_send(message) {
            Ok(_) => true,
            Err(SendError::Full(_) | SendError::Closed(_)) => false,
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.sender.queued_bytes() < MAX_QUEUED
    }

    /// Cuts the link without a Close frame; the session stays.
    pub(crate) fn cut_link(&self) {
        self.cutter.cut();
    }

    /// Returns whether the server supports sessions.
    pub(crate) fn is_session(&self) -> bool {
        self.is_session
    }

    /// Closes the session. Returns how it ended, and the number of messages that were not delivered.
    pub(crate) async fn close(self) -> (Ending, u64) {
        let ClientSession { client, sender, events, .. } = self;
        drop((sender, events));
        let closed = client.close(CloseCode::NORMAL, "").await;
        (Ending::Close { code: closed.code, reason: closed.reason }, closed.unacked)
    }
}

fn misconfigured(why: String) -> OpenError {
    OpenError { stage: ConnectStage::Connect, ending: LocalFault::Configuration(why.clone()).into(), why }
}
