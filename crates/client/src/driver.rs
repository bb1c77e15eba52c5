//! The task of a client: it carries out the requests of the session machine and reports to it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use undrop_frame::{CloseCode, OpCode, ProtocolFault};
use undrop_session::{BackendIdentity, ClientEvent, LinkEnd, Misbehaviour, Transmit};
use undrop_transport::{Alarm, ConnectStage, Ending, Received, WebSocket, tcp_info};

use crate::attempt::{AttemptFailure, ConnectTarget, Linked, make};
use crate::error::{Closed, Undelivered};
use crate::event::Event;
use crate::shared::{LockedState, SharedClient, now};

/// The number of bytes in the output buffer of a link up to which the machine is asked for more.
const OUTPUT_LIMIT: usize = 64 * 1024;
/// The maximum number of messages that are read from a link in one pass.
const READ_BATCH: usize = 128;
/// The maximum number of endings that are kept for events of the machine.
const ENDINGS_LIMIT: usize = 16;

type DialFuture = Pin<Box<dyn Future<Output = Result<Linked, AttemptFailure>> + Send>>;

/// The future of the task. Each poll makes one pass over everything that can move; if something did, the task is woken
/// again, so other tasks get their turn between two passes.
///
/// The lock of [`SharedClient`] is taken for each call of the machine and is free while dials, links and the log run.
pub(crate) struct ClientDriver {
    shared: Arc<SharedClient>,
    target: Arc<ConnectTarget>,
    dials: Vec<(u64, DialFuture)>,
    links: Vec<Link>,
    /// Links in their closing handshake, which the machine no longer knows.
    closing: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// The endings of attempts and links, until the machine reports them in events.
    endings: Vec<AttemptEnding>,
    lost_at: Option<Instant>,
    alarm: Alarm,
}

/// The ending of an attempt or of its link.
struct AttemptEnding {
    n: u64,
    stage: ConnectStage,
    ending: Ending,
    why: String,
}

struct Link {
    n: u64,
    socket: WebSocket,
    /// The time at which the kernel was last asked for received data.
    kernel_asked: Instant,
}

impl ClientDriver {
    pub(crate) fn new(shared: Arc<SharedClient>, target: Arc<ConnectTarget>) -> ClientDriver {
        ClientDriver {
            shared,
            target,
            dials: Vec::new(),
            links: Vec::new(),
            closing: Vec::new(),
            endings: Vec::new(),
            lost_at: None,
            alarm: Alarm::new(),
        }
    }

    /// Fires the timers of the machine that are due.
    fn handle_timeout(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if !due(self.shared.with(|inner| inner.machine.poll_timeout())) {
            return;
        }
        self.report_traffic(now);
        self.shared.with(|inner| inner.machine.handle_timeout(now));
    }

    /// Reports partly received messages to the machine. Receiving a large message may take longer than a watchdog allows,
    /// and the socket reports whole messages only, while the kernel knows of every byte.
    fn report_traffic(&mut self, now: Instant) {
        for link in &mut self.links {
            let Some(info) = link.socket.stream().tcp().and_then(|tcp| tcp_info(tcp).ok()) else { continue };
            if now.checked_sub(info.last_data_recv).is_some_and(|received| received > link.kernel_asked) {
                self.shared.with(|inner| inner.machine.handle_traffic(now, link.n));
            }
            link.kernel_asked = now;
        }
    }

    fn poll_dials(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut moved = false;
        let mut at = 0;
        while at < self.dials.len() {
            let (n, dial) = &mut self.dials[at];
            let n = *n;
            let Poll::Ready(outcome) = dial.as_mut().poll(cx) else {
                at += 1;
                continue;
            };
            drop(self.dials.swap_remove(at));
            moved = true;
            match outcome {
                Ok(Linked { socket, mode, protocol }) => {
                    self.links.push(Link { n, socket, kernel_asked: now });
                    self.shared.with(|inner| {
                        if protocol.is_some() {
                            inner.protocol = protocol;
                        }
                        inner.machine.handle_link_up(now, n, mode);
                    });
                }
                Err(AttemptFailure { end, stage, ending, why }) => {
                    tracing::info!(attempt = n, %ending, cause = %why, "attempt failed");
                    self.endings.push(AttemptEnding { n, stage, ending, why });
                    self.shared.with(|inner| inner.machine.handle_link_down(now, n, end));
                }
            }
        }
        moved
    }

