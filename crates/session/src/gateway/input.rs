//! The input from the link and from the consumer.

use std::time::Instant;

use super::{Gateway, GatewayEvent, GatewayState, PeerClose};
use crate::delivery::UnitStatus;
use crate::error::Misbehaviour;
use crate::packet::Packet;

impl Gateway {
    /// Handles a whole data message of `len` payload bytes from the current link, and returns whether the consumer has to
    /// get it. A message after the client's close counts as a duplicate, because it has no consumer.
    #[inline]
    pub fn handle_data(&mut self, now: Instant, len: usize) -> UnitStatus {
        if self.peer_close != PeerClose::None {
            return self.on_data_while_closing(now, len);
        }
        self.confirmed = true;
        self.delivery.on_unit(now, len)
    }

    /// Units may be sent again before the close that was received already.
    #[cold]
    fn on_data_while_closing(&mut self, now: Instant, len: usize) -> UnitStatus {
        if self.delivery.next_is_known() { self.delivery.on_unit(now, len) } else { UnitStatus::Duplicate }
    }

    /// Handles a control packet from the current link.
    ///
    /// # Errors
    /// The peer violated the protocol: close the link with the code of the error, and [`detach`](Self::detach). The
    /// session itself can be resumed by a later link.
    pub fn handle_packet(&mut self, now: Instant, packet: &Packet) -> Result<(), Misbehaviour> {
        self.heartbeat.on_received(now);
        if self.state != GatewayState::Attached {
            return Err(Misbehaviour::UnexpectedPacket(packet.letter()));
        }
        self.confirmed = true;
        match packet {
            Packet::Ack(number) => return self.on_ack(*number),
            Packet::AckNow => self.ack_now(now),
            Packet::Probe(nonce) => {
                if !self.control.has_soft_room() {
                    return Err(Misbehaviour::ControlFlood);
                }
                self.control.push(&Packet::ProbeReply(nonce.clone()));
                self.ack_now(now);
            }
            Packet::ProbeReply(_) => {}
            Packet::Close(close) => match self.delivery.on_unit(now, close.reason.len()) {
                UnitStatus::Duplicate => {}
                UnitStatus::Deliver => {
                    if self.peer_close != PeerClose::None {
                        return Err(Misbehaviour::AfterClose);
                    }
                    self.peer_close = PeerClose::Waiting(Box::new(close.clone()));
                    self.consume_close(now);
                }
            },
            // Reserved: ignored.
            Packet::Credentials(_) => {}
            Packet::Page(state) => {
                self.page = Some(*state);
                self.ack_now(now);
                self.events.push(GatewayEvent::Hint(*state));
            }
            Packet::Started(_)
            | Packet::Resumed(_)
            | Packet::Lost(_)
            | Packet::Heartbeat
            | Packet::GoAway(_)
            | Packet::Moved
            | Packet::Gap(_)
            | Packet::Backend(_) => return Err(Misbehaviour::UnexpectedPacket(packet.letter())),
        }
        Ok(())
    }

    /// Reports that bytes of any kind arrived on the current link. Call it once per read.
    #[inline]
    pub fn handle_traffic(&mut self, now: Instant) {
        self.heartbeat.on_received(now);
    }

    /// Handles a Pong from the current link: the peer has read what was sent before the Ping, in particular `S`.
    pub fn handle_pong(&mut self) {
        self.confirmed |= self.state == GatewayState::Attached && self.heartbeat.has_asked();
    }

    /// Reports that the consumer accepted `units` more of the delivered units, in order. Only accepted units are acked.
    #[inline]
    pub fn handle_consumed(&mut self, now: Instant, units: u64) {
        if self.delivery.consume(units) && self.state == GatewayState::Attached {
            self.push_ack(now);
        }
        if self.peer_close != PeerClose::None {
            self.consume_close(now);
        }
    }

    fn on_ack(&mut self, number: u64) -> Result<(), Misbehaviour> {
        let before = self.replay.acked();
        self.replay
            .ack(number)
            .map_err(|beyond| Misbehaviour::AckBeyondSent { acked: number, sent: beyond.0 })?;
        if self.replay.acked() > before {
            self.asked = false;
            if self.closing != 0 && before < self.closing && self.is_finished() {
                self.events.push(GatewayEvent::Finished);
            }
        }
        Ok(())
    }

    /// Returns whether the client closed the session and its consumer accepted everything up to that close.
    pub fn is_closed_by_peer(&self) -> bool {
        self.peer_close == PeerClose::Consumed
    }

    /// Returns whether the sequenced close of this end was acked.
    pub(super) fn is_finished(&self) -> bool {
        self.closing != 0 && self.replay.acked() >= self.closing
    }

    pub(super) fn push_ack(&mut self, now: Instant) {
        self.control.push_ack(self.delivery.statement());
        self.delivery.stated(now);
    }

    fn ack_now(&mut self, now: Instant) {
        self.push_ack(now);
        self.delivery.hurry();
    }

    /// The client's close is consumed as soon as everything before it was.
    #[cold]
    fn consume_close(&mut self, now: Instant) {
        if self.delivery.unconsumed() != 1 || !matches!(self.peer_close, PeerClose::Waiting(_)) {
            return;
        }
        if let PeerClose::Waiting(close) = std::mem::replace(&mut self.peer_close, PeerClose::Consumed) {
            self.delivery.consume(1);
            if self.state == GatewayState::Attached {
                self.push_ack(now);
            }
            self.events.push(GatewayEvent::Close { code: close.code, reason: close.reason });
        }
    }
}
