//! The task behind a client: it acts on what the machine wants and feeds it what happens.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use undrop_frame::{CloseCode, OpCode, ProtocolFault};
use undrop_session::{ClientEvent, Down, Misbehaviour, Transmit};
use undrop_transport::{Alarm, ConnectStage, Ending, Received, WebSocket, tcp_info};

use crate::attempt::{Failed, Linked, Target, make};
use crate::event::Event;
use crate::handle::{Closed, Undelivered};
use crate::shared::{Inner, Shared, now};

/// Bytes that may wait in a link's output before the machine is asked for more.
const OUTPUT: usize = 64 * 1024;
/// Messages that are read from a link before its other work gets a turn.
const BATCH: usize = 128;

type Dial = Pin<Box<dyn Future<Output = Result<Linked, Failed>> + Send>>;

/// See the module documentation.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    target: Arc<Target>,
    dials: Vec<(u64, Dial)>,
    links: Vec<Link>,
    /// Links that are closing; nobody listens to them any more.
    closing: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// How attempts and links ended, until the machine tells of it.
    endings: Vec<Ended>,
    lost_at: Option<Instant>,
    alarm: Alarm,
}

/// How an attempt or link ended.
struct Ended {
    n: u64,
    stage: ConnectStage,
    ending: Ending,
    why: String,
}

