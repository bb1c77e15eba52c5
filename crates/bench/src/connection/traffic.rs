//! The messages of one connection: sending what is due, and receiving.

use std::task::{Context, Poll};
use std::time::Duration;

use undrop_frame::{Ending, Message};

use crate::connection::Connection;
use crate::connection::event::{LinkExit, TransportEvent};
use crate::connection::stamp::{Stamp, StampKind};
use crate::connection::transport::Transport;
use crate::metrics::snapshot::RunPhase;
use crate::plan::{Mode, Payload};

/// The maximum number of messages sent or received in one poll, so that other connections get their turn.
const BATCH: usize = 128;
/// The maximum number of unanswered messages without a stamp whose times are remembered.
const MAX_UNSTAMPED: usize = 1024;
/// The maximum number of other senders whose streams one connection verifies.
const MAX_SENDERS: usize = 1024;

impl Connection {
    /// Receives what has arrived and sends what is due. Returns when the link can no longer be used.
    pub(super) fn poll(&mut self, transport: &mut Transport, cx: &mut Context<'_>) -> Poll<LinkExit> {
        self.signals.register(cx.waker());
        if self.signals.cut.take() {
            return Poll::Ready(LinkExit::Cut);
        }
        if self.signals.liveness.take_dead() && matches!(transport, Transport::Plain(_)) {
            return Poll::Ready(LinkExit::Ended(Ending::BlackHole));
        }
        let mut read = 0;
        loop {
            match transport.poll(cx) {
                Poll::Ready(Ok(event)) => self.on_event(event),
                Poll::Ready(Err(ending)) => return Poll::Ready(LinkExit::Ended(ending)),
                Poll::Pending => break,
            }
            read += 1;
            if read == BATCH {
                cx.waker().wake_by_ref();
                break;
            }
        }
        match self.env.phase.get() {
            RunPhase::Opening | RunPhase::Running => {
                if self.signals.ping.take() && transport.ping() {
                    self.env.metrics.tally().pings += 1;
                    self.awaits_pong = true;
                    self.await_reply();
                    transport.flush(cx);
                }
                if self.sends {
                    self.send_due(transport, cx);
                }
                Poll::Pending
            }
            RunPhase::Settling => {
                // Messages that became due before the end are still sent.
                if self.sends && !matches!(self.env.plan.mode, Mode::Flood { .. }) {
                    self.send_due(transport, cx);
                }
                Poll::Pending
            }
            RunPhase::Closing => Poll::Ready(LinkExit::RunOver),
        }
    }

    fn send_due(&mut self, transport: &mut Transport, cx: &mut Context<'_>) {
        let due = match self.env.plan.mode {
            Mode::Flood { .. } if self.env.phase.get() != RunPhase::Running => 0,
            Mode::Flood { window: 0 } => u64::MAX,
            Mode::Flood { window } => (self.received + u64::from(window)).saturating_sub(self.sent),
            _ => self.signals.due.get().saturating_sub(self.sent),
        };
        let mut done = 0;
        while done < due && transport.has_room(cx) {
            if done == BATCH as u64 {
                cx.waker().wake_by_ref();
                break;
            }
            if !self.send_one(transport, cx) {
                break;
            }
            done += 1;
        }
        if done > 0 {
            transport.flush(cx);
            self.await_reply();
        }
    }

    fn send_one(&mut self, transport: &mut Transport, cx: &mut Context<'_>) -> bool {
        let env = &self.env;
        let now = env.clock.now_us();
        let times = self.signals.send_times();
        let intended = times.map_or(now, |times| times.intended_us(self.sent));
        let late = now.saturating_sub(intended);
        let mut scratch = env.scratch.borrow_mut();
        scratch.clear();
        let (binary, bytes) = match &env.plan.payload {
            Payload::Stamped { size, binary } => {
                self.outgoing.compose(*size, *binary, intended, late, &mut scratch);
                (*binary, scratch.as_slice())
            }
            Payload::Text(text) => (false, text.as_bytes()),
            Payload::Binary(bytes) => (true, bytes.as_slice()),
        };
        let is_stamped = matches!(env.plan.payload, Payload::Stamped { .. });
        if !transport.offer(cx, binary, bytes) {
            if is_stamped {
                self.outgoing.undo();
            }
            return false;
        }
        if !is_stamped {
            if self.unstamped.len() == MAX_UNSTAMPED {
                self.unstamped.pop_front();
            }
            self.unstamped.push_back((intended, late));
        }
        self.sent += 1;
        let mut tally = env.metrics.tally();
        tally.sent += 1;
        tally.bytes_sent += bytes.len() as u64;
        tally.timeline.at(now as f64 / 1e6).sent += 1;
        if times.is_some() {
            tally.lag.record_us(late);
        }
        true
    }

