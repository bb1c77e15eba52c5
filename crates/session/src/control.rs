//! The queue of control bytes that wait for a unit boundary: packets as frames, and control frames.

use crate::number::base36;
use crate::packet::{Packet, push_text_frame};

/// The number of bytes from which replies that a peer can provoke (probe replies, Pongs, heartbeats) are not queued.
pub(crate) const SOFT_LIMIT: usize = 4 * 1024;
/// The maximum number of bytes in the queue.
pub(crate) const HARD_LIMIT: usize = 64 * 1024;

/// Waiting control bytes. An empty queue owns no memory.
#[derive(Debug, Clone)]
pub(crate) struct ControlQueue {
    bytes: Vec<u8>,
    sent: u32,
    /// The start of a waiting ack that a newer one may replace: it is the last frame, and no byte of it is sent. [`NO_ACK`]
    /// if there is none.
    ack: u32,
}

const PREAMBLE: u32 = 5;
const NO_ACK: u32 = u32::MAX;

impl Default for ControlQueue {
    fn default() -> Self {
        Self { bytes: Vec::new(), sent: 0, ack: NO_ACK }
    }
}

impl ControlQueue {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    #[inline]
    pub(crate) fn pending(&self) -> &[u8] {
        &self.bytes[self.sent as usize..]
    }

    /// Returns whether an ack, and nothing else, waits.
    #[inline]
    pub(crate) const fn is_only_ack(&self) -> bool {
        self.ack == 0 && self.sent == 0
    }

    /// Returns whether the socket accepted a part of the bytes, possibly up to the middle of a frame.
    pub(crate) const fn is_partly_out(&self) -> bool {
        self.sent > 0
    }

    /// Returns whether a reply that the peer provoked may be queued.
    pub(crate) fn has_soft_room(&self) -> bool {
        self.limited() < SOFT_LIMIT
    }

    /// Returns the number of bytes that count against the limits, without the rest of a unit.
    fn limited(&self) -> usize {
        match self.bytes[..] {
            [0, a, b, c, d, ..] => self.bytes.len() - u32::from_be_bytes([a, b, c, d]) as usize,
            _ => self.bytes.len(),
        }
    }

    /// Inserts the rest of a partly sent unit before everything else. No control byte can be partly sent at that time,
    /// because control bytes are sent only between units.
    pub(crate) fn prepend_rest(&mut self, rest: &[u8]) {
        debug_assert!(self.sent == 0);
        // A preamble that counts as sent: no frame starts with 0, and the length excludes the rest from the limits.
        let len = rest.len() as u32;
        let preamble = std::iter::once(0).chain(len.to_be_bytes());
        self.bytes.splice(0..0, preamble.chain(rest.iter().copied()));
        self.sent = PREAMBLE;
        self.ack = NO_ACK;
    }

    /// Queues a packet. Returns false if there is no room; nothing has changed then.
    pub(crate) fn push(&mut self, packet: &Packet) -> bool {
        let text = packet.encode();
        if self.limited() + text.len() + 10 > HARD_LIMIT {
            return false;
        }
        self.ack = NO_ACK;
        push_text_frame(&mut self.bytes, text.as_bytes());
        true
    }

    /// Queues a whole control frame. Returns false if there is no room.
    pub(crate) fn push_frame(&mut self, frame: &[u8]) -> bool {
        if !self.has_soft_room() {
            return false;
        }
        self.ack = NO_ACK;
        self.bytes.extend_from_slice(frame);
        true
    }

    /// Queues an ack, in place of one that still waits. It allocates nothing once the buffer has its few bytes.
    pub(crate) fn push_ack(&mut self, number: u64) {
        if self.ack != NO_ACK {
            self.bytes.truncate(self.ack as usize);
        }
        let at = self.bytes.len();
        let mut digits = [0; 13];
        let digits = base36(number, &mut digits);
        // Header of a final text frame, U+001F, the letter: short enough for the one-byte length.
        self.bytes.extend_from_slice(&[0x81, 2 + digits.len() as u8, crate::escape::ESCAPE, b'a']);
        self.bytes.extend_from_slice(digits.as_bytes());
        self.ack = u32::try_from(at).unwrap_or(NO_ACK);
    }

    /// Removes `n` bytes that the socket accepted.
    pub(crate) fn advance(&mut self, n: usize) {
        self.sent += n as u32;
        if self.sent as usize >= self.bytes.len() {
            self.clear();
        } else if self.ack < self.sent {
            self.ack = NO_ACK;
        }
    }

    /// Removes everything; the buffer is kept for the next packet.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
        self.ack = NO_ACK;
    }

    pub(crate) fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }

    pub(crate) fn heap(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_ack_replaces_a_waiting_one() {
        let mut control = ControlQueue::default();
        control.push_ack(1);
        control.push_ack(40);
        assert_eq!(control.pending(), Packet::Ack(40).to_server_frame());
        control.advance(1);
        control.push_ack(41);
        let both = [&Packet::Ack(40).to_server_frame()[1..], &Packet::Ack(41).to_server_frame()].concat();
        assert_eq!(control.pending(), both, "one that is partly out stays");
        control.advance(both.len());
        assert!(control.is_empty());
    }

    #[test]
    fn bounded() {
        let mut control = ControlQueue::default();
        while control.push_frame(&[0x8a, 0]) {}
        assert_eq!(control.pending().len(), SOFT_LIMIT);
        while control.push(&Packet::Credentials(format!("\"{}\"", "x".repeat(1000)))) {}
        assert!(control.pending().len() <= HARD_LIMIT);
        control.clear();
        control.release();
        assert_eq!(control.heap(), 0);
    }
}
