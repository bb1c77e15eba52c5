//! What goes to the link.

use std::time::Instant;

use undrop_frame::CloseCode;

use super::{Gateway, GatewayState, Overflow};
use crate::packet::{Close, Packet, push_text_frame};

/// An open unit without complete ones before it may always grow by this much at a time, whatever the limit: otherwise a
/// message larger than the buffer could never pass.
const GROWTH: usize = 64 * 1024;

impl Gateway {
    /// Bytes that may be appended before the producer must pause. A unit of any size is admitted when no complete unit
    /// is held, so this is only 0 while acks can make room. Policies that never pause always have room.
    #[inline]
    pub fn room(&self) -> usize {
        if self.closing != 0 || matches!(self.state, GatewayState::Overflowed | GatewayState::Over) {
            return 0;
        }
        if self.config.overflow != Overflow::Pause {
            return usize::MAX;
        }
        let room = self.limit().saturating_sub(self.replay.charged());
        if self.replay.held() == 0 { room.max(GROWTH) } else { room }
    }

    /// Bytes of the open unit, as they go on the wire: frames of a server, U+001F escaped. May come in several calls.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) {
        if self.closing == 0 && matches!(self.state, GatewayState::Attached | GatewayState::Detached) {
            self.replay.append(bytes);
        }
    }

    /// The open unit is complete: it has its number and may go out.
    #[inline]
    pub fn end_unit(&mut self) {
        if self.closing != 0 || !matches!(self.state, GatewayState::Attached | GatewayState::Detached) {
            return;
        }
        self.replay.end_unit();
        if self.replay.charged() > self.limit() {
            self.handle_overflow();
        }
    }

    /// The backend closed: a sequenced `x` behind everything before it. An open unit is discarded; later ones are
    /// ignored, and so is a second close.
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        if self.closing != 0 || !matches!(self.state, GatewayState::Attached | GatewayState::Detached) {
            return;
        }
        self.replay.discard_open();
        let mut frame = Vec::new();
        push_text_frame(&mut frame, Packet::Close(Close::new(code, reason)).encode().as_bytes());
        self.replay.append(&frame);
        self.end_unit();
        self.closing = self.replay.last();
    }

    /// A whole raw control frame (a Pong, say) for the current link. It goes out at the next unit boundary; when too
    /// much waits already it is dropped, which RFC 6455 5.5.3 allows for Pongs.
    pub fn queue_control_frame(&mut self, frame: &[u8]) {
        if self.is_attached() {
            self.control.push_frame(frame);
        }
    }

    /// All that could go out now is an ack. It may wait a little for company: what it says can be said later, and a
    /// newer one takes its place.
    #[inline]
    pub fn has_only_ack(&self) -> bool {
        self.state == GatewayState::Attached && self.control.is_only_ack() && self.replay.pending_len() == 0
    }

    /// What can go out now, for one vectored write; returns how many slices are filled. Control frames come before
    /// units, but a unit that is partly out is finished first.
    #[inline]
    pub fn poll_transmit<'a>(&'a self, slices: &mut [&'a [u8]; 3]) -> usize {
        if self.state != GatewayState::Attached {
            return 0;
        }
        let control = self.control.pending();
        let mut count = 0;
        let mut fill = |slice: &'a [u8]| {
            if !slice.is_empty() {
                slices[count] = slice;
                count += 1;
            }
        };
        if self.replay.at_boundary() {
            fill(control);
            if self.gap.0 == 0 {
                let (front, back) = self.replay.pending(false);
                fill(front);
                fill(back);
            }
        } else {
            let (front, back) = self.replay.pending(self.gap.0 != 0 || !control.is_empty());
            fill(front);
            fill(back);
            fill(control);
        }
        count
    }

    /// The socket took `n` bytes of what [`poll_transmit`](Self::poll_transmit) showed.
    #[inline]
    pub fn handle_transmitted(&mut self, now: Instant, n: usize) {
        if self.state != GatewayState::Attached || n == 0 {
            return;
        }
        self.heartbeat.on_sent(now);
        let mut left = n;
        if !self.control.is_empty() {
            let rest = left.min(self.replay.rest());
            if rest > 0 {
                self.replay.advance(rest);
                left -= rest;
            }
            if self.replay.at_boundary() {
                let control = left.min(self.control.pending().len());
                self.control.advance(control);
                left -= control;
            }
        }
        let left = left.min(self.replay.pending_len());
        if left > 0 {
            self.replay.advance(left);
        }
        if self.gap.0 != 0 {
            self.announce_gap();
        }
        if !self.asked && self.replay.in_flight() >= self.config.attached_limit / 2 {
            self.asked = true;
            self.control.push(&Packet::AckNow);
        }
    }
}