    fn poll_links(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut moved = false;
        let mut at = 0;
        while at < self.links.len() {
            match read(&mut self.links[at], cx, &self.shared, now) {
                LinkRead::Pending => at += 1,
                LinkRead::Progress => {
                    moved = true;
                    at += 1;
                }
                LinkRead::Ended(ending) => {
                    moved = true;
                    let Link { n, .. } = self.links.swap_remove(at);
                    let close = ending.close().map(|(code, reason)| (code, reason.to_owned()));
                    self.note_ending(n, ending);
                    let end = LinkEnd { close, ..LinkEnd::default() };
                    self.shared.with(|inner| inner.machine.handle_link_down(now, n, end));
                }
                LinkRead::Violation(fault) => {
                    moved = true;
                    let Link { n, mut socket, .. } = self.links.swap_remove(at);
                    socket.start_close(Some(fault.close_code()), &fault.to_string());
                    self.closing.push(finish_close(socket));
                    self.note_ending(n, ProtocolFault::Session(fault.to_string()).into());
                    self.shared.with(|inner| inner.machine.handle_link_down(now, n, LinkEnd::default()));
                }
            }
        }
        moved
    }

    fn note_ending(&mut self, n: u64, ending: Ending) {
        let why = match ending.close() {
            Some((code, reason)) => format!("{} {}: {reason}", code.name(), code.meaning()),
            None => ending.to_string(),
        };
        tracing::info!(attempt = n, %ending, browser = ending.browser_view().get(), cause = %why, "link ended");
        self.endings.push(AttemptEnding { n, stage: ConnectStage::Session, ending, why });
    }

    /// Takes messages that the application will never read, because the end of the session follows them in the queue.
    fn discard_unread(&self, now: Instant) {
        self.shared.with(|inner| while inner.abandoned && inner.machine.poll_message(now).is_some() {});
    }

    fn start_dials(&mut self, now: Instant) -> bool {
        let mut moved = false;
        while let Some(attempt) = self.shared.with(|inner| inner.machine.poll_connect(now)) {
            moved = true;
            // Not the whole URL: the query and the user information may hold secrets.
            let (host, path) = (self.target.url.host(), self.target.url.as_url().path());
            tracing::debug!(attempt = attempt.n, host, path, session = attempt.hello.is_some(), "connecting");
            self.dials.push((attempt.n, Box::pin(make(self.target.clone(), attempt))));
        }
        moved
    }

    /// Moves the output of the machine to the buffers of the links; nothing is written to a socket here. One link at a
    /// time is in use, and it alone determines the pace.
    fn transmit(&mut self) -> bool {
        let mut moved = false;
        let links = &mut self.links;
        while has_room(links) {
            let queued = self.shared.with(|inner| match inner.machine.poll_transmit() {
                Some((n, what)) => {
                    if let Some(link) = links.iter_mut().find(|link| link.n == n) {
                        queue(&mut link.socket, what);
                    }
                    true
                }
                None => false,
            });
            if !queued {
                break;
            }
            moved = true;
        }
        moved
    }

