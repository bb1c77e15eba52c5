//! The input from a link.

use std::time::Instant;

use undrop_frame::Message;

use super::attempt::PendingAttempt;
use super::inbox::InboxItem;
use super::output::{MAX_CONTROL, QueuedControl};
use super::{Client, ClientEvent, ClientState, ClientTimer, GapReason, LinkMode, SessionInfo};
use crate::delivery::UnitStatus;
use crate::error::Misbehaviour;
use crate::escape::{ESCAPE, TextKind};
use crate::identity::hmac_over;
use crate::packet::{BackendIdentity, GoAway, Lost, Packet, Resumed, Started};

impl Client {
    /// Handles a whole message from the link of attempt `n`.
    ///
    /// # Errors
    /// The peer violated the protocol: close that link with the code of the error, then call
    /// [`handle_link_down`](Self::handle_link_down).
    pub fn handle_message(&mut self, now: Instant, n: u64, message: Message) -> Result<(), Misbehaviour> {
        self.tick(now);
        if self.state == ClientState::Closed {
            return Ok(());
        }
        if let Some(at) = self.attempts.iter().position(|attempt| attempt.n == n && attempt.up) {
            return self.on_first_packet(at, &message);
        }
        match &self.link {
            Some(link) if link.n == n => {}
            _ => return Ok(()),
        }
        self.watchdog.on_received(now);
        if !self.in_session() {
            self.on_plain_message(message);
            return Ok(());
        }
        match message {
            Message::Binary(_) => self.on_data(message),
            Message::Text(mut text) => match TextKind::of(text.as_bytes(), true) {
                Some(TextKind::Packet) => self.on_packet(Packet::parse(&text[1..])?),
                Some(TextKind::EscapedData) => {
                    text.remove(0);
                    self.on_data(Message::Text(text))
                }
                _ => self.on_data(Message::Text(text)),
            },
        }
    }

    /// Reports that bytes of any kind arrived on the link of attempt `n`.
    pub fn handle_traffic(&mut self, now: Instant, n: u64) {
        self.tick(now);
        if self.link() == Some(n) {
            self.watchdog.on_received(now);
            self.timers.stop(ClientTimer::HeartbeatReply);
        }
    }

    /// Handles a Pong from the link of attempt `n`.
    pub fn handle_pong(&mut self, now: Instant, n: u64) {
        self.handle_traffic(now, n);
    }

    fn on_plain_message(&mut self, message: Message) {
        self.timers.stop(ClientTimer::HeartbeatReply);
        self.useful();
        let answer = self.config.plain_heartbeat.as_ref().and_then(|heartbeat| heartbeat.text.as_ref());
        if answer.is_some_and(|(_, pong)| message.as_bytes() == pong.as_bytes()) {
            return;
        }
        self.inbox.push(InboxItem::Message(message));
        self.inbox.uncount();
    }

    fn on_data(&mut self, message: Message) -> Result<(), Misbehaviour> {
        match self.delivery.on_unit(self.now, message.len()) {
            UnitStatus::Duplicate => Ok(()),
            UnitStatus::Deliver if self.inbox.has_close() => Err(Misbehaviour::AfterClose),
            UnitStatus::Deliver => {
                self.useful();
                self.inbox.push(InboxItem::Message(message));
                Ok(())
            }
        }
    }

