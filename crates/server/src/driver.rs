//! The task that owns one session: its machine, its link and its backend connection. Nothing on the way of a message
//! is shared; the mailbox carries only new links and orders from above.

mod backend;
mod events;
mod link;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use undrop_frame::CloseCode;
use undrop_session::{Gateway, GoAway, Loss, LossReason, Refusal};
use undrop_transport::{Alarm, Stream};

use self::link::{ACK_COMPANY, Held, moved};
use crate::closing::{close_frame, retire};
use crate::from_backend::FromBackend;
use crate::from_link::FromLink;
use crate::registry::{Entry, Tomb};

use crate::sessions::Shared;

/// How long the backend may take to answer our Close frame.
const BACKEND_CLOSE: Duration = Duration::from_secs(5);

/// How long after a burst its buffers are given back.
const TIDY: Duration = Duration::from_secs(1);

/// An order for the task that owns a connection.
#[derive(Debug)]
pub enum Command {
    /// A new link for the session.
    Link(Box<NewLink>),
    /// Tell the client to move in this slot.
    Drain(GoAway),
    /// End the session to free its memory.
    Evict,
    /// End now: the client is closed with this code.
    Close {
        /// The code.
        code: CloseCode,
        /// The reason, at most 123 bytes.
        reason: String,
    },
}

/// A connection that wants to be the session's link; its request was checked, its answer is not sent yet.
#[derive(Debug)]
pub struct NewLink {
    pub(crate) stream: Stream,
    pub(crate) leftover: Vec<u8>,
    /// The 101 answer.
    pub(crate) answer: Vec<u8>,
    pub(crate) attempt: u64,
    /// Last unit that the client took; None at first contact.
    pub(crate) rx: Option<u64>,
    pub(crate) peer: SocketAddr,
    /// Takes the link back when it cannot be resumed, with the reason; without one when the session has just ended.
    pub(crate) refused: Option<oneshot::Sender<(Box<NewLink>, Option<Tomb>)>>,
}

/// The current link.
struct Link {
    stream: Stream,
    peer: SocketAddr,
    /// The 101 answer, until it is written.
    answer: Vec<u8>,
    input: FromLink,
    /// A unit or packet is partly on the wire.
    inside: bool,
    /// The stream holds bytes that its socket did not take yet (a TLS layer does).
    unflushed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The client closed the session: the backend has our Close frame, its answer is awaited.
    ClientClosed,
    /// The client sent what no message may be, and would send it again on every link: the backend was told, what it
    /// still says is for the client, and then this is.
    ClientRefused(CloseCode),
    /// The backend is gone: what it sent last waits for its acks.
    BackendClosed,
    Over,
}

/// See the module documentation.
pub(crate) struct Driver {
    machine: Gateway,
    link: Option<Link>,
    backend: Option<Stream>,
    from_backend: FromBackend,
    /// What the backend's socket did not take yet (at most the window, one message and one read), behind what it took.
    to_backend: Vec<u8>,
    written: usize,
    /// Units in `to_backend`.
    waiting_units: u64,
    /// The backend's stream holds bytes that its socket did not take yet (a TLS layer does).
    backend_unflushed: bool,
    phase: Phase,
    /// When waiting in `phase` ends.
    deadline: Option<Instant>,
    entry: Arc<Entry>,
    shared: Arc<Shared>,
    /// The first-contact id, until the client has proved that it has the key.
    contact: Option<Box<str>>,
    alarm: Alarm,
    /// When memory that is not used any more is given back.
    tidy_at: Option<Instant>,
    /// The ack that waits for company.
    held: Held,
    /// The link, the backend had nothing to read in this turn.
    link_asleep: bool,
    backend_asleep: bool,
    waker: Option<Waker>,
    why: Option<LossReason>,
    /// This process stops: no link can come any more.
    draining: bool,
    /// What the first link is told of the session that this one replaces.
    predecessor: Option<Loss>,
}

