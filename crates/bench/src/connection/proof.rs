//! The exactly-once proof: numbered, hash-chained streams, and the findings in them.

use serde::{Deserialize, Serialize};

use crate::connection::stamp::{self, Stamp, StampKind};

/// The maximum number of ranges of missing numbers that one stream remembers. A message of a forgotten range that still arrives
/// counts as doubled, and one that was missing stays lost.
const MAX_RANGES: usize = 1024;

/// The sending end of a numbered stream.
#[derive(Debug, Clone)]
pub struct OutgoingStream {
    kind: StampKind,
    run: u16,
    stream: u32,
    sent: u64,
    chain: u32,
    /// The chain before the newest message, for [`OutgoingStream::undo`].
    before: u32,
}

impl OutgoingStream {
    /// Creates a stream that has sent nothing.
    pub fn new(kind: StampKind, run: u16, stream: u32) -> OutgoingStream {
        OutgoingStream { kind, run, stream, sent: 0, chain: 0, before: 0 }
    }

    /// Appends the next message to `out`: a stamp, then filler up to `size` bytes in all.
    pub fn compose(&mut self, size: usize, binary: bool, intended_us: u64, late_us: u64, out: &mut Vec<u8>) {
        let head = if binary { stamp::BINARY } else { stamp::TEXT };
        let start = out.len();
        out.resize(start + head, 0);
        stamp::filler(self.sent ^ u64::from(self.stream) << 20, size.saturating_sub(head), out);
        let stamp = self.next(&out[start + head..], intended_us, late_us);
        let (bytes, len) = stamp.bytes(binary);
        out[start..start + len].copy_from_slice(&bytes[..len]);
    }

    /// Returns the stamp of the next message, which carries `filler`.
    pub fn next(&mut self, filler: &[u8], intended_us: u64, late_us: u64) -> Stamp {
        self.sent += 1;
        let OutgoingStream { kind, run, stream, sent: number, .. } = *self;
        let mut stamp = Stamp { kind, run, stream, number, intended_us, late_us, digest: 0, chain: 0 };
        stamp.digest = stamp.expected_digest(filler);
        self.before = self.chain;
        self.chain = stamp::link(self.chain, number, stamp.digest);
        stamp.chain = self.chain;
        stamp
    }

    /// Reverts the newest message, which was not sent after all. May be called once per message.
    pub fn undo(&mut self) {
        self.sent -= 1;
        self.chain = self.before;
    }

    /// Returns the number of messages.
    pub fn sent(&self) -> u64 {
        self.sent
    }
}

/// The receiving end of a numbered stream.
#[derive(Debug, Clone, Default)]
pub struct IncomingStream {
    /// The highest number received.
    highest: u64,
    /// The chain after that message.
    chain: u32,
    /// The ranges of numbers below `highest` that were not received, in ascending order.
    missing: Vec<(u64, u64)>,
    counts: StreamCounts,
}

/// The findings in one numbered stream, or in several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCounts {
    /// The number of different messages that were received intact.
    pub received: u64,
    /// The number of messages that were received again.
    pub doubled: u64,
    /// The number of messages that were received after a later one.
    pub reordered: u64,
    /// The number of messages with wrong content, with a wrong chain, or that were never sent.
    pub corrupted: u64,
}

impl StreamCounts {
    /// Adds the findings in another stream.
    pub fn add(&mut self, other: &StreamCounts) {
        self.received += other.received;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.corrupted += other.corrupted;
    }
}

impl IncomingStream {
    /// Verifies a message: its stamp, and the bytes after it.
    pub fn accept(&mut self, stamp: &Stamp, filler: &[u8]) {
        let number = stamp.number;
        if number == 0 || stamp.expected_digest(filler) != stamp.digest {
            self.counts.corrupted += 1;
            return;
        }
        if number > self.highest {
            let follows = number == self.highest + 1;
            if follows && stamp.chain != stamp::link(self.chain, number, stamp.digest) {
                // Intact by itself, but not the message that was sent after the previous one: it was replaced on the way.
                self.counts.corrupted += 1;
            } else {
                self.counts.received += 1;
            }
            if !follows {
                if self.missing.len() == MAX_RANGES {
                    self.missing.remove(0);
                }
                self.missing.push((self.highest + 1, number - 1));
            }
            self.highest = number;
            self.chain = stamp.chain;
        } else if self.take_missing(number) {
            self.counts.received += 1;
            self.counts.reordered += 1;
        } else {
            self.counts.doubled += 1;
        }
    }

