//! One connection of the load, from its first handshake to its last answer, across losses if it is to come back.

mod close;
pub(crate) mod handshake;
pub mod proof;
pub mod stamp;
pub(crate) mod transport;

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use undrop_frame::Message;
use undrop_transport::Ending;

use crate::connection::handshake::{OpenError, Opener, within};
use crate::connection::proof::{Counts, Incoming, Outgoing};
use crate::connection::stamp::{Kind, Stamp};
use crate::connection::transport::{Arrival, Session, Wire, backoff};
use crate::engine::shared::{Shared, Slot};
use crate::metrics::tally::{EndingRecord, Phase};
use crate::plan::{Mode, Payload, Policy, Session as Wish};

/// Messages read in one go before other connections get a turn.
const BATCH: usize = 128;
/// Unanswered messages without a stamp whose times are remembered.
const REMEMBERED: usize = 1024;
/// Other senders whose streams one connection proves.
const SENDERS: usize = 1024;

/// How a spell with one link came to its end.
enum Spell {
    /// The run is over; the connection is still there.
    Done,
    /// The link or session is gone.
    Ended(Ending),
    /// We are to cut it.
    Cut,
}

struct Connection {
    shared: Rc<Shared>,
    opener: Arc<Opener>,
    slot: Rc<Slot>,
    index: u32,
    number: u32,
    out: Outgoing,
    sends: bool,
    /// Taken by the wire, of what the schedule asked for.
    sent: u64,
    received: u64,
    /// Times of messages without a stamp: intended, late.
    waiting: VecDeque<(u64, u64)>,
    /// Our own messages, come back.
    echoed: Incoming,
    /// A sink's messages.
    down: Incoming,
    /// Messages of other senders.
    others: BTreeMap<u32, Incoming>,
    /// The sink's own count, once it was asked.
    totals: Option<Totals>,
    opened_us: u64,
    lost_us: Option<u64>,
    counted_lost: bool,
    pinged: bool,
    /// Counted among those that are alive.
    alive: bool,
}

/// A sink's answer to [`Kind::Ask`].
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Totals {
    /// What it found in our stream.
    pub(crate) up: Counts,
    /// How many messages it sent back.
    pub(crate) sent: u64,
}

/// Runs one connection to its end.
pub(crate) async fn run(shared: Rc<Shared>, opener: Arc<Opener>, slot: Rc<Slot>, index: u32) {
    let number = shared.plan.first + index;
    let sends = match shared.plan.mode {
        Mode::Broadcast { senders } => index < senders,
        Mode::Hold | Mode::Ramp { .. } | Mode::Churn { .. } | Mode::Scenario(_) => false,
        Mode::Run | Mode::Flood { .. } | Mode::Storm { .. } => true,
    };
    let out = Outgoing::new(Kind::Forth, shared.run, number);
    let mut connection = Connection {
        opener,
        slot,
        index,
        number,
        out,
        sends,
        sent: 0,
        received: 0,
        waiting: VecDeque::new(),
        echoed: Incoming::default(),
        down: Incoming::default(),
        others: BTreeMap::new(),
        totals: None,
        opened_us: 0,
        lost_us: None,
        counted_lost: false,
        pinged: false,
        alive: false,
        shared,
    };
    match connection.shared.plan.mode {
        Mode::Churn { lifetime, .. } => connection.live_shortly(lifetime).await,
        _ => connection.live().await,
    }
    connection.set_alive(false);
    connection.slot.retire();
    connection.settle_proof();
}

impl Connection {
    async fn live(&mut self) {
        let shared = self.shared.clone();
        let Some(mut wire) = self.open_first().await else { return };
        if self.sends && !matches!(shared.plan.mode, Mode::Flood { .. }) {
            shared.start(self.index, shared.plan.rate);
        }
        self.up();
        loop {
            let spell = poll_fn(|cx| self.poll(&mut wire, cx)).await;
            match spell {
                Spell::Done => {
                    return self.last_words(wire).await;
                }
                Spell::Cut => {
                    self.lost();
                    if let Some(session) = wire.cut() {
                        // It sees its link go and comes back by itself.
                        wire = session;
                        continue;
                    }
                    let at = shared.clock.now_s();
                    shared.tally.borrow_mut().timeline.at(at).lost += 1;
                }
                Spell::Ended(ending) => {
                    self.ended(&ending);
                    self.set_alive(false);
                    if matches!(wire, Wire::Session(_)) {
                        return self.gone();
                    }
                    self.lost();
                }
            }
            let Some(again) = self.come_back().await else { return self.gone() };
            wire = again;
            self.up();
        }
    }

