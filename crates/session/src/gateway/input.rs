//! What comes from the link and from the consumer.

use std::time::Instant;

use super::{Gateway, GatewayEvent, GatewayState, PeerClose};
use crate::delivery::UnitStatus;
use crate::error::Misbehaviour;
use crate::packet::Packet;

impl Gateway {
    /// A data message of `len` payload bytes came on the current link, whole.
    /// A message behind the client's close is a duplicate: nobody takes it.
    #[inline]
    pub fn handle_data(&mut self, now: Instant, len: usize) -> UnitStatus {
        if self.peer_close != PeerClose::None {
            return self.on_data_while_closing(now, len);
        }
        self.confirmed = true;
        self.delivery.on_unit(now, len)
    }

    /// Resent units may come again before the close that was received already.
    #[cold]
    fn on_data_while_closing(&mut self, now: Instant, len: usize) -> UnitStatus {
        if self.delivery.next_is_known() { self.delivery.on_unit(now, len) } else { UnitStatus::Duplicate }
    }

    /// A control packet came on the current link.
    ///
    /// # Errors
    /// The peer broke the protocol: close the link with the code that the error names, and [`detach`](Self::detach).
    /// A skew (an ack beyond what was sent) leaves nothing to resume; everything else costs the link only.
    pub fn handle_packet(&mut self, now: Instant, packet: &Packet) -> Result<(), Misbehaviour> {
        self.heartbeat.on_heard(now);
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
                self.control.push(&Packet::ProbeAnswer(nonce.clone()));
                self.ack_now(now);
            }
            Packet::ProbeAnswer(_) => {}
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

    /// Any bytes came on the current link, Pings and Pongs included. Once per read is enough.
    #[inline]
    pub fn handle_traffic(&mut self, now: Instant) {
        self.heartbeat.on_heard(now);
    }

    /// A Pong came on the current link: what was sent before our Ping, `S` first of all, has been read.
    pub fn handle_pong(&mut self) {
        self.confirmed |= self.state == GatewayState::Attached && self.heartbeat.has_asked();
    }

    /// The consumer took `units` more of the delivered units, in order. Drives the acks.
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

    /// The client closed, and everything up to its close was taken.
    pub fn is_closed_by_peer(&self) -> bool {
        self.peer_close == PeerClose::Consumed
    }

    /// Our sequenced close was acked.
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

    /// The client's close is taken as soon as everything before it was.
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