    /// Handles the first packet on a link.
    fn on_first_packet(&mut self, at: usize, message: &Message) -> Result<(), Misbehaviour> {
        let text = match message {
            Message::Text(text) if text.as_bytes().first() == Some(&ESCAPE) => &text[1..],
            _ => return Err(Misbehaviour::NoFirstPacket),
        };
        let packet = Packet::parse(text)?;
        let PendingAttempt { n, resume, generation, .. } = self.attempts[at];
        let fits = |att: u64| if att == n { Ok(()) } else { Err(Misbehaviour::Skew) };
        let late = generation != self.generation;
        match packet {
            Packet::Started(started) if !resume => {
                fits(started.att)?;
                if late {
                    return self.on_late_first_packet(n, Some(&started));
                }
                self.start_session(n, started);
                Ok(())
            }
            Packet::Resumed(resumed) if resume => {
                fits(resumed.att)?;
                if late { self.on_late_first_packet(n, None) } else { self.on_resumed(n, &resumed) }
            }
            Packet::Lost(lost) if resume => {
                fits(lost.session.att)?;
                if late {
                    return self.on_late_first_packet(n, Some(&lost.session));
                }
                self.on_lost(n, lost);
                Ok(())
            }
            Packet::Moved => {
                self.attempts[at].moved = true;
                Ok(())
            }
            Packet::Started(_) | Packet::Resumed(_) | Packet::Lost(_) => {
                Err(Misbehaviour::UnexpectedPacket(packet.letter()))
            }
            _ => Err(Misbehaviour::NoFirstPacket),
        }
    }

    /// Handles the first packet of an attempt about an earlier session, after another one has started. If the packet opens
    /// the current session, the link is used: all units from 1 are sent again, both ways.
    fn on_late_first_packet(&mut self, n: u64, opened: Option<&Started>) -> Result<(), Misbehaviour> {
        let ours = self.session.as_ref().map(|session| &session.sid);
        if opened.is_some_and(|opened| Some(&opened.sid) == ours) {
            return self.resume(n, 0, 1, BackendIdentity::Same);
        }
        self.attempts.retain(|attempt| attempt.n != n);
        self.watch_attempts();
        self.close_link(n, undrop_frame::CloseCode::NORMAL);
        self.schedule(None);
        Ok(())
    }

    fn start_session(&mut self, n: u64, started: Started) {
        let session = SessionInfo::from(started);
        let protocol = session.protocol.clone();
        let window = usize::try_from(session.window).unwrap_or(usize::MAX);
        self.delivery.restart(window);
        self.session = Some(session);
        self.generation += 1;
        self.adopt(n, LinkMode::Session);
        self.delivery.link(self.now, 1);
        self.events.push_back(ClientEvent::Open { n, session: true, protocol });
    }

    fn on_resumed(&mut self, n: u64, resumed: &Resumed) -> Result<(), Misbehaviour> {
        self.resume(n, resumed.rx, resumed.start, resumed.backend)
    }

    fn resume(&mut self, n: u64, rx: u64, start: u64, backend: BackendIdentity) -> Result<(), Misbehaviour> {
        if rx > self.outbox.sent() || rx < self.outbox.acked() {
            // The counts contradict each other: start a new session with everything that was not acked.
            self.start_over(GapReason::Lost(crate::packet::LossReason::Skew), 0, None);
            return Err(Misbehaviour::Skew);
        }
        let seamless = self.link.is_some();
        self.acked(rx);
        if self.state == ClientState::Closed {
            // Only the ack of the close was missing.
            return Ok(());
        }
        let stated = self.attempts.iter().find(|attempt| attempt.n == n).map(|attempt| attempt.rx);
        self.adopt(n, LinkMode::Session);
        self.delivery.link(self.now, start);
        // The gateway does not know yet what was consumed since the hello was written.
        self.ack_due = stated != Some(self.delivery.statement());
        self.skip(start);
        let resent = self.outbox.unacked();
        self.events.push_back(ClientEvent::Resumed { n, seamless, resent, backend });
        Ok(())
    }

    fn on_lost(&mut self, n: u64, lost: Lost) {
        let Lost { why, acc, lost, session } = lost;
        self.start_over(GapReason::Lost(why), acc, lost);
        if self.state != ClientState::Closed {
            self.start_session(n, session);
        }
    }

    /// Ends the session: `acc` units of this end were consumed, the rest goes into the next session.
    pub(super) fn start_over(&mut self, reason: GapReason, acc: u64, lost: Option<(u64, u64)>) {
        self.acked(acc.min(self.outbox.sent()));
        self.session = None;
        self.generation += 1;
        self.inbox.uncount();
        let resent = self.outbox.renumber();
        self.delivery.restart(usize::MAX);
        self.cid = next_cid(&self.cid);
        self.events.push_back(ClientEvent::Gap { reason, lost, resent });
    }