    /// Writes the output of the links. Returns `true` if a link that was full has room again.
    fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        let full = !has_room(&self.links);
        for link in &mut self.links {
            // A failed write shows in the next read.
            let _ = link.socket.poll_flush(cx);
        }
        self.closing.retain_mut(|closing| closing.as_mut().poll(cx).is_pending());
        full && has_room(&self.links)
    }

    fn handle_events(&mut self, now: Instant) -> bool {
        let mut moved = false;
        while let Some(event) = self.shared.with(|inner| inner.machine.poll_event()) {
            moved = true;
            if let Some(event) = self.handle_event(event, now) {
                self.shared.with(|inner| {
                    inner.events.push(event);
                    inner.wake_event_reader();
                });
            }
        }
        // The machine never reports attempts that it had given up before they ended.
        if self.endings.len() > ENDINGS_LIMIT {
            self.endings.drain(..ENDINGS_LIMIT / 2);
        }
        moved
    }

    /// Acts on an event of the machine, and returns the event for the application, if there is one.
    fn handle_event(&mut self, event: ClientEvent, now: Instant) -> Option<Event> {
        Some(match event {
            ClientEvent::Acked(receipt) => return self.settle(receipt, Ok(())),
            ClientEvent::Expired(receipt) => return self.settle(receipt, Err(Undelivered::Expired)),
            ClientEvent::Dropped(receipt) => return self.settle(receipt, Err(Undelivered::Dropped)),
            ClientEvent::CloseLink { n, code } => {
                self.close_link(n, code);
                return None;
            }
            ClientEvent::Connecting { n, tries } => Event::Connecting { attempt: n, tries },
            ClientEvent::Open { n, session, protocol } => {
                tracing::info!(attempt = n, session, "open");
                self.lost_at = None;
                let protocol = self.shared.with(|inner| {
                    inner.protocol = protocol.or(inner.protocol.take());
                    inner.opened = true;
                    inner.wake_others();
                    inner.protocol.clone()
                });
                Event::Open { session, protocol }
            }
            ClientEvent::Resumed { n, seamless, resent, backend } => {
                let lost_at = self.lost_at.take();
                let after = lost_at.map(|at| now.saturating_duration_since(at)).unwrap_or_default();
                tracing::info!(attempt = n, seamless, resent, ?after, "resumed");
                Event::Resumed { seamless, resent, after, same_backend: backend == BackendIdentity::Same }
            }
            ClientEvent::Lost { n, .. } => {
                self.lost_at = Some(now);
                Event::Lost { ending: self.take_ending(n).ending }
            }
            ClientEvent::Failed { n, .. } => {
                let AttemptEnding { stage, ending, why, .. } = self.take_ending(n);
                Event::Failed { stage, ending, why }
            }
            ClientEvent::Retry { after, tries } => {
                tracing::info!(?after, tries, "reconnecting after a delay");
                Event::Retry { after, tries }
            }
            ClientEvent::Gap { reason, lost, resent } => {
                tracing::warn!(
                    ?reason,
                    ?lost,
                    resent,
                    "the session was not resumed exactly; messages may be lost or duplicated"
                );
                Event::Gap { reason, lost, resent }
            }
            ClientEvent::GoAway { why, after } => {
                tracing::info!(why, ?after, "the gateway asked to reconnect");
                Event::GoAway { why, after }
            }
            ClientEvent::Closed { code, reason, by, unacked } => {
                let (name, meaning) = (code.name(), code.meaning());
                tracing::info!(code = code.get(), name, meaning, reason, ?by, "closed");
                self.finish(Closed { code, reason, by, unacked });
                return None;
            }
            _ => return None,
        })
    }

    /// Resolves the receipt of a message.
    fn settle(&self, receipt: u64, result: Result<(), Undelivered>) -> Option<Event> {
        let sender = self.shared.with(|inner| {
            inner.wake_others();
            inner.receipts.remove(&receipt)
        });
        if let Some(sender) = sender {
            // The application may have dropped its receipt.
            let _ = sender.send(result);
        }
        None
    }

    /// Publishes the final state, with the last event.
    fn finish(&self, closed: Closed) {
        let receipts = self.shared.with(|inner| {
            let Closed { code, reason, by, unacked } = closed.clone();
            inner.events.push(Event::Closed { code, reason, by, unacked });
            inner.closed = Some(closed);
            inner.wake_all();
            std::mem::take(&mut inner.receipts)
        });
        // Dropping a sender wakes its receiver, which must not happen under the lock.
        drop(receipts);
    }

    fn take_ending(&mut self, n: u64) -> AttemptEnding {
        match self.endings.iter().position(|ended| ended.n == n) {
            Some(at) => self.endings.swap_remove(at),
            // The machine gave the attempt up because nothing arrived.
            None => AttemptEnding {
                n,
                stage: ConnectStage::Session,
                ending: Ending::BlackHole,
                why: "no answer in time".to_owned(),
            },
        }
    }

    fn close_link(&mut self, n: u64, code: CloseCode) {
        self.dials.retain(|(m, _)| *m != n);
        if let Some(at) = self.links.iter().position(|link| link.n == n) {
            let mut socket = self.links.swap_remove(at).socket;
            socket.start_close(Some(code), "");
            self.closing.push(finish_close(socket));
        }
    }
}

