//! The exactly-once proof: numbered, hash-chained streams, and what became of them.

use serde::{Deserialize, Serialize};

use crate::connection::stamp::{self, Kind, Stamp};

/// Ranges of missing numbers that one stream remembers. What is missing beyond that counts as lost even if it comes.
const RANGES: usize = 1024;

/// The sending end of a stream.
#[derive(Debug, Clone)]
pub struct Outgoing {
    kind: Kind,
    run: u16,
    stream: u32,
    sent: u64,
    chain: u32,
    /// Chain before the newest message.
    before: u32,
}

impl Outgoing {
    /// A stream that has sent nothing.
    pub fn new(kind: Kind, run: u16, stream: u32) -> Outgoing {
        Outgoing { kind, run, stream, sent: 0, chain: 0, before: 0 }
    }

    /// Composes the next message into `out`: stamp, then filler up to `size` bytes.
    pub fn compose(&mut self, size: usize, binary: bool, intended_us: u64, late_us: u64, out: &mut Vec<u8>) {
        let head = if binary { stamp::BINARY } else { stamp::TEXT };
        let start = out.len();
        out.resize(start + head, 0);
        stamp::filler(self.sent ^ u64::from(self.stream) << 20, size.saturating_sub(head), out);
        let stamp = self.next(&out[start + head..], intended_us, late_us);
        let (bytes, len) = stamp.bytes(binary);
        out[start..start + len].copy_from_slice(&bytes[..len]);
    }

    /// The stamp of the next message, which will carry `filler`.
    pub fn next(&mut self, filler: &[u8], intended_us: u64, late_us: u64) -> Stamp {
        self.sent += 1;
        let Outgoing { kind, run, stream, sent: number, .. } = *self;
        let mut stamp = Stamp { kind, run, stream, number, intended_us, late_us, digest: 0, chain: 0 };
        stamp.digest = stamp.seal(filler);
        self.before = self.chain;
        self.chain = stamp::link(self.chain, number, stamp.digest);
        stamp.chain = self.chain;
        stamp
    }

    /// The newest message was not sent after all. Only once per message.
    pub fn take_back(&mut self) {
        self.sent -= 1;
        self.chain = self.before;
    }

    /// Messages composed.
    pub fn sent(&self) -> u64 {
        self.sent
    }
}

/// The receiving end of a stream.
#[derive(Debug, Clone, Default)]
pub struct Incoming {
    /// Highest number seen.
    seen: u64,
    /// Chain behind it.
    chain: u32,
    /// Numbers below `seen` that have not come: ranges, ascending.
    missing: Vec<(u64, u64)>,
    counts: Counts,
}

/// What was found in a stream, or in all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Different messages that came intact.
    pub received: u64,
    /// Messages that came again.
    pub doubled: u64,
    /// Messages that came behind a later one.
    pub reordered: u64,
    /// Messages whose content or chain is wrong, and messages that nobody sent.
    pub corrupted: u64,
}

impl Counts {
    /// Adds another stream's.
    pub fn add(&mut self, other: &Counts) {
        self.received += other.received;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.corrupted += other.corrupted;
    }
}

impl Incoming {
    /// Judges a message: its stamp, and the bytes behind it.
    pub fn accept(&mut self, stamp: &Stamp, filler: &[u8]) {
        let number = stamp.number;
        if number == 0 || stamp.seal(filler) != stamp.digest {
            self.counts.corrupted += 1;
            return;
        }
        if number > self.seen {
            let follows = number == self.seen + 1;
            if follows && stamp.chain != stamp::link(self.chain, number, stamp.digest) {
                // Intact by itself, yet not what was sent behind the one before: replaced on the way.
                self.counts.corrupted += 1;
            } else {
                self.counts.received += 1;
            }
            if !follows {
                if self.missing.len() == RANGES {
                    self.missing.remove(0);
                }
                self.missing.push((self.seen + 1, number - 1));
            }
            self.seen = number;
            self.chain = stamp.chain;
        } else if self.take_missing(number) {
            self.counts.received += 1;
            self.counts.reordered += 1;
        } else {
            self.counts.doubled += 1;
        }
    }

