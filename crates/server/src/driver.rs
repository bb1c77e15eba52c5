//! The task that owns one session: its machine, its link and its backend connection. The data path shares nothing with
//! other tasks; the mailbox carries only new links and commands.

mod backend;
mod delayed_ack;
mod events;
mod link;
mod timers;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use undrop_frame::CloseCode;
use undrop_session::{Gateway, Loss, LossReason, Refusal};
use undrop_transport::Stream;

use self::delayed_ack::DelayedAck;
use self::timers::{DriverTimers, TIDY};
use crate::closing::{close_frame, moved_frames, retire};
use crate::command::{Command, NewLink};
use crate::from_backend::FromBackend;
use crate::from_link::FromLink;
use crate::node::Node;
use crate::registry::SessionEntry;
use crate::tombstone::Tombstone;

/// The time within which the backend must reply to a Close frame.
const BACKEND_CLOSE: Duration = Duration::from_secs(5);

/// The link that the session uses.
struct ActiveLink {
    stream: Stream,
    peer: SocketAddr,
    /// The 101 response, until it is written.
    response: Vec<u8>,
    parser: FromLink,
    /// A unit or packet is partly written.
    inside: bool,
    /// The stream holds bytes that its socket did not accept yet (a TLS layer does).
    unflushed: bool,
    /// The last read of this turn returned `Pending`.
    asleep: bool,
}

/// The connection to the backend.
struct BackendConnection {
    /// The connection; `None` after its end.
    stream: Option<Stream>,
    parser: FromBackend,
    /// Bytes that the socket did not accept yet (at most the window, one message and one read), after those that it did.
    out: Vec<u8>,
    /// The number of bytes at the front of `out` that the socket accepted.
    written: usize,
    /// The number of units in `out`.
    units: u64,
    /// The stream holds bytes that its socket did not accept yet (a TLS layer does).
    unflushed: bool,
    /// The last read of this turn returned `Pending`.
    asleep: bool,
}

impl BackendConnection {
    fn new(stream: Stream, max_message: u64) -> BackendConnection {
        BackendConnection {
            stream: Some(stream),
            parser: FromBackend::new(max_message),
            out: Vec::new(),
            written: 0,
            units: 0,
            unflushed: false,
            asleep: false,
        }
    }

    /// Returns the number of bytes that wait for the socket.
    fn waiting(&self) -> usize {
        self.out.len() - self.written
    }

    /// Forgets the output: it was written, or the connection is gone.
    fn clear_output(&mut self) {
        (self.out, self.written, self.units, self.unflushed) = (Vec::new(), 0, 0, false);
    }
}

/// The phase of a session's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DriverPhase {
    Open,
    /// The client closed the session: a Close frame was sent to the backend, and its reply is awaited.
    ClientClosed,
    /// The client sent a message that is refused, and would send it again on every link. A Close frame was sent to the
    /// backend; the client gets what the backend still sends, and then a close with this code.
    ClientRefused(CloseCode),
    /// The backend connection ended; the last units wait for their acks.
    BackendClosed,
    Over,
}

/// The task of one session; see the module documentation.
pub(crate) struct Driver {
    machine: Gateway,
    link: Option<ActiveLink>,
    backend: BackendConnection,
    phase: DriverPhase,
    timers: DriverTimers,
    delayed_ack: DelayedAck,
    entry: Arc<SessionEntry>,
    node: Arc<Node>,
    /// The first-contact id, until the client has proved that it has the key.
    contact: Option<Box<str>>,
    waker: Option<Waker>,
    /// The reason why the session cannot be resumed, once it cannot.
    why: Option<LossReason>,
    /// This process stops, so no further link can arrive.
    draining: bool,
    /// The loss of the session that this one replaces, for its first link.
    predecessor: Option<Loss>,
}

impl Driver {
    pub(crate) fn new(
        machine: Gateway,
        backend: Stream,
        entry: Arc<SessionEntry>,
        node: Arc<Node>,
        contact: Option<Box<str>>,
    ) -> Driver {
        Driver {
            machine,
            link: None,
            backend: BackendConnection::new(backend, node.options.max_message),
            phase: DriverPhase::Open,
            timers: DriverTimers::default(),
            delayed_ack: DelayedAck::default(),
            entry,
            node,
            contact,
            waker: None,
            why: None,
            draining: false,
            predecessor: None,
        }
    }

    /// Sets the loss of the session that this one replaces; its first link reports it.
    pub(crate) fn succeed(&mut self, loss: Loss) {
        self.predecessor = Some(loss);
    }