struct Link {
    n: u64,
    socket: WebSocket,
    /// When the kernel was last asked whether anything came.
    looked: Instant,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>, target: Arc<Target>) -> Driver {
        Driver {
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

    fn poll_dials(&mut self, cx: &mut Context<'_>, inner: &mut Inner, now: Instant) -> bool {
        let mut any = false;
        let mut at = 0;
        while at < self.dials.len() {
            let (n, dial) = &mut self.dials[at];
            let n = *n;
            let Poll::Ready(outcome) = dial.as_mut().poll(cx) else {
                at += 1;
                continue;
            };
            drop(self.dials.swap_remove(at));
            any = true;
            match outcome {
                Ok(Linked { socket, mode, protocol }) => {
                    if protocol.is_some() {
                        inner.protocol = protocol;
                    }
                    self.links.push(Link { n, socket, looked: now });
                    inner.machine.link_up(now, n, mode);
                }
                Err(Failed { down, stage, ending, why }) => {
                    tracing::info!(attempt = n, %ending, cause = %why, "attempt failed");
                    self.endings.push(Ended { n, stage, ending, why });
                    inner.machine.link_down(now, n, down);
                }
            }
        }
        any
    }

    fn poll_links(&mut self, cx: &mut Context<'_>, inner: &mut Inner, now: Instant) -> bool {
        let mut any = false;
        let mut at = 0;
        while at < self.links.len() {
            match read(&mut self.links[at], cx, inner, now) {
                Read::Waiting => at += 1,
                Read::Some => {
                    any = true;
                    at += 1;
                }
                Read::Ended(ending) => {
                    any = true;
                    let link = self.links.swap_remove(at);
                    let close = ending.close().map(|(code, reason)| (code, reason.to_owned()));
                    self.note(link.n, ending);
                    inner.machine.link_down(now, link.n, Down { close, ..Down::default() });
                }
                Read::Broken(fault) => {
                    any = true;
                    let mut link = self.links.swap_remove(at);
                    link.socket.start_close(Some(fault.close_code()), &fault.to_string());
                    self.closing.push(farewell(link.socket));
                    self.note(link.n, ProtocolFault::Session(fault.to_string()).into());
                    inner.machine.link_down(now, link.n, Down::default());
                }
            }
        }
        any
    }

    fn note(&mut self, n: u64, ending: Ending) {
        let why = match ending.close() {
            Some((code, reason)) => format!("{} {}: {reason}", code.name(), code.meaning()),
            None => ending.to_string(),
        };
        tracing::info!(attempt = n, %ending, browser = ending.browser_view().get(), cause = %why, "link ended");
        self.endings.push(Ended { n, stage: ConnectStage::Session, ending, why });
    }

    fn transmit(&mut self, inner: &mut Inner) -> bool {
        let mut any = false;
        // One link at a time is in use; it alone decides about the pace.
        while self.links.iter().all(|link| link.socket.pending() < OUTPUT) {
            let Some((n, what)) = inner.machine.poll_transmit() else { break };
            any = true;
            let Some(at) = self.links.iter().position(|link| link.n == n) else { continue };
            let socket = &mut self.links[at].socket;
            // A link that takes nothing any more is closing; `recv` tells how.
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
        any
    }

    fn flush(&mut self, cx: &mut Context<'_>) {
        for link in &mut self.links {
            // What fails here shows when reading.
            let _ = link.socket.poll_flush(cx);
        }
        self.closing.retain_mut(|closing| closing.as_mut().poll(cx).is_pending());
    }

    fn connect(&mut self, inner: &mut Inner, now: Instant) -> bool {
        let mut any = false;
        while let Some(attempt) = inner.machine.poll_connect(now) {
            any = true;
            // Not the whole URL: its query and its user part may hold secrets.
            let (host, path) = (self.target.url.host(), self.target.url.as_url().path());
            tracing::debug!(attempt = attempt.n, host, path, session = attempt.hello.is_some(), "connecting");
            self.dials.push((attempt.n, Box::pin(make(self.target.clone(), attempt))));
        }
        any
    }

    fn events(&mut self, inner: &mut Inner, now: Instant) -> bool {
        let mut any = false;
        while let Some(event) = inner.machine.poll_event() {
            any = true;
            if let Some(event) = self.event(event, inner, now) {
                inner.events.push(event);
                inner.wake_watcher();
            }
        }
        // Endings of attempts that the machine had given up are of interest to nobody.
        if self.endings.len() > 16 {
            self.endings.drain(..8);
        }
        any
    }

    /// Acts on one event; returns what the application hears of it.
    fn event(&mut self, event: ClientEvent, inner: &mut Inner, now: Instant) -> Option<Event> {
        Some(match event {
            ClientEvent::Acked(receipt) => {
                settle(inner, receipt, Ok(()));
                return None;
            }
            ClientEvent::Expired(receipt) => {
                settle(inner, receipt, Err(Undelivered::Expired));
                return None;
            }
            ClientEvent::Dropped(receipt) => {
                settle(inner, receipt, Err(Undelivered::Dropped));
                return None;
            }
            ClientEvent::CloseLink { n, code } => {
                self.close_link(n, code);
                return None;
            }
            ClientEvent::Connecting { n, tries } => Event::Connecting { attempt: n, tries },
            ClientEvent::Open { n, session, protocol } => {
                tracing::info!(attempt = n, session, "open");
                inner.protocol = protocol.or(inner.protocol.take());
                inner.opened = true;
                inner.wake_others();
                self.lost_at = None;
                Event::Open { session, protocol: inner.protocol.clone() }
            }
            ClientEvent::Resumed { n, seamless, resent, backend } => {
                let after =
                    self.lost_at.take().map(|at| now.saturating_duration_since(at)).unwrap_or_default();
                tracing::info!(attempt = n, seamless, resent, ?after, "resumed");
                Event::Resumed { seamless, resent, after, same_backend: Event::is_same(backend) }
            }
            ClientEvent::Lost { n, .. } => {
                self.lost_at = Some(now);
                Event::Lost { ending: self.ended(n).ending }
            }
            ClientEvent::Failed { n, .. } => {
                let Ended { stage, ending, why, .. } = self.ended(n);
                Event::Failed { stage, ending, why }
            }
            ClientEvent::Retry { after, tries } => {
                tracing::info!(?after, tries, "next attempt");
                Event::Retry { after, tries }
            }
            ClientEvent::Gap { reason, lost, resent } => {
                tracing::warn!(?reason, ?lost, resent, "the session has a gap");
                Event::Gap { reason, lost, resent }
            }
            ClientEvent::GoAway { why, after } => {
                tracing::info!(why, ?after, "the gateway asks for a move");
                Event::GoAway { why, after }
            }
            ClientEvent::Closed { code, reason, by, unacked } => {
                tracing::info!(
                    code = code.get(),
                    name = code.name(),
                    meaning = code.meaning(),
                    reason,
                    ?by,
                    "closed"
                );
                inner.closed = Some(Closed { code, reason: reason.clone(), by, unacked });
                inner.receipts.clear();
                inner.events.push(Event::Closed { code, reason, by, unacked });
                inner.wake_all();
                return None;
            }
            _ => return None,
        })
    }

    fn ended(&mut self, n: u64) -> Ended {
        match self.endings.iter().position(|ended| ended.n == n) {
            Some(at) => self.endings.swap_remove(at),
            // The machine gave it up: nothing came any more.
            None => {
                let why = "no answer in time".to_owned();
                Ended { n, stage: ConnectStage::Session, ending: Ending::BlackHole, why }
            }
        }
    }

    fn close_link(&mut self, n: u64, code: CloseCode) {
        self.dials.retain(|(m, _)| *m != n);
        if let Some(at) = self.links.iter().position(|link| link.n == n) {
            let mut socket = self.links.swap_remove(at).socket;
            socket.start_close(Some(code), "");
            self.closing.push(farewell(socket));
        }
    }

    /// A large message may take longer than any watchdog allows. The socket tells only whole ones, the kernel knows of
    /// every byte.
    fn hear(&mut self, inner: &mut Inner, now: Instant) {
        for link in &mut self.links {
            let Some(info) = link.socket.stream().tcp().and_then(|tcp| tcp_info(tcp).ok()) else { continue };
            if now.checked_sub(info.last_data_recv).is_some_and(|heard| heard > link.looked) {
                inner.machine.on_traffic(now, link.n);
            }
            link.looked = now;
        }
    }

    /// True when the timer has fired.
    fn poll_timer(&mut self, cx: &mut Context<'_>, next: Option<Instant>, now: Instant) -> bool {
        let next = next.map(tokio::time::Instant::from_std);
        self.alarm.poll_earliest(cx, next, tokio::time::Instant::from_std(now)).is_ready()
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        let shared = driver.shared.clone();
        let mut guard = shared.lock();
        let inner = &mut *guard;
        inner.register_driver(cx);
        loop {
            let now = now();
            if inner.machine.poll_timeout().is_some_and(|at| at <= now) {
                driver.hear(inner, now);
                inner.machine.handle_timeout(now);
            }
            let mut moved = driver.poll_dials(cx, inner, now);
            moved |= driver.poll_links(cx, inner, now);
            if inner.abandoned {
                // Nobody takes messages any more, and the end must not wait for it.
                while inner.machine.poll_message(now).is_some() {}
            }
            moved |= driver.connect(inner, now);
            moved |= driver.transmit(inner);
            moved |= driver.events(inner, now);
            driver.flush(cx);
            if inner.is_over() && driver.links.is_empty() && driver.closing.is_empty() {
                driver.dials.clear();
                return Poll::Ready(());
            }
            if inner.is_over() {
                let left: Vec<u64> = driver.links.iter().map(|link| link.n).collect();
                for n in left {
                    driver.close_link(n, CloseCode::NORMAL);
                    moved = true;
                }
            }
            if !moved && !driver.poll_timer(cx, inner.machine.poll_timeout(), now) {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.orphan();
    }
}

enum Read {
    Waiting,
    Some,
    Ended(Ending),
    Broken(Misbehaviour),
}

/// Reads a batch from a link.
fn read(link: &mut Link, cx: &mut Context<'_>, inner: &mut Inner, now: Instant) -> Read {
    let n = link.n;
    for count in 0..BATCH {
        if !inner.machine.wants_read() && inner.machine.link() == Some(n) {
            inner.wake_reader();
            return Read::Waiting;
        }
        match link.socket.poll_recv(cx) {
            Poll::Pending => return if count > 0 { Read::Some } else { Read::Waiting },
            Poll::Ready(Err(ending)) => return Read::Ended(ending),
            Poll::Ready(Ok(Received::Message(message))) => {
                if let Err(fault) = inner.machine.on_message(now, n, message) {
                    return Read::Broken(fault);
                }
                inner.wake_reader();
            }
            Poll::Ready(Ok(Received::Ping(_))) => inner.machine.on_traffic(now, n),
            Poll::Ready(Ok(Received::Pong(_))) => inner.machine.on_pong(now, n),
        }
    }
    Read::Some
}

/// The fate of a message is known.
fn settle(inner: &mut Inner, receipt: u64, fate: Result<(), Undelivered>) {
    if let Some(sender) = inner.receipts.remove(&receipt) {
        // An application that does not look at its receipts is free to.
        let _ = sender.send(fate);
    }
    inner.wake_others();
}

/// Carries a closing handshake through.
fn farewell(mut socket: WebSocket) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move { while socket.recv().await.is_ok() {} })
}