    fn on_packet(&mut self, packet: Packet) -> Result<(), Misbehaviour> {
        match packet {
            Packet::Ack(number) => {
                if number > self.outbox.sent() {
                    return Err(Misbehaviour::AckBeyondSent { acked: number, sent: self.outbox.sent() });
                }
                self.acked(number);
            }
            Packet::AckNow => self.ack_now(),
            Packet::Heartbeat => {}
            Packet::Probe(nonce) => {
                if self.control.len() >= MAX_CONTROL {
                    return Err(Misbehaviour::ControlFlood);
                }
                self.push_packet(Packet::ProbeReply(nonce));
                self.ack_now();
            }
            Packet::ProbeReply(nonce) => {
                if self.probe.answered(self.now, &nonce) {
                    self.timers.stop(ClientTimer::Probe);
                }
            }
            Packet::GoAway(slot) => self.on_go_away(slot),
            Packet::Moved => self.on_moved(),
            Packet::Gap(gap) => self.on_gap(gap.from, gap.to)?,
            Packet::Close(close) => match self.delivery.on_unit(self.now, close.reason.len()) {
                UnitStatus::Duplicate => {}
                UnitStatus::Deliver if self.inbox.has_close() => return Err(Misbehaviour::AfterClose),
                UnitStatus::Deliver => self.inbox.push(InboxItem::Close(close)),
            },
            // Reserved: ignored.
            Packet::Credentials(_) | Packet::Backend(_) => {}
            Packet::Started(_) | Packet::Resumed(_) | Packet::Lost(_) | Packet::Page(_) => {
                return Err(Misbehaviour::UnexpectedPacket(packet.letter()));
            }
        }
        Ok(())
    }

    fn on_go_away(&mut self, slot: GoAway) {
        let random = self.random();
        let after = crate::slots::moment(&slot, random);
        self.timers.set(ClientTimer::Slot, self.now + after);
        self.events.push_back(ClientEvent::GoAway { why: slot.why, after });
    }

    /// Handles `m` on the current link: it is superseded by another attempt of this client, or by another client.
    fn on_moved(&mut self) {
        let Some(n) = self.link() else { return };
        let ours = self.last_n > n;
        self.close_link(n, undrop_frame::CloseCode::NORMAL);
        if !ours {
            self.start_over(GapReason::Superseded, 0, None);
        }
        self.useful();
        self.link_lost(Some(super::LinkEnd::default()));
    }

    fn on_gap(&mut self, from: u64, to: u64) -> Result<(), Misbehaviour> {
        if from > self.delivery.next_number() {
            return Err(Misbehaviour::Skew);
        }
        self.delivery.jump(to + 1);
        self.skip(to + 1);
        Ok(())
    }

    fn skip(&mut self, start: u64) {
        if let Some((from, to)) = self.delivery.skip(start) {
            self.inbox.push(InboxItem::Gap { from, to });
        }
    }

    fn acked(&mut self, number: u64) {
        if number > self.outbox.acked() {
            self.asked = false;
            self.useful();
            let events = &mut self.events;
            let _ = self.outbox.ack(number, |receipt| events.push_back(ClientEvent::Acked(receipt)));
            self.check_closed();
        }
    }

    fn ack_now(&mut self) {
        self.ack_due = true;
        self.delivery.hurry();
    }

    pub(super) fn push_packet(&mut self, packet: Packet) {
        if let Some(n) = self.link() {
            self.control.push_back((n, QueuedControl::Packet(packet)));
        }
    }

    fn useful(&mut self) {
        if let Some(link) = &mut self.link {
            link.useful = true;
        }
    }
}

/// Derives the client id of the next session, which is as hard to guess as the first one.
fn next_cid(cid: &str) -> String {
    use base64::Engine as _;
    use hmac::Mac as _;
    let mut key = [0; 32];
    for (to, from) in key.iter_mut().zip(cid.bytes()) {
        *to = from;
    }
    let mac = hmac_over(&key, b"undrop.1|next").finalize().into_bytes();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&mac[..16])
}