impl Driver {
    pub(crate) fn new(
        machine: Gateway,
        backend: Stream,
        entry: Arc<Entry>,
        shared: Arc<Shared>,
        contact: Option<Box<str>>,
    ) -> Driver {
        let max_message = shared.options.max_message;
        Driver {
            machine,
            link: None,
            backend: Some(backend),
            from_backend: FromBackend::new(max_message),
            to_backend: Vec::new(),
            written: 0,
            waiting_units: 0,
            backend_unflushed: false,
            phase: Phase::Open,
            deadline: None,
            entry,
            shared,
            contact,
            alarm: Alarm::new(),
            tidy_at: None,
            held: Held::default(),
            link_asleep: false,
            backend_asleep: false,
            waker: None,
            why: None,
            draining: false,
            predecessor: None,
        }
    }

    /// This session takes the place of one that cannot go on; its first link is told so.
    pub(crate) fn succeed(&mut self, loss: Loss) {
        self.predecessor = Some(loss);
    }

    /// Takes what the backend sent together with its handshake answer.
    pub(crate) fn preload_backend(&mut self, bytes: &[u8], now: Instant) {
        if !bytes.is_empty() {
            self.take_from_backend(bytes, now);
        }
    }

    /// Makes `new` the current link, or answers why not.
    pub(crate) fn attach(&mut self, mut new: Box<NewLink>, now: Instant) {
        if self.phase == Phase::Over
            && let Some(refused) = new.refused.take()
        {
            // An order in front of it ended the session: its acceptor looks again, and finds why.
            let _ = refused.send((new, None));
            return;
        }
        let boundary = self.machine.at_boundary();
        let result = match (self.predecessor, new.rx) {
            (Some(loss), None) => self.machine.attach_lost(now, new.attempt, loss),
            (_, rx) => self.machine.attach(now, new.attempt, rx),
        };
        match result {
            Ok(()) => {}
            Err(Refusal::Stale) => {
                let mut last = std::mem::take(&mut new.answer);
                last.extend(moved());
                tokio::spawn(retire(new.stream, last));
                return;
            }
            Err(refusal) => {
                let why = match refusal {
                    Refusal::Skew => LossReason::Skew,
                    Refusal::Overflow { .. } => LossReason::Overflow,
                    _ => LossReason::Expired,
                };
                tracing::warn!(sid = %self.entry.sid, peer = %new.peer, ?refusal, "session cannot be resumed");
                self.why = Some(why);
                self.end_backend(Some(CloseCode::GOING_AWAY), "session cannot be resumed");
                self.phase = Phase::Over;
                let tomb = self.tomb(Some(why));
                if let Some(refused) = new.refused.take() {
                    // The acceptor that offered the link may have gone; then there is nobody to answer.
                    let _ = refused.send((new, Some(tomb)));
                }
                return;
            }
        }
        self.shared.registry.unpark(&self.entry);
        let link = Link {
            stream: new.stream,
            peer: new.peer,
            answer: new.answer,
            input: FromLink::new(self.shared.options.max_message),
            inside: false,
            unflushed: false,
        };
        tracing::debug!(sid = %self.entry.sid, peer = %link.peer, attempt = new.attempt, rx = ?new.rx, "link attached");
        if let Some(old) = self.link.replace(link) {
            // Fenced: whatever it still carries is sent again on the new one. In the middle of a unit nothing can be said.
            let last = if boundary && old.answer.is_empty() { moved() } else { Vec::new() };
            tokio::spawn(retire(old.stream, last));
        }
        if !new.leftover.is_empty() {
            self.take_from_link(&mut new.leftover, now, None);
        }
    }

    fn poll_mailbox(&mut self, cx: &Context<'_>, now: Instant) {
        self.entry.mailbox.register(cx, &mut self.waker);
        for command in self.entry.mailbox.take() {
            match command {
                Command::Link(link) => self.attach(link, now),
                Command::Drain(slot) => {
                    self.draining = true;
                    self.machine.drain(now, slot);
                }
                Command::Evict if self.link.is_none() => {
                    tracing::warn!(sid = %self.entry.sid, "session evicted: the budget for parked sessions is used up");
                    self.why = Some(LossReason::Evicted);
                    self.end_backend(Some(CloseCode::GOING_AWAY), "session evicted");
                    self.phase = Phase::Over;
                }
                Command::Evict => {}
                Command::Close { code, reason } => {
                    self.end_backend(Some(CloseCode::GOING_AWAY), &reason);
                    if let Some(link) = self.link.take() {
                        self.retire_link(link, close_frame(Some(code), &reason), now);
                    }
                    self.phase = Phase::Over;
                }
            }
        }
    }