    pub(super) fn on_event(&mut self, event: TransportEvent) {
        let env = self.env.clone();
        let now = env.clock.now_us();
        self.signals.liveness.last_active_us.set(now);
        env.last_received_us.set(now);
        match event {
            TransportEvent::Message(message) => self.on_message(&message, now),
            TransportEvent::Ping => {}
            TransportEvent::Pong => {
                self.awaits_pong = false;
                env.metrics.tally().pongs += 1;
                self.signals.liveness.awaits_reply.set(self.received > 0 && self.received < self.sent);
            }
            TransportEvent::LinkLost(ending) => {
                self.record_ending(&ending);
                self.on_lost();
            }
            TransportEvent::LinkRestored { seamless, after } => {
                {
                    let mut tally = env.metrics.tally();
                    let interval = tally.timeline.at(now as f64 / 1e6);
                    interval.opened += 1;
                    interval.lost += u64::from(seamless);
                }
                // A move without a loss: to the same session or, if that cannot be kept, to a new one.
                let seamless = seamless || self.lost_us.is_none();
                if seamless {
                    self.on_lost();
                }
                let away = self.lost_us.map(|lost| Duration::from_micros(now.saturating_sub(lost)));
                let away = away.or(after).unwrap_or_default();
                self.on_restored(if seamless { Duration::ZERO } else { away });
                self.opened_us = now;
            }
            TransportEvent::Gap => env.metrics.tally().gaps += 1,
            TransportEvent::AttemptStarted => {
                let mut tally = env.metrics.tally();
                tally.attempts += 1;
                tally.timeline.at(now as f64 / 1e6).attempts += 1;
            }
            TransportEvent::AttemptFailed(error) => self.record_failure(&error),
        }
    }

    fn on_message(&mut self, message: &Message, now: u64) {
        let env = self.env.clone();
        let bytes = message.as_bytes();
        let stamp = match &env.plan.payload {
            Payload::Stamped { .. } => {
                let stamp = Stamp::read(matches!(message, Message::Binary(_)), bytes);
                stamp.filter(|(stamp, _)| stamp.run == env.run_id)
            }
            _ => None,
        };
        if let Some((Stamp { kind: StampKind::Totals, .. }, json)) = &stamp {
            self.sink_totals = serde_json::from_slice(json).ok();
            return;
        }
        self.received += 1;
        let times = match &stamp {
            Some((stamp, _)) => Some((stamp.intended_us, stamp.late_us)),
            None => self.unstamped.pop_front(),
        };
        {
            let mut tally = env.metrics.tally();
            tally.received += 1;
            tally.bytes_received += bytes.len() as u64;
            tally.timeline.at(now as f64 / 1e6).received += 1;
            if let Some((intended, late)) = times {
                let latency = now.saturating_sub(intended);
                tally.uncorrected.record_us(latency.saturating_sub(late));
                if env.plan.is_open_workload() {
                    tally.corrected.record_us(latency);
                }
                env.metrics.recent().record_us(latency);
            }
        }
        if env.plan.verify {
            self.verify(stamp);
        }
        self.signals.liveness.awaits_reply.set(self.received < self.sent || self.awaits_pong);
    }

    fn verify(&mut self, stamp: Option<(Stamp, &[u8])>) {
        let Some((stamp, filler)) = stamp else { return self.echoed.reject() };
        match stamp.kind {
            StampKind::Up if stamp.stream == self.number => self.echoed.accept(&stamp, filler),
            StampKind::Down if stamp.stream == self.number => {
                self.env.is_sink.set(true);
                self.from_sink.accept(&stamp, filler);
            }
            StampKind::Up if matches!(self.env.plan.mode, Mode::Broadcast { .. }) => {
                if self.from_others.contains_key(&stamp.stream) || self.from_others.len() < MAX_SENDERS {
                    self.from_others.entry(stamp.stream).or_default().accept(&stamp, filler);
                }
            }
            _ => self.echoed.reject(),
        }
    }

    /// Notes that a reply is awaited, so that a long silence means a black hole. That holds after every Ping, and after a message
    /// once the target has replied to any.
    fn await_reply(&mut self) {
        let liveness = &self.signals.liveness;
        if !liveness.awaits_reply.get() && (self.received > 0 || self.awaits_pong) {
            liveness.last_active_us.set(self.env.clock.now_us());
            liveness.awaits_reply.set(true);
        }
    }
}