impl Future for ClientDriver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        driver.shared.with(|inner| inner.register_driver(cx));
        let now = now();
        driver.handle_timeout(now);
        let mut moved = driver.poll_dials(cx, now);
        moved |= driver.poll_links(cx, now);
        driver.discard_unread(now);
        moved |= driver.start_dials(now);
        moved |= driver.transmit();
        // Asked before the events are taken: the last event is then among those.
        let (over, next) = driver.shared.with(|inner| (inner.is_over(), inner.machine.poll_timeout()));
        moved |= driver.handle_events(now);
        moved |= driver.flush(cx);
        if over {
            driver.dials.clear();
            while let Some(link) = driver.links.first() {
                driver.close_link(link.n, CloseCode::NORMAL);
                moved = true;
            }
            if driver.closing.is_empty() {
                return Poll::Ready(());
            }
        }
        let next = next.map(tokio::time::Instant::from_std);
        moved |= driver.alarm.poll_earliest(cx, next, tokio::time::Instant::from_std(now)).is_ready();
        if moved {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for ClientDriver {
    fn drop(&mut self) {
        self.shared.orphan();
    }
}

enum LinkRead {
    Pending,
    Progress,
    Ended(Ending),
    /// The peer violated the session protocol.
    Violation(Misbehaviour),
}

/// Reads up to [`READ_BATCH`] messages from a link.
fn read(link: &mut Link, cx: &mut Context<'_>, shared: &SharedClient, now: Instant) -> LinkRead {
    let n = link.n;
    let paused = |inner: &mut LockedState| !inner.machine.wants_read() && inner.machine.link() == Some(n);
    if shared.with(paused) {
        return LinkRead::Pending;
    }
    for count in 0..READ_BATCH {
        let received = match link.socket.poll_recv(cx) {
            Poll::Pending => return if count > 0 { LinkRead::Progress } else { LinkRead::Pending },
            Poll::Ready(Err(ending)) => return LinkRead::Ended(ending),
            Poll::Ready(Ok(received)) => received,
        };
        let read_on = shared.with(|inner| {
            match received {
                Received::Message(message) => {
                    inner.machine.handle_message(now, n, message)?;
                    inner.wake_message_reader();
                }
                Received::Ping(_) => inner.machine.handle_traffic(now, n),
                Received::Pong(_) => inner.machine.handle_pong(now, n),
            }
            Ok(!paused(inner))
        });
        match read_on {
            Ok(true) => {}
            Ok(false) => return LinkRead::Progress,
            Err(fault) => return LinkRead::Violation(fault),
        }
    }
    LinkRead::Progress
}

/// Puts output of the machine into the buffer of a link.
fn queue(socket: &mut WebSocket, what: Transmit<'_>) {
    // A link that refuses is closing; the next read returns how it ended.
    let _ = match what {
        Transmit::Message(opcode, bytes) => socket.queue(opcode, &bytes),
        Transmit::Packet(text) => socket.queue_plain(OpCode::Text, text.as_bytes()),
        Transmit::Ping(payload) => socket.queue_ping(&payload),
        Transmit::Close(code, reason) => {
            socket.start_close(Some(code), &reason);
            Ok(())
        }
    };
}

fn has_room(links: &[Link]) -> bool {
    links.iter().all(|link| link.socket.pending() < OUTPUT_LIMIT)
}

/// Completes the closing handshake of a link.
fn finish_close(mut socket: WebSocket) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move { while socket.recv().await.is_ok() {} })
}