    /// Lets happen what is due. What follows from it (output, events) is for the rest of the poll.
    fn handle_timeout(&mut self, now: Instant) {
        if self.tidy_at.is_some_and(|at| at <= now) {
            self.machine.release_idle_memory();
            // What waits for an ack keeps its memory; it is looked at again.
            self.tidy_at = (self.machine.progress().buffered > 0).then_some(now + TIDY);
        }
        if self.machine.poll_timeout().is_some_and(|at| at <= now) {
            self.machine.handle_timeout(now);
        }
        if self.deadline.is_some_and(|at| at <= now) {
            self.deadline = None;
            match self.phase {
                Phase::ClientClosed => {
                    tracing::info!(sid = %self.entry.sid, "backend did not answer the Close frame in time");
                    self.backend = None;
                    self.phase = Phase::Over;
                }
                Phase::ClientRefused(_) => {
                    self.backend = None;
                    self.backend_closed(CloseCode::BAD_GATEWAY, "", now);
                }
                Phase::Open | Phase::BackendClosed | Phase::Over => {}
            }
        }
    }

    /// Sees to it that the task is woken for the next deadline.
    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Instant) {
        // An ack that waits for longer waits for room in the socket, which wakes us by itself.
        let company = self.held.since.map(|since| since + ACK_COMPANY).filter(|at| *at > now);
        let next =
            [self.machine.poll_timeout(), self.deadline, company, self.tidy_at].into_iter().flatten().min();
        let next = next.map(tokio::time::Instant::from_std);
        if self.alarm.poll_earliest(cx, next, tokio::time::Instant::from_std(now)).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// The client showed that it knows the session: a repeated first contact finds it no more.
    fn confirm(&mut self) {
        if let Some(contact) = self.contact.take() {
            self.shared.registry.confirm(&contact);
        }
    }

    fn tomb(&self, why: Option<LossReason>) -> Tomb {
        let progress = self.machine.progress();
        Tomb { key: self.entry.key.clone(), why, taken: progress.taken, sent: progress.appended }
    }

    fn finish(&mut self, now: Instant) {
        if let Some(link) = self.link.take() {
            let (code, reason) = match self.why {
                Some(why) => (CloseCode::TRY_AGAIN_LATER, format!("session ended: {why:?}")),
                None => (CloseCode::NORMAL, String::new()),
            };
            self.retire_link(link, close_frame(Some(code), &reason), now);
        }
        // A client that did not hear that its close was taken asks once more.
        let tomb = (self.why.is_some() || self.machine.is_closed_by_peer()).then(|| self.tomb(self.why));
        self.shared.ended(&self.entry, self.contact.as_deref(), tomb);
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        let now = tokio::time::Instant::now().into_std();
        driver.poll_mailbox(cx, now);
        driver.handle_timeout(now);
        // A socket that had nothing to read wakes us by itself: it is asked once in each turn.
        (driver.link_asleep, driver.backend_asleep) = (false, false);
        loop {
            let mut moved = driver.poll_backend_write(cx, now);
            moved |= !driver.link_asleep && driver.poll_link_read(cx, now);
            moved |= driver.poll_link_write(cx, now);
            moved |= !driver.backend_asleep && driver.poll_backend_read(cx, now);
            moved |= driver.poll_link_write(cx, now);
            moved |= driver.poll_events(now);
            if driver.contact.is_some() && driver.machine.is_confirmed() {
                driver.confirm();
            }
            if driver.draining && driver.link.is_none() && driver.phase != Phase::Over {
                // Its client has moved, or cannot reach this process again.
                driver.end_backend(Some(CloseCode::GOING_AWAY), "gateway stops");
                driver.phase = Phase::Over;
            }
            if driver.phase == Phase::Over {
                driver.finish(now);
                return Poll::Ready(());
            }
            if !moved {
                break;
            }
        }
        driver.poll_timer(cx, now);
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A task that is dropped with its runtime leaves no entry that would swallow links.
        if self.phase != Phase::Over {
            self.shared.ended(&self.entry, self.contact.as_deref(), None);
        }
    }
}