    /// A message that has no stamp, or another stream's.
    pub fn foreign(&mut self) {
        self.counts.corrupted += 1;
    }

    /// What was found so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Highest number seen.
    pub fn seen(&self) -> u64 {
        self.seen
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn messages(count: usize) -> Vec<Vec<u8>> {
        let mut stream = Outgoing::new(Kind::Forth, 1, 2);
        let compose = |_| {
            let mut message = Vec::new();
            stream.compose(64, false, 0, 0, &mut message);
            message
        };
        (0..count).map(compose).collect()
    }

    fn judge(messages: &[Vec<u8>]) -> Counts {
        let mut incoming = Incoming::default();
        for message in messages {
            match Stamp::read(false, message) {
                Some((stamp, filler)) => incoming.accept(&stamp, filler),
                None => incoming.foreign(),
            }
        }
        incoming.counts()
    }

    fn counts(received: u64, doubled: u64, reordered: u64, corrupted: u64) -> Counts {
        Counts { received, doubled, reordered, corrupted }
    }

    #[test]
    fn a_perfect_stream_is_perfect() {
        assert_eq!(judge(&messages(1000)), counts(1000, 0, 0, 0));
    }

    #[test]
    fn one_lost_one_doubled_and_two_swapped_are_found() {
        let all = messages(100);
        let mut lost = all.clone();
        lost.remove(50);
        assert_eq!(judge(&lost), counts(99, 0, 0, 0));
        let mut doubled = all.clone();
        doubled.insert(70, all[50].clone());
        assert_eq!(judge(&doubled), counts(100, 1, 0, 0));
        let mut at_once = all.clone();
        at_once.insert(50, all[50].clone());
        assert_eq!(judge(&at_once), counts(100, 1, 0, 0));
        let mut swapped = all.clone();
        swapped.swap(50, 51);
        assert_eq!(judge(&swapped), counts(100, 0, 1, 0));
        let mut late = all.clone();
        let first = late.remove(0);
        late.push(first);
        assert_eq!(judge(&late), counts(100, 0, 1, 0));
    }

    #[test]
    fn a_changed_and_a_replaced_message_are_found() {
        let all = messages(100);
        let mut changed = all.clone();
        *changed[50].last_mut().unwrap() ^= 1;
        assert_eq!(judge(&changed).corrupted, 1);
        // Another message of the same number, intact by itself.
        let mut replaced = all;
        let mut other = Outgoing::new(Kind::Forth, 1, 2);
        for _ in 0..=50 {
            let mut message = Vec::new();
            other.compose(80, false, 0, 0, &mut message);
            replaced[50] = message;
        }
        assert_eq!(
            judge(&replaced).corrupted,
            2,
            "the replaced one, and the next, which does not follow from it"
        );
        assert_eq!(judge(&[b"hello".to_vec()]).corrupted, 1);
    }

    #[test]
    fn a_changed_stamp_is_found() {
        for at in 2..stamp::TEXT {
            let mut all = messages(3);
            // Another letter of the alphabet, whatever it was.
            all[1][at] = if all[1][at] == b'A' { b'B' } else { b'A' };
            assert_ne!(judge(&all), counts(3, 0, 0, 0), "letter {at}");
        }
    }

    #[test]
    fn memory_is_bounded_when_every_second_message_is_lost() {
        let all: Vec<_> = messages(10_000).into_iter().step_by(2).collect();
        assert_eq!(judge(&all), counts(5000, 0, 0, 0));
        let mut incoming = Incoming::default();
        for message in &all {
            let (stamp, filler) = Stamp::read(false, message).unwrap();
            incoming.accept(&stamp, filler);
        }
        assert_eq!(incoming.missing.len(), RANGES);
        assert_eq!(incoming.seen(), 9999);
    }
}