    /// Handles the bytes that the backend sent together with its handshake response.
    pub(crate) fn preload_backend(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.take_from_backend(bytes);
        }
    }

    /// Makes `new` the current link, or returns it with the reason for the refusal.
    pub(crate) fn attach(&mut self, mut new: Box<NewLink>, now: Instant) {
        if self.phase == DriverPhase::Over
            && let Some(refused) = new.refused.take()
        {
            // An earlier command ended the session. The acceptor looks the session up again and finds the reason.
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
                let mut last = std::mem::take(&mut new.response);
                last.extend(moved_frames());
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
                self.phase = DriverPhase::Over;
                let tombstone = self.tombstone(Some(why));
                if let Some(refused) = new.refused.take() {
                    // The acceptor that offered the link may be gone; then no task waits for this.
                    let _ = refused.send((new, Some(tombstone)));
                }
                return;
            }
        }
        self.node.registry.set_attached(&self.entry);
        let link = ActiveLink {
            stream: new.stream,
            peer: new.peer,
            response: new.response,
            parser: FromLink::new(self.node.options.max_message),
            inside: false,
            unflushed: false,
            asleep: false,
        };
        tracing::debug!(sid = %self.entry.sid, peer = %link.peer, attempt = new.attempt, rx = ?new.rx, "link attached");
        if let Some(old) = self.link.replace(link) {
            // The old link is fenced: what it still carries is sent again on the new one. `m` fits only between units.
            let last = if boundary && old.response.is_empty() { moved_frames() } else { Vec::new() };
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
                    tracing::warn!(sid = %self.entry.sid, "session evicted: detached sessions exceed their memory budget");
                    self.why = Some(LossReason::Evicted);
                    self.end_backend(Some(CloseCode::GOING_AWAY), "session evicted");
                    self.phase = DriverPhase::Over;
                }
                Command::Evict => {}
                Command::Close { code, reason } => {
                    self.end_backend(Some(CloseCode::GOING_AWAY), &reason);
                    self.retire_link(close_frame(Some(code), &reason), now);
                    self.phase = DriverPhase::Over;
                }
            }
        }
    }

    /// Handles every timer that is due. The rest of the poll handles the resulting output and events.
    fn handle_timeout(&mut self, now: Instant) {
        if self.timers.tidy_at.is_some_and(|at| at <= now) {
            let quiet_at = self.timers.moved_at.map(|at| at + TIDY).filter(|at| *at > now);
            if quiet_at.is_none() {
                // Units that still wait for an ack keep their memory. Their ack is activity, after which this runs again.
                self.machine.release_idle_memory();
            }
            self.timers.tidy_at = quiet_at;
        }
        if self.machine.poll_timeout().is_some_and(|at| at <= now) {
            self.machine.handle_timeout(now);
        }
        if self.timers.close_at.is_some_and(|at| at <= now) {
            self.timers.close_at = None;
            match self.phase {
                DriverPhase::ClientClosed => {
                    tracing::info!(sid = %self.entry.sid, "backend did not reply to the Close frame in time");
                    self.backend.stream = None;
                    self.phase = DriverPhase::Over;
                }
                DriverPhase::ClientRefused(_) => {
                    self.backend.stream = None;
                    self.backend_closed(CloseCode::BAD_GATEWAY, "");
                }
                DriverPhase::Open | DriverPhase::BackendClosed | DriverPhase::Over => {}
            }
        }
    }

    /// Handles the confirmation by the client: a repeated first contact no longer finds the session.
    fn confirm(&mut self) {
        if let Some(contact) = self.contact.take() {
            self.node.registry.confirm(&contact);
        }
    }

    fn tombstone(&self, why: Option<LossReason>) -> Tombstone {
        let progress = self.machine.progress();
        Tombstone { key: self.entry.key.clone(), why, taken: progress.consumed, sent: progress.appended }
    }

    fn finish(&mut self, now: Instant) {
        if self.link.is_some() {
            let (code, reason) = match self.why {
                Some(why) => (CloseCode::TRY_AGAIN_LATER, format!("session ended: {why:?}")),
                None => (CloseCode::NORMAL, String::new()),
            };
            self.retire_link(close_frame(Some(code), &reason), now);
        }
        // A client that missed the ack of its close asks again.
        let tombstone =
            (self.why.is_some() || self.machine.is_closed_by_peer()).then(|| self.tombstone(self.why));
        self.node.remove_session(&self.entry, self.contact.as_deref(), tombstone);
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        let now = tokio::time::Instant::now().into_std();
        driver.poll_mailbox(cx, now);
        driver.handle_timeout(now);
        // A socket that had nothing to read wakes this task by itself, so it is read once in each turn.
        driver.backend.asleep = false;
        if let Some(link) = &mut driver.link {
            link.asleep = false;
        }
        loop {
            let mut moved = driver.poll_backend_write(cx, now);
            moved |= driver.poll_link_read(cx, now);
            moved |= driver.poll_link_write(cx, now);
            moved |= !driver.backend.asleep && driver.poll_backend_read(cx);
            moved |= driver.poll_link_write(cx, now);
            moved |= driver.poll_events(now);
            if driver.contact.is_some() && driver.machine.is_confirmed() {
                driver.confirm();
            }
            if driver.draining && driver.link.is_none() && driver.phase != DriverPhase::Over {
                // The client has moved, or cannot reach this process again.
                driver.end_backend(Some(CloseCode::GOING_AWAY), "gateway stops");
                driver.phase = DriverPhase::Over;
            }
            if driver.phase == DriverPhase::Over {
                driver.finish(now);
                return Poll::Ready(());
            }
            if !moved {
                break;
            }
            driver.timers.moved_at = Some(now);
            driver.timers.tidy_at.get_or_insert(now + TIDY);
        }
        let deadlines = [driver.machine.poll_timeout(), driver.delayed_ack.deadline(now)];
        driver.timers.poll(cx, now, deadlines);
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A task that is dropped with its runtime must not leave an entry, which would swallow links.
        if self.phase != DriverPhase::Over {
            self.node.remove_session(&self.entry, self.contact.as_deref(), None);
        }
    }
}

#[cfg(test)]
mod tests;
