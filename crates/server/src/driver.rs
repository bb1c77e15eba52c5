//! The task that owns one session: its machine, its link and its backend connection. Nothing on the way of a message
//! is shared; the mailbox carries only new links and orders from above.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::Sleep;
use undrop_frame::{CloseCode, OpCode};
use undrop_session::{Event, Gateway, GoAway, Loss, LossReason, MOVED_FRAME, Packet, Received, Refusal};
use undrop_transport::{Ending, Stream, scratch, tcp_info};

use crate::closing::{close_frame, control, masked_close_frame, retire};
use crate::from_backend::{self, FromBackend};
use crate::from_link::{self, FromLink, LinkFault};
use crate::registry::{Entry, Tomb};

use crate::sessions::Shared;

/// How long the backend may take to answer our Close frame.
const BACKEND_CLOSE: Duration = Duration::from_secs(5);

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
    /// Takes the link back when it cannot be resumed, with the reason.
    pub(crate) refused: Option<oneshot::Sender<(Box<NewLink>, Tomb)>>,
}

/// The current link.
struct Link {
    stream: Stream,
    peer: SocketAddr,
    /// The 101 answer, until it is written.
    answer: Vec<u8>,
    input: FromLink,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The client closed the session: the backend has our Close frame, its answer is awaited.
    ClientClosed,
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
    /// What the backend's socket did not take yet; at most the window and one read.
    to_backend: Vec<u8>,
    written: usize,
    /// Units in `to_backend`.
    waiting_units: u64,
    phase: Phase,
    /// When waiting in `phase` ends.
    deadline: Option<Instant>,
    entry: Arc<Entry>,
    shared: Arc<Shared>,
    /// The first-contact id, until the client has proved that it has the key.
    contact: Option<Box<str>>,
    timer: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
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
        contact: Box<str>,
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
            phase: Phase::Open,
            deadline: None,
            entry,
            shared,
            contact: Some(contact),
            timer: None,
            armed: None,
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
                let why =
                    if matches!(refusal, Refusal::Skew) { LossReason::Skew } else { LossReason::Overflow };
                tracing::warn!(sid = %self.entry.sid, peer = %new.peer, ?refusal, "session cannot be resumed");
                self.why = Some(why);
                self.end_backend(Some(CloseCode::GOING_AWAY), "session cannot be resumed");
                self.phase = Phase::Over;
                let tomb = self.tomb(why);
                if let Some(refused) = new.refused.take() {
                    // The acceptor that offered the link may have gone; then there is nobody to answer.
                    let _ = refused.send((new, tomb));
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
                        self.retire_link(link, close_frame(Some(code), &reason));
                    }
                    self.phase = Phase::Over;
                }
            }
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Instant) {
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
                Phase::Open | Phase::BackendClosed | Phase::Over => {}
            }
        }
        let next = [self.machine.poll_timeout(), self.deadline].into_iter().flatten().min();
        let Some(next) = next else { return };
        // The timer is moved only to earlier times; one that fires too early is set anew. A message that postpones a
        // deadline so costs nothing.
        if self.armed.is_none_or(|armed| next < armed || armed <= now) {
            self.armed = Some(next);
            let at = tokio::time::Instant::from_std(next);
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(at),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(at))),
            }
        }
        if let Some(timer) = &mut self.timer
            && timer.as_mut().poll(cx).is_ready()
        {
            // A good moment: timers fire after bursts, not in them.
            self.machine.release_idle_memory();
            self.armed = None;
            cx.waker().wake_by_ref();
        }
    }

    /// True when something moved.
    fn poll_backend_write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.to_backend.is_empty() {
            return false;
        }
        let Some(backend) = &mut self.backend else {
            (self.to_backend, self.written) = (Vec::new(), 0);
            return false;
        };
        match write_all(cx, backend, &self.to_backend, &mut self.written) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => {
                (self.to_backend, self.written) = (Vec::new(), 0);
                let units = std::mem::take(&mut self.waiting_units);
                self.machine.taken(now, units);
                true
            }
            Poll::Ready(Err(error)) => {
                self.backend_lost(&Ending::from_io(&error), now);
                true
            }
        }
    }

    fn poll_link_read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        // The client keeps to its window, so all it may send fits, and its acks are never stuck behind a backend that
        // waits for them. What a client sends beyond its window waits in its socket. When the backend is gone, acks are
        // still read; data goes nowhere and is not acked.
        if self.to_backend.len() - self.written > self.shared.options.machine.client_window {
            return false;
        }
        scratch::with(|buffer| {
            let Some(link) = &mut self.link else { return false };
            let mut read = ReadBuf::new(buffer);
            match Pin::new(&mut link.stream).poll_read(cx, &mut read) {
                Poll::Pending => return false,
                Poll::Ready(Err(error)) => self.link_lost(&Ending::from_io(&error), now),
                Poll::Ready(Ok(())) if read.filled().is_empty() => self.link_lost(&Ending::Fin, now),
                Poll::Ready(Ok(())) => {
                    self.machine.on_traffic(now);
                    self.take_from_link(read.filled_mut(), now, Some(cx));
                }
            }
            true
        })
    }

    /// Hands what a link brought to the machine and to the backend. Without `cx` (outside a poll) nothing is written yet.
    fn take_from_link(&mut self, bytes: &mut [u8], now: Instant, cx: Option<&mut Context<'_>>) {
        let Some(mut link) = self.link.take() else { return };
        let mut sink = LinkSink { driver: self, now, cx, closed: None };
        let result = link.input.take(bytes, &mut sink);
        let closed = sink.closed;
        match (result, closed) {
            (Ok(()), None) => self.link = Some(link),
            (Ok(()), Some((code, reason))) => {
                self.retire_link(link, close_frame(code, ""));
                let ending = Ending::Close(code.unwrap_or(CloseCode::NO_STATUS), reason);
                self.detached(&ending, now);
            }
            (Err(fault), _) => {
                tracing::warn!(sid = %self.entry.sid, peer = %link.peer, cause = %fault, "client broke the protocol");
                self.retire_link(link, close_frame(Some(fault.close_code()), &fault.to_string()));
                self.detached(&Ending::ProtocolError(fault.to_string()), now);
            }
        }
    }

    /// Ends a link from our side: what is ready for it (at least the rest of a unit that is partly out), then `last`.
    fn retire_link(&self, link: Link, last: Vec<u8>) {
        let mut bytes = link.answer;
        let mut ready: [&[u8]; 3] = [&[]; 3];
        let filled = self.machine.transmit(&mut ready);
        for slice in &ready[..filled] {
            bytes.extend_from_slice(slice);
        }
        bytes.extend(last);
        tokio::spawn(retire(link.stream, bytes));
    }

    fn link_lost(&mut self, ending: &Ending, now: Instant) {
        self.link = None;
        self.detached(ending, now);
    }

    fn detached(&mut self, ending: &Ending, now: Instant) {
        self.machine.detach(now);
        let browser = ending.browser_view().get();
        if self.phase == Phase::Open {
            tracing::info!(sid = %self.entry.sid, %ending, browser, "link lost");
        } else {
            tracing::debug!(sid = %self.entry.sid, %ending, browser, "link ended with its session");
        }
        self.note_parked();
    }

    /// Tells the registry what this session holds while it has no link.
    fn note_parked(&self) {
        if self.link.is_none() && self.phase != Phase::Over {
            let bytes = self.machine.progress().buffered + self.to_backend.len();
            let budget = self.shared.options.parked_budget;
            if self.shared.registry.park(&self.entry, bytes, budget) {
                self.shared.registry.evict_down_to(budget);
            }
        }
    }

    fn poll_link_write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut moved = false;
        loop {
            let Some(link) = &mut self.link else { return moved };
            let mut units: [&[u8]; 3] = [&[]; 3];
            let filled = self.machine.transmit(&mut units);
            if filled == 0 && link.answer.is_empty() {
                break;
            }
            let slices = [&link.answer, units[0], units[1], units[2]].map(io::IoSlice::new);
            // Without an answer to send, its slice is empty and left out: writev takes fewer.
            let slices = if link.answer.is_empty() { &slices[1..=filled] } else { &slices[..=filled] };
            match Pin::new(&mut link.stream).poll_write_vectored(cx, slices) {
                Poll::Pending => return moved,
                Poll::Ready(Ok(0)) => {
                    self.link_lost(&Ending::Fin, now);
                    return true;
                }
                Poll::Ready(Ok(mut n)) => {
                    let head = n.min(link.answer.len());
                    if head > 0 {
                        link.answer.drain(..head);
                        if link.answer.is_empty() {
                            link.answer = Vec::new();
                        }
                        n -= head;
                    }
                    self.machine.transmitted(now, n);
                    moved = true;
                }
                Poll::Ready(Err(error)) => {
                    self.link_lost(&Ending::from_io(&error), now);
                    return true;
                }
            }
        }
        if moved
            && let Some(link) = &mut self.link
            && let Poll::Ready(Err(error)) = Pin::new(&mut link.stream).poll_flush(cx)
        {
            self.link_lost(&Ending::from_io(&error), now);
        }
        moved
    }

    fn poll_backend_read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.phase == Phase::BackendClosed {
            return false;
        }
        let room = self.machine.room();
        if room == 0 {
            return false;
        }
        scratch::with(|buffer| {
            let Some(backend) = &mut self.backend else { return false };
            let stashed = self.from_backend.stash().len();
            buffer[..stashed].copy_from_slice(self.from_backend.stash());
            // A read may go over what is left by a little, never by a whole buffer.
            let end = buffer.len().min(stashed + room.max(4096));
            let mut read = ReadBuf::new(&mut buffer[stashed..end]);
            match Pin::new(backend).poll_read(cx, &mut read) {
                Poll::Pending => return false,
                Poll::Ready(Err(error)) => self.backend_lost(&Ending::from_io(&error), now),
                Poll::Ready(Ok(())) if read.filled().is_empty() => self.backend_lost(&Ending::Fin, now),
                Poll::Ready(Ok(())) => {
                    let got = read.filled().len();
                    self.take_from_backend(&buffer[..stashed + got], now);
                }
            }
            true
        })
    }

    fn take_from_backend(&mut self, bytes: &[u8], now: Instant) {
        let mut sink = BackendSink {
            machine: &mut self.machine,
            now,
            discard: self.phase != Phase::Open,
            units: 0,
            pings: Vec::new(),
            closed: None,
        };
        let result = self.from_backend.take(bytes, &mut sink);
        let BackendSink { units, pings, closed, .. } = sink;
        for payload in pings {
            self.to_backend_control(OpCode::Pong, &payload);
        }
        match (result, closed) {
            (Err(fault), _) => {
                tracing::warn!(sid = %self.entry.sid, cause = %fault, "backend broke RFC 6455");
                self.end_backend(Some(fault.close_code()), &fault.to_string());
                self.backend_closed(CloseCode::BAD_GATEWAY, &format!("backend broke RFC 6455: {fault}"), now);
            }
            (Ok(_), Some((code, reason))) => {
                tracing::debug!(sid = %self.entry.sid, code = code.map(CloseCode::get), "backend closed");
                self.end_backend(code, "");
                self.backend_closed(code.unwrap_or(CloseCode::NO_STATUS), &reason, now);
            }
            (Ok(_), None) => {
                if self.link.is_none() && units > 0 {
                    self.note_parked();
                }
            }
        }
    }

    /// Sends the backend its Close frame behind what is still unwritten, and lets go of it.
    fn end_backend(&mut self, code: Option<CloseCode>, reason: &str) {
        let Some(backend) = self.backend.take() else { return };
        let mut last = self.to_backend.split_off(self.written);
        (self.to_backend, self.written, self.waiting_units) = (Vec::new(), 0, 0);
        let mut key = [0; 4];
        if getrandom::fill(&mut key).is_ok() {
            last.extend(masked_close_frame(code, reason, key));
        }
        tokio::spawn(retire(backend, last));
    }

    fn backend_lost(&mut self, ending: &Ending, now: Instant) {
        self.backend = None;
        (self.to_backend, self.written, self.waiting_units) = (Vec::new(), 0, 0);
        if self.phase == Phase::Open {
            tracing::warn!(sid = %self.entry.sid, %ending, "backend connection lost");
        }
        self.backend_closed(CloseCode::BAD_GATEWAY, &format!("backend connection lost: {ending}"), now);
    }

    /// The backend's side is over: the client learns it behind everything that the backend sent before.
    fn backend_closed(&mut self, code: CloseCode, reason: &str, now: Instant) {
        match self.phase {
            Phase::Open => {
                self.machine.close(now, code, reason);
                self.phase = Phase::BackendClosed;
            }
            Phase::ClientClosed => self.phase = Phase::Over,
            Phase::BackendClosed | Phase::Over => {}
        }
    }

    fn to_backend_control(&mut self, opcode: OpCode, payload: &[u8]) {
        let mut key = [0; 4];
        // A backend that does not read gets no further answers: this buffer is bounded like the rest.
        if self.to_backend.len() <= self.shared.options.machine.client_window
            && getrandom::fill(&mut key).is_ok()
        {
            self.to_backend.extend(control(opcode, payload, Some(key)));
        }
    }

    fn poll_events(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(event) = self.machine.poll_event() {
            any = true;
            match event {
                Event::SendPing => self.machine.control_frame(&control(OpCode::Ping, b"undrop.hb", None)),
                Event::SuspectDead => self.suspect(now),
                Event::Close { code, reason } => {
                    tracing::debug!(sid = %self.entry.sid, code = code.get(), "client closed the session");
                    self.close_backend_for_client(code, &reason, now);
                }
                Event::Finished => {
                    if let Some(link) = self.link.take() {
                        self.retire_link(link, close_frame(Some(CloseCode::NORMAL), ""));
                    }
                    self.phase = Phase::Over;
                }
                Event::Expired => {
                    tracing::info!(sid = %self.entry.sid, "session expired: its client did not come back in time");
                    self.why = Some(LossReason::Expired);
                    self.end_backend(Some(CloseCode::GOING_AWAY), "client did not come back");
                    self.phase = Phase::Over;
                }
                Event::Overflow => {
                    tracing::warn!(sid = %self.entry.sid, "session ended: its replay buffer is full");
                    self.why = Some(LossReason::Overflow);
                    self.end_backend(Some(CloseCode::POLICY_VIOLATION), "client too slow");
                    self.phase = Phase::Over;
                }
                Event::LinkTooOld => {
                    self.machine
                        .drain(now, GoAway { wait: 0, slot: 5_000, until: 60_000, why: "age".into() });
                }
                Event::DrainOver => {
                    if let Some(link) = self.link.take() {
                        self.retire_link(link, close_frame(Some(CloseCode::GOING_AWAY), "drain is over"));
                        self.detached(&Ending::Close(CloseCode::GOING_AWAY, "drain is over".into()), now);
                    }
                }
                Event::Dropped { from, to } => {
                    tracing::warn!(sid = %self.entry.sid, from, to, "units dropped: the client is too slow");
                }
                other => tracing::trace!(sid = %self.entry.sid, ?other, "session event"),
            }
        }
        any
    }

    /// No answer for too long. Only the kernel knows whether the path is dead or the page asleep (PROTOCOL §6).
    fn suspect(&mut self, now: Instant) {
        let Some(link) = &self.link else { return };
        let silence = self.shared.options.machine.heartbeat;
        let dead = link
            .stream
            .tcp()
            .and_then(|tcp| tcp_info(tcp).ok())
            .is_none_or(|info| info.path_is_dead(silence));
        if dead {
            self.link_lost(&Ending::BlackHole, now);
        } else {
            tracing::debug!(sid = %self.entry.sid, "client is silent, but its kernel acknowledges: asleep or slow");
        }
    }

    fn close_backend_for_client(&mut self, code: CloseCode, reason: &str, now: Instant) {
        self.phase = Phase::ClientClosed;
        self.deadline = Some(now + BACKEND_CLOSE);
        let mut key = [0; 4];
        if getrandom::fill(&mut key).is_ok() {
            self.to_backend.extend(masked_close_frame(Some(code), reason, key));
        }
    }

    /// The client showed that it knows the session: a repeated first contact finds it no more.
    fn confirm(&mut self) {
        if let Some(contact) = self.contact.take() {
            self.shared.registry.confirm(&contact);
        }
    }

    fn tomb(&self, why: LossReason) -> Tomb {
        let progress = self.machine.progress();
        Tomb { key: self.entry.key.clone(), why, taken: progress.taken, sent: progress.appended }
    }

    fn finish(&mut self) {
        if let Some(link) = self.link.take() {
            let (code, reason) = match self.why {
                Some(why) => (CloseCode::TRY_AGAIN_LATER, format!("session ended: {why:?}")),
                None => (CloseCode::NORMAL, String::new()),
            };
            self.retire_link(link, close_frame(Some(code), &reason));
        }
        let tomb = self.why.map(|why| self.tomb(why));
        self.shared.ended(&self.entry, self.contact.as_deref(), tomb);
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        let now = tokio::time::Instant::now().into_std();
        driver.poll_mailbox(cx, now);
        loop {
            let mut moved = driver.poll_backend_write(cx, now);
            moved |= driver.poll_link_read(cx, now);
            moved |= driver.poll_link_write(cx, now);
            moved |= driver.poll_backend_read(cx, now);
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
                driver.finish();
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

/// Writes from `*at` on; Ready when all is written and flushed.
fn write_all(
    cx: &mut Context<'_>,
    stream: &mut Stream,
    bytes: &[u8],
    at: &mut usize,
) -> Poll<io::Result<()>> {
    while *at < bytes.len() {
        match Pin::new(&mut *stream).poll_write(cx, &bytes[*at..])? {
            Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(n) => *at += n,
            Poll::Pending => return Poll::Pending,
        }
    }
    Pin::new(stream).poll_flush(cx)
}

/// The last words on a superseded link.
fn moved() -> Vec<u8> {
    let mut bytes = MOVED_FRAME.to_vec();
    bytes.extend(close_frame(Some(CloseCode::NORMAL), "moved"));
    bytes
}

struct LinkSink<'a, 'b, 'c> {
    driver: &'a mut Driver,
    now: Instant,
    cx: Option<&'b mut Context<'c>>,
    closed: Option<(Option<CloseCode>, String)>,
}

impl from_link::Sink for LinkSink<'_, '_, '_> {
    fn data(&mut self, len: usize) -> bool {
        matches!(self.driver.machine.on_data(self.now, len), Received::Deliver)
    }

    fn packet(&mut self, packet: Packet) -> Result<(), LinkFault> {
        self.driver.machine.on_packet(self.now, &packet).map_err(LinkFault::Misbehaviour)
    }

    fn deliver(&mut self, mut frames: &[u8], units: u64) {
        let driver = &mut *self.driver;
        let Some(backend) = &mut driver.backend else {
            // The backend is gone, the client will learn it; nobody takes these units.
            return;
        };
        if driver.to_backend.is_empty()
            && let Some(cx) = &mut self.cx
        {
            // An error shows again at the next write of the backend.
            while let Poll::Ready(Ok(n @ 1..)) = Pin::new(&mut *backend).poll_write(cx, frames) {
                frames = &frames[n..];
                if frames.is_empty() {
                    let _ = Pin::new(backend).poll_flush(cx);
                    driver.machine.taken(self.now, units);
                    return;
                }
            }
        }
        driver.to_backend.extend_from_slice(frames);
        driver.waiting_units += units;
    }

    fn ping(&mut self, payload: &[u8]) {
        self.driver.machine.control_frame(&control(OpCode::Pong, payload, None));
    }

    fn pong(&mut self) {}

    fn close(&mut self, code: Option<CloseCode>, reason: &str) {
        self.closed = Some((code, reason.to_owned()));
    }
}

struct BackendSink<'a> {
    machine: &'a mut Gateway,
    now: Instant,
    /// The client closed the session: nobody wants what the backend still says.
    discard: bool,
    units: u64,
    pings: Vec<Vec<u8>>,
    closed: Option<(Option<CloseCode>, String)>,
}

impl from_backend::Sink for BackendSink<'_> {
    fn append(&mut self, bytes: &[u8]) {
        if !self.discard {
            self.machine.append(bytes);
        }
    }

    fn end_unit(&mut self) {
        if !self.discard {
            self.machine.end_unit(self.now);
            self.units += 1;
        }
    }

    fn ping(&mut self, payload: &[u8]) {
        self.pings.push(payload.to_vec());
    }

    fn pong(&mut self) {}

    fn close(&mut self, code: Option<CloseCode>, reason: &str) {
        self.closed = Some((code, reason.to_owned()));
    }
}
