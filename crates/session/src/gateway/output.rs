//! The output for the link.

use std::time::Instant;

use undrop_frame::CloseCode;

use super::{Gateway, GatewayState, Overflow};
use crate::packet::{Close, Packet, push_text_frame};

/// An open unit without complete ones before it may always grow by this number of bytes at a time, whatever the limit;
/// otherwise a message larger than the buffer could never pass.
const GROWTH: usize = 64 * 1024;

impl Gateway {
    /// Returns the number of bytes that may be appended before the producer must pause. A unit of any size is admitted
    /// while no complete unit is held, so this is 0 only while acks can make room. A policy that never pauses always has
    /// room.
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

    /// Appends bytes to the open unit, as they go on the wire: unmasked frames, U+001F escaped.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) {
        if self.closing == 0 && matches!(self.state, GatewayState::Attached | GatewayState::Detached) {
            self.replay.append(bytes);
        }
    }

    /// Completes the open unit: it gets its number and may be sent.
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

    /// Appends the backend's close as a sequenced `x`. An open unit is discarded; later units and a second close are
    /// ignored.
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

    /// Queues a whole control frame, such as a Pong, for the current link. It is sent at the next unit boundary, or dropped
    /// if too many bytes wait already, which RFC 6455 §5.5.3 allows for Pongs.
    pub fn queue_control_frame(&mut self, frame: &[u8]) {
        if self.is_attached() {
            self.control.push_frame(frame);
        }
    }

    /// Returns whether the only output is an ack. A driver may delay it for a moment: later data can carry it, and a newer
    /// ack replaces it.
    #[inline]
    pub fn has_only_ack(&self) -> bool {
        self.state == GatewayState::Attached && self.control.is_only_ack() && self.replay.pending_len() == 0
    }

    /// Fills `slices` with the output for one vectored write, and returns the number of filled slices. Control frames come
    /// before units, but a unit that is partly sent is finished first. Report the written bytes with
    /// [`handle_transmitted`](Self::handle_transmitted).
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

    /// Reports that the socket accepted `n` bytes of the output of [`poll_transmit`](Self::poll_transmit).
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