    /// Open, stay for a while, close.
    async fn live_shortly(&mut self, lifetime: Duration) {
        let Some(mut wire) = self.open_first().await else { return };
        self.up();
        match within(lifetime, poll_fn(|cx| self.poll(&mut wire, cx))).await {
            Some(Spell::Ended(ending)) => self.ended(&ending),
            _ => self.last_words(wire).await,
        }
    }

    /// The first handshake. One that fails is the connection's end: a load tester reports, it does not insist.
    async fn open_first(&mut self) -> Option<Wire> {
        let opened = self.open().await;
        self.shared.count(&self.shared.tried, 1);
        match opened {
            Ok(wire) => {
                let mut tally = self.shared.tally.borrow_mut();
                tally.opened += 1;
                tally.sessions += u64::from(wire.is_session());
                Some(wire)
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    async fn open(&mut self) -> Result<Wire, OpenError> {
        let shared = self.shared.clone();
        {
            let mut tally = shared.tally.borrow_mut();
            tally.attempts += 1;
            tally.timeline.at(shared.clock.now_s()).attempts += 1;
        }
        shared.count(&shared.opening, 1);
        let opened = match shared.plan.session {
            Wish::Off => self.opener.open(self.number, self.opener.ask()).await.map(|(socket, phases)| {
                shared.tally.borrow_mut().note_handshake(phases.connect, phases.tls, phases.upgrade);
                Wire::Plain(Box::new(socket))
            }),
            Wish::Prefer | Wish::Require => {
                let started = shared.clock.now_us();
                let policy = self.policy().unwrap_or(Policy::FullJitter);
                let session = Box::pin(Session::open(&self.opener, &shared.plan, self.number, policy)).await;
                session.map(|session| {
                    let took = shared.clock.now_us() - started;
                    shared.tally.borrow_mut().handshake.record_us(took);
                    Wire::Session(Box::new(session))
                })
            }
        };
        shared.count(&shared.opening, -1);
        opened
    }

    fn policy(&self) -> Option<Policy> {
        match self.shared.plan.mode {
            Mode::Storm { policy, .. } => Some(policy),
            _ => self.shared.plan.reconnect,
        }
    }

    /// A plain connection after a loss: until it is there again, or given up.
    async fn come_back(&mut self) -> Option<Wire> {
        let policy = backoff(self.policy()?);
        let mut tries = 0;
        loop {
            let random = self.shared.random.borrow_mut().f64();
            let delay = policy.delay(tries, random)?;
            tokio::select! {
                biased;
                () = self.load_is_over() => return None,
                () = tokio::time::sleep(delay) => {}
            }
            match self.open().await {
                Ok(wire) => {
                    let away = self.shared.clock.now_us().saturating_sub(self.lost_us.unwrap_or_default());
                    self.back(Duration::from_micros(away));
                    return Some(wire);
                }
                Err(error) => {
                    self.failed(&error);
                    tries += 1;
                }
            }
        }
    }

    /// Until nothing more is to be sent.
    async fn load_is_over(&self) {
        poll_fn(|cx| {
            self.slot.wait(cx.waker());
            if self.shared.phase.get() > Phase::Running { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// One turn: reads what came, sends what is due.
    fn poll(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<Spell> {
        self.slot.wait(cx.waker());
        if self.slot.cut.take() {
            return Poll::Ready(Spell::Cut);
        }
        if self.slot.condemned.take() && matches!(wire, Wire::Plain(_)) {
            return Poll::Ready(Spell::Ended(Ending::BlackHole));
        }
        let mut read = 0;
        loop {
            match wire.poll(cx) {
                Poll::Ready(Ok(arrival)) => self.take(arrival),
                Poll::Ready(Err(ending)) => return Poll::Ready(Spell::Ended(ending)),
                Poll::Pending => break,
            }
            read += 1;
            if read == BATCH {
                cx.waker().wake_by_ref();
                break;
            }
        }
        match self.shared.phase.get() {
            Phase::Opening | Phase::Running => {
                if self.slot.ping.take() && wire.ping() {
                    self.shared.tally.borrow_mut().pings += 1;
                    self.pinged = true;
                    self.owe();
                    wire.flush(cx);
                }
                if self.sends {
                    self.send(wire, cx);
                }
                Poll::Pending
            }
            Phase::Settling => {
                // What the schedule asked for in time is still sent.
                if self.sends && !matches!(self.shared.plan.mode, Mode::Flood { .. }) {
                    self.send(wire, cx);
                }
                Poll::Pending
            }
            Phase::Closing => Poll::Ready(Spell::Done),
        }
    }

    fn send(&mut self, wire: &mut Wire, cx: &mut Context<'_>) {
        let shared = self.shared.clone();
        let wanted = match shared.plan.mode {
            Mode::Flood { .. } if shared.phase.get() != Phase::Running => 0,
            Mode::Flood { window: 0 } => u64::MAX,
            Mode::Flood { window } => (self.received + u64::from(window)).saturating_sub(self.sent),
            _ => self.slot.asked.get().saturating_sub(self.sent),
        };
        let mut done = 0;
        while done < wanted && wire.has_room(cx) {
            if done == BATCH as u64 {
                // The others have a turn; this one goes on when it is polled next.
                cx.waker().wake_by_ref();
                break;
            }
            if !self.send_one(wire, cx) {
                break;
            }
            done += 1;
        }
        if done > 0 {
            wire.flush(cx);
            self.owe();
        }
    }

    fn send_one(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> bool {
        let shared = &self.shared;
        let now = shared.clock.now_us();
        let intended = self.slot.schedule().map_or(now, |schedule| schedule.intended_us(self.sent));
        let late = now.saturating_sub(intended);
        let mut scratch = shared.scratch.borrow_mut();
        scratch.clear();
        let (binary, bytes) = match &shared.plan.payload {
            Payload::Stamped { size, binary } => {
                self.out.compose(*size, *binary, intended, late, &mut scratch);
                (*binary, scratch.as_slice())
            }
            Payload::Text(text) => (false, text.as_bytes()),
            Payload::Binary(bytes) => (true, bytes.as_slice()),
        };
        if !wire.offer(cx, binary, bytes) {
            if matches!(shared.plan.payload, Payload::Stamped { .. }) {
                self.out.take_back();
            }
            return false;
        }
        if !matches!(shared.plan.payload, Payload::Stamped { .. }) {
            if self.waiting.len() == REMEMBERED {
                self.waiting.pop_front();
            }
            self.waiting.push_back((intended, late));
        }
        self.sent += 1;
        let mut tally = shared.tally.borrow_mut();
        tally.sent += 1;
        tally.bytes_sent += bytes.len() as u64;
        tally.timeline.at(now as f64 / 1e6).sent += 1;
        if self.slot.schedule().is_some() {
            tally.lag.record_us(late);
        }
        true
    }

    fn take(&mut self, arrival: Arrival) {
        let shared = self.shared.clone();
        let now = shared.clock.now_us();
        self.slot.heard_us.set(now);
        shared.heard_us.set(now);
        match arrival {
            Arrival::Message(message) => self.message(&message, now),
            Arrival::Ping => {}
            Arrival::Pong => {
                self.pinged = false;
                shared.tally.borrow_mut().pongs += 1;
                self.slot.owes.set(self.received > 0 && self.received < self.sent);
            }
            Arrival::Lost(ending) => {
                self.ended(&ending);
                self.lost();
            }
            Arrival::Back { seamless, after } => {
                {
                    let mut tally = shared.tally.borrow_mut();
                    let slot = tally.timeline.at(now as f64 / 1e6);
                    slot.opened += 1;
                    slot.lost += u64::from(seamless);
                }
                // A move, to the same session or (when that cannot be kept) to a new one, without having been cut off.
                let seamless = seamless || self.lost_us.is_none();
                if seamless {
                    self.lost();
                }
                let away = self.lost_us.map_or(after, |lost| Duration::from_micros(now.saturating_sub(lost)));
                self.back(if seamless { Duration::ZERO } else { away });
                self.opened_us = now;
            }
            Arrival::Gap => shared.tally.borrow_mut().gaps += 1,
            Arrival::Attempt => {
                let mut tally = shared.tally.borrow_mut();
                tally.attempts += 1;
                tally.timeline.at(now as f64 / 1e6).attempts += 1;
            }
            Arrival::Failed(error) => self.failed(&error),
        }
    }

    fn message(&mut self, message: &Message, now: u64) {
        let shared = self.shared.clone();
        let bytes = message.as_bytes();
        let binary = matches!(message, Message::Binary(_));
        let stamp = match &shared.plan.payload {
            Payload::Stamped { .. } => {
                Stamp::read(binary, bytes).filter(|(stamp, _)| stamp.run == shared.run)
            }
            _ => None,
        };
        if let Some((Stamp { kind: Kind::Totals, .. }, json)) = &stamp {
            self.totals = serde_json::from_slice(json).ok();
            return;
        }
        self.received += 1;
        let times = match &stamp {
            Some((stamp, _)) => Some((stamp.intended_us, stamp.late_us)),
            None => self.waiting.pop_front(),
        };
        {
            let mut tally = shared.tally.borrow_mut();
            tally.received += 1;
            tally.bytes_received += bytes.len() as u64;
            tally.timeline.at(now as f64 / 1e6).received += 1;
            if let Some((intended, late)) = times {
                let latency = now.saturating_sub(intended);
                let uncorrected = latency.saturating_sub(late);
                tally.uncorrected.record_us(uncorrected);
                if shared.plan.is_open_workload() {
                    tally.corrected.record_us(latency);
                }
                shared.recent.borrow_mut().record_us(latency);
            }
        }
        if shared.plan.verify {
            match stamp {
                Some((stamp, filler)) => match stamp.kind {
                    Kind::Forth if stamp.stream == self.number => self.echoed.accept(&stamp, filler),
                    Kind::Back if stamp.stream == self.number => {
                        shared.sink.set(true);
                        self.down.accept(&stamp, filler);
                    }
                    Kind::Forth if matches!(shared.plan.mode, Mode::Broadcast { .. }) => {
                        if self.others.contains_key(&stamp.stream) || self.others.len() < SENDERS {
                            self.others.entry(stamp.stream).or_default().accept(&stamp, filler);
                        }
                    }
                    _ => self.echoed.foreign(),
                },
                None => self.echoed.foreign(),
            }
        }
        self.slot.owes.set(self.received < self.sent || self.pinged);
    }

    /// From now on silence means something: always behind a Ping, and behind messages once the target has answered any.
    fn owe(&mut self) {
        if !self.slot.owes.get() && (self.received > 0 || self.pinged) {
            self.slot.heard_us.set(self.shared.clock.now_us());
            self.slot.owes.set(true);
        }
    }

    fn up(&mut self) {
        let now = self.shared.clock.now_us();
        self.opened_us = now;
        self.slot.heard_us.set(now);
        self.shared.tally.borrow_mut().timeline.at(now as f64 / 1e6).opened += 1;
        self.set_alive(true);
    }

    fn set_alive(&mut self, alive: bool) {
        if self.alive != alive {
            self.alive = alive;
            self.shared.count(&self.shared.alive, if alive { 1 } else { -1 });
        }
    }

    /// Notes an ending against our will.
    fn ended(&self, ending: &Ending) {
        let now = self.shared.clock.now_us();
        // A black hole began with the last sign of life, not when our patience was over.
        let died = if *ending == Ending::BlackHole { self.slot.heard_us.get() } else { now };
        self.shared.tally.borrow_mut().ended(EndingRecord {
            ending: ending.to_string(),
            browser: ending.browser_view().get(),
            reason: ending.close().map(|(_, reason)| reason.to_owned()).unwrap_or_default(),
            age_s: died.saturating_sub(self.opened_us) as f64 / 1e6,
            at_s: died as f64 / 1e6,
        });
    }

    fn failed(&self, error: &OpenError) {
        let at = self.shared.clock.now_s();
        self.shared.tally.borrow_mut().failed(
            error.stage.as_str(),
            &error.ending.to_string(),
            &error.why,
            at,
        );
        self.shared.news.notify_one();
    }

    fn lost(&mut self) {
        let now = self.shared.clock.now_us();
        self.lost_us.get_or_insert(now);
        self.set_alive(false);
        self.slot.owes.set(false);
        let storm = &self.shared.storm;
        if storm.began_us.get().is_none() {
            storm.began_us.set(Some(now));
        }
        if !self.counted_lost {
            self.counted_lost = true;
            self.shared.count(&storm.lost, 1);
        }
    }

    fn back(&mut self, away: Duration) {
        let shared = self.shared.clone();
        let now = shared.clock.now_us();
        let storm = &shared.storm;
        let first = self.lost_us.take().is_some();
        self.set_alive(true);
        {
            let mut tally = shared.tally.borrow_mut();
            tally.resumes += 1;
            tally.away.record(away);
            if let Some(began) = storm.began_us.get() {
                let since = Duration::from_micros(now.saturating_sub(began));
                tally.last_back = tally.last_back.max(Some(since));
            }
        }
        if first && storm.back.get() < storm.lost.get() {
            shared.count(&storm.back, 1);
        }
    }

    fn gone(&self) {
        if self.counted_lost {
            self.shared.count(&self.shared.storm.gone, 1);
        }
    }
}