    /// Counts a message as corrupted that has no stamp, or the stamp of another stream.
    pub fn reject(&mut self) {
        self.counts.corrupted += 1;
    }

    /// Returns the findings so far.
    pub fn counts(&self) -> StreamCounts {
        self.counts
    }

    /// Returns the highest number received.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    fn take_missing(&mut self, number: u64) -> bool {
        let Some(at) = self.missing.iter().position(|(from, to)| (*from..=*to).contains(&number)) else {
            return false;
        };
        let (from, to) = self.missing[at];
        let left = [(from, number - 1), (number + 1, to)];
        self.missing.splice(at..=at, left.into_iter().filter(|(from, to)| from <= to));
        true
    }
}

/// A sink's reply to [`StampKind::Query`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SinkTotals {
    /// The sink's findings in the stream that it received.
    pub(crate) up: StreamCounts,
    /// The number of messages that the sink sent on the stream in return.
    pub(crate) sent: u64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn messages(count: usize) -> Vec<Vec<u8>> {
        let mut stream = OutgoingStream::new(StampKind::Up, 1, 2);
        let compose = |_| {
            let mut message = Vec::new();
            stream.compose(64, false, 0, 0, &mut message);
            message
        };
        (0..count).map(compose).collect()
    }

    fn verify(messages: &[Vec<u8>]) -> StreamCounts {
        let mut incoming = IncomingStream::default();
        for message in messages {
            match Stamp::read(false, message) {
                Some((stamp, filler)) => incoming.accept(&stamp, filler),
                None => incoming.reject(),
            }
        }
        incoming.counts()
    }

    fn counts(received: u64, doubled: u64, reordered: u64, corrupted: u64) -> StreamCounts {
        StreamCounts { received, doubled, reordered, corrupted }
    }

    #[test]
    fn an_undisturbed_stream_is_received_completely() {
        assert_eq!(verify(&messages(1000)), counts(1000, 0, 0, 0));
    }

    #[test]
    fn one_lost_one_doubled_and_two_swapped_are_found() {
        let all = messages(100);
        let mut lost = all.clone();
        lost.remove(50);
        assert_eq!(verify(&lost), counts(99, 0, 0, 0));
        let mut doubled = all.clone();
        doubled.insert(70, all[50].clone());
        assert_eq!(verify(&doubled), counts(100, 1, 0, 0));
        let mut at_once = all.clone();
        at_once.insert(50, all[50].clone());
        assert_eq!(verify(&at_once), counts(100, 1, 0, 0));
        let mut swapped = all.clone();
        swapped.swap(50, 51);
        assert_eq!(verify(&swapped), counts(100, 0, 1, 0));
        let mut late = all.clone();
        let first = late.remove(0);
        late.push(first);
        assert_eq!(verify(&late), counts(100, 0, 1, 0));
    }

    #[test]
    fn a_changed_and_a_replaced_message_are_found() {
        let all = messages(100);
        let mut changed = all.clone();
        *changed[50].last_mut().unwrap() ^= 1;
        assert_eq!(verify(&changed).corrupted, 1);
        // Another message of the same number, intact by itself.
        let mut replaced = all;
        let mut other = OutgoingStream::new(StampKind::Up, 1, 2);
        for _ in 0..=50 {
            let mut message = Vec::new();
            other.compose(80, false, 0, 0, &mut message);
            replaced[50] = message;
        }
        assert_eq!(
            verify(&replaced).corrupted,
            2,
            "the replaced one, and the next, which does not follow from it"
        );
        assert_eq!(verify(&[b"hello".to_vec()]).corrupted, 1);
    }

    #[test]
    fn a_changed_stamp_is_found() {
        for at in 2..stamp::TEXT {
            let mut all = messages(3);
            // Another letter of the alphabet, whatever it was.
            all[1][at] = if all[1][at] == b'A' { b'B' } else { b'A' };
            assert_ne!(verify(&all), counts(3, 0, 0, 0), "letter {at}");
        }
    }

    #[test]
    fn memory_is_bounded_when_every_second_message_is_lost() {
        let all: Vec<_> = messages(10_000).into_iter().step_by(2).collect();
        assert_eq!(verify(&all), counts(5000, 0, 0, 0));
        let mut incoming = IncomingStream::default();
        for message in &all {
            let (stamp, filler) = Stamp::read(false, message).unwrap();
            incoming.accept(&stamp, filler);
        }
        assert_eq!(incoming.missing.len(), MAX_RANGES);
        assert_eq!(incoming.highest(), 9999);
    }
}
