//! The output for the links.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use undrop_frame::{CloseCode, Message, OpCode};

use super::outbox::UnitContent;
use super::{Client, ClientEvent, ClientState, ClientTimer, LinkMode, QueueFull};
use crate::escape::escape;
use crate::packet::{Packet, PageState};

/// The maximum number of waiting replies that the peer provoked.
pub(super) const MAX_CONTROL: usize = 64;

/// An element to write on the link of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmit<'a> {
    /// A data message in its wire form (U+001F escaped).
    Message(OpCode, Cow<'a, [u8]>),
    /// A control packet: a text message that must not be compressed.
    Packet(String),
    /// A WebSocket Ping with its payload.
    Ping(Vec<u8>),
    /// A Close frame; nothing follows on this link.
    Close(CloseCode, String),
}

#[derive(Debug, Clone)]
pub(super) enum QueuedControl {
    Packet(Packet),
    Ping,
    /// The text of the application's heartbeat.
    Text(String),
    Close(CloseCode, String),
}

impl Client {
    /// Queues a message and returns its receipt. `ttl`: the longest wait before it is sent for the first time. The receipt
    /// is repeated in
    /// [`ClientEvent::Acked`], [`ClientEvent::Expired`] or [`ClientEvent::Dropped`].
    ///
    /// # Errors
    /// The queue is full, or the client is closed or closing: the message is returned in the error.
    pub fn send(&mut self, now: Instant, message: Message, ttl: Option<Duration>) -> Result<u64, QueueFull> {
        self.tick(now);
        if self.state == ClientState::Closed || self.closing.is_some() {
            return Err(QueueFull(message));
        }
        let events = &mut self.events;
        let pushed =
            self.outbox.push(now, message, ttl, |receipt| events.push_back(ClientEvent::Dropped(receipt)));
        self.watch_expiry();
        pushed
    }

    /// Reports the lifecycle state of the page to the gateway, and acks at once.
    pub fn hint(&mut self, now: Instant, page: PageState) {
        self.tick(now);
        if self.in_session() {
            self.ack_due = true;
            self.push_packet(Packet::Page(page));
        }
    }

    /// Returns the next element to write and the attempt whose link it is for. It counts as written, so call this only when
    /// the link can accept it.
    pub fn poll_transmit(&mut self) -> Option<(u64, Transmit<'_>)> {
        if self.ack_due {
            self.ack_due = false;
            if let Some(n) = self.link().filter(|_| self.in_session()) {
                self.delivery.stated(self.now);
                return Some((n, Transmit::Packet(Packet::Ack(self.delivery.statement()).encode())));
            }
        }
        if let Some((n, control)) = self.control.pop_front() {
            return Some((n, control.into()));
        }
        let n = self.link()?;
        match self.link.as_ref()?.mode {
            LinkMode::Plain => self.transmit_plain(n),
            LinkMode::Session => {
                if !self.asked && self.outbox.is_half_full() {
                    self.asked = true;
                    return Some((n, Transmit::Packet(Packet::AckNow.encode())));
                }
                let unit = self.outbox.next()?;
                Some((
                    n,
                    match &unit.content {
                        UnitContent::Close(close) => Transmit::Packet(Packet::Close(close.clone()).encode()),
                        UnitContent::Data(message) => {
                            let bytes = message.as_bytes();
                            let bytes = match message.opcode() {
                                OpCode::Text => escape(bytes),
                                _ => Cow::Borrowed(bytes),
                            };
                            Transmit::Message(message.opcode(), bytes)
                        }
                    },
                ))
            }
        }
    }

    fn transmit_plain(&mut self, n: u64) -> Option<(u64, Transmit<'_>)> {
        let (content, receipt) = self.outbox.take()?;
        Some((
            n,
            match content {
                UnitContent::Close(close) => Transmit::Close(close.code, close.reason),
                UnitContent::Data(message) => {
                    self.events.push_back(ClientEvent::Acked(receipt));
                    let opcode = message.opcode();
                    Transmit::Message(opcode, Cow::Owned(message.into_bytes()))
                }
            },
        ))
    }

    /// Sends a probe on the link.
    pub(super) fn ask(&mut self) {
        if !self.in_session() {
            self.send_heartbeat();
            return;
        }
        if let Some(nonce) = self.probe.ask(self.now) {
            self.push_packet(Packet::Probe(nonce));
            self.timers.set(ClientTimer::Probe, self.now + self.probe.patience(self.config.probe_timeout));
        }
    }

    /// Sends the heartbeat of a plain link.
    pub(super) fn send_heartbeat(&mut self) {
        let (Some(n), Some(heartbeat)) = (self.link(), &self.config.plain_heartbeat) else { return };
        let control = match &heartbeat.text {
            Some((ping, _)) => QueuedControl::Text(ping.clone()),
            None => QueuedControl::Ping,
        };
        self.control.push_back((n, control));
        if !self.timers.is_set(ClientTimer::HeartbeatReply) {
            self.timers.set(ClientTimer::HeartbeatReply, self.now + heartbeat.answer);
        }
        self.timers.set(ClientTimer::Heartbeat, self.now + heartbeat.interval);
    }

    pub(super) fn watch_expiry(&mut self) {
        match self.outbox.earliest() {
            Some(at) => self.timers.set(ClientTimer::Expiry, at),
            None => self.timers.stop(ClientTimer::Expiry),
        }
    }

    /// Returns the latest time that was passed in.
    pub const fn now(&self) -> Instant {
        self.now
    }
}

impl From<QueuedControl> for Transmit<'_> {
    fn from(control: QueuedControl) -> Self {
        match control {
            QueuedControl::Packet(packet) => Transmit::Packet(packet.encode()),
            QueuedControl::Ping => Transmit::Ping(Vec::new()),
            QueuedControl::Text(text) => Transmit::Message(OpCode::Text, Cow::Owned(text.into_bytes())),
            QueuedControl::Close(code, reason) => Transmit::Close(code, reason),
        }
    }
}
