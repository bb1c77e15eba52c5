//! The replay buffer of the gateway: a byte ring of numbered units with a transmit cursor.
//!
//! ```text
//!            first                 cursor                last
//!   … acked │ sent, waiting for acks │ waiting to be sent │ open unit │
//!           └──────────────────────── bytes ──────────────────────────┘
//! ```
//! A unit keeps its number for life. On one link units go out one after the other without a number, so no unit
//! between the cursor and the end may be removed without a report to the client, and a unit that is partly sent is finished
//! first. An ack may run ahead of the cursor (the client consumed the unit on an older link): such units remain until the
//! cursor has passed them.

use std::collections::VecDeque;

/// The memory charged for each unit besides its bytes, so that a flood of empty messages is bounded too.
const UNIT_CHARGE: usize = 8;

/// The replay buffer; see the module documentation. In steady state it allocates nothing; [`release`](Self::release) frees
/// idle memory.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    /// Bytes of the units from `first` on, then those of the open unit.
    bytes: VecDeque<u8>,
    /// Lengths of the complete units.
    units: VecDeque<u32>,
    /// Bytes of the complete units.
    complete: usize,
    /// The number of `units[0]`, or of the next unit if there is none.
    first: u64,
    /// The highest acked unit.
    acked: u64,
    /// The highest unit that was ever sent whole, on any link.
    sent: u64,
    /// Units before the cursor.
    cursor: u32,
    /// Bytes before the cursor, including `into`.
    cursor_bytes: usize,
    /// Bytes of the unit at the cursor that are on the wire already.
    into: u32,
}

/// The error for an ack of a unit that was never sent, with the highest unit that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BeyondSent(pub(crate) u64);

/// A unit that was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) number: u64,
    /// The unit was not sent on the current link, so the client needs a report to count on. Otherwise only the copy for a
    /// resume is gone.
    pub(crate) unsent: bool,
}

impl Replay {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: VecDeque::new(),
            units: VecDeque::new(),
            complete: 0,
            first: 1,
            acked: 0,
            sent: 0,
            cursor: 0,
            cursor_bytes: 0,
            into: 0,
        }
    }

    /// Returns the newest ack.
    pub(crate) const fn acked(&self) -> u64 {
        self.acked
    }

    /// Returns the highest unit that was sent whole on some link.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns the number of the oldest unit that is still held, or of the next one.
    pub(crate) const fn first(&self) -> u64 {
        self.first
    }

    /// Returns the number of the newest complete unit; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.first + self.units.len() as u64 - 1
    }

    /// Returns the number of complete units.
    pub(crate) fn held(&self) -> usize {
        self.units.len()
    }

    /// Returns the charged bytes: all contents, including the open unit, and a small charge per unit.
    #[inline]
    pub(crate) fn charged(&self) -> usize {
        self.bytes.len() + self.units.len() * UNIT_CHARGE
    }

    /// Returns the number of bytes that were sent on the current link and not acked.
    #[inline]
    pub(crate) const fn in_flight(&self) -> usize {
        self.cursor_bytes
    }

    /// Returns whether no unit is partly sent.
    #[inline]
    pub(crate) const fn at_boundary(&self) -> bool {
        self.into == 0
    }

    /// Returns the length of the open unit, in bytes.
    #[inline]
    pub(crate) fn open_len(&self) -> usize {
        self.bytes.len() - self.complete
    }

    /// Appends bytes to the open unit.
    #[inline]
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Completes the open unit and gives it its number.
    #[inline]
    pub(crate) fn end_unit(&mut self) {
        let len = self.open_len();
        // The frame limits keep a unit far below 4 GiB; a longer one would be cut short here, so it is refused where
        // limits are configured.
        self.units.push_back(u32::try_from(len).unwrap_or(u32::MAX));
        self.complete += len;
    }

    /// Removes the open unit.
    pub(crate) fn discard_open(&mut self) {
        self.bytes.truncate(self.complete);
    }

    /// Returns the bytes that may be sent now, in order: the rest of the partly sent unit and, unless `only_rest`, all
    /// complete units after it.
    #[inline]
    pub(crate) fn pending(&self, only_rest: bool) -> (&[u8], &[u8]) {
        let end = if only_rest { self.cursor_bytes + self.rest() } else { self.complete };
        let (front, back) = self.bytes.as_slices();
        if self.cursor_bytes >= end {
            return (&[], &[]);
        }
        let split = front.len();
        if self.cursor_bytes >= split {
            (&back[self.cursor_bytes - split..end - split], &[])
        } else if end <= split {
            (&front[self.cursor_bytes..end], &[])
        } else {
            (&front[self.cursor_bytes..], &back[..end - split])
        }
    }

    /// Returns the number of complete bytes after the cursor.
    #[inline]
    pub(crate) const fn pending_len(&self) -> usize {
        self.complete - self.cursor_bytes
    }

    /// Returns the number of bytes that are missing from the partly sent unit at the cursor; 0 if there is none.
    #[inline]
    pub(crate) fn rest(&self) -> usize {
        if self.into == 0 {
            0
        } else {
            self.units.get(self.cursor as usize).map_or(0, |len| (*len - self.into) as usize)
        }
    }

    /// Advances the cursor by `n` bytes of [`pending`](Self::pending) that the socket accepted. Units that were acked ahead
    /// of the cursor are freed as it passes them.
    #[inline]
    pub(crate) fn advance(&mut self, n: usize) {
        debug_assert!(n <= self.pending_len());
        self.cursor_bytes += n;
        let mut into = self.into as usize + n;
        while let Some(len) = self.units.get(self.cursor as usize) {
            let len = *len as usize;
            if into < len {
                break;
            }
            into -= len;
            self.cursor += 1;
        }
        // What is left is less than the length of one unit.
        self.into = into as u32;
        let passed = self.first + u64::from(self.cursor) - 1;
        self.sent = self.sent.max(passed);
        if self.acked >= self.first {
            self.trim();
        }
    }

    /// Handles an ack: the peer consumed every unit up to `number`.
    pub(crate) fn ack(&mut self, number: u64) -> Result<(), BeyondSent> {
        if number > self.sent {
            return Err(BeyondSent(self.sent));
        }
        if number > self.acked {
            self.acked = number;
            self.trim();
        }
        Ok(())
    }

    /// Frees units that are acked and before the cursor.
    fn trim(&mut self) {
        let mut bytes = 0;
        while self.first <= self.acked && self.cursor > 0 {
            let Some(len) = self.units.pop_front() else { break };
            bytes += len as usize;
            self.first += 1;
            self.cursor -= 1;
        }
        self.free(bytes);
        self.cursor_bytes -= bytes;
    }

    fn free(&mut self, bytes: usize) {
        self.bytes.drain(..bytes);
        self.complete -= bytes;
    }

    /// Ends the link: no unit is partly sent, and acked units no longer wait for the cursor.
    pub(crate) fn unlink(&mut self) {
        let mut bytes = 0;
        while self.first <= self.acked {
            let Some(len) = self.units.pop_front() else { break };
            bytes += len as usize;
            self.first += 1;
        }
        self.free(bytes);
        self.cursor = 0;
        self.cursor_bytes = 0;
        self.into = 0;
    }

    /// Drops the oldest unit that may be dropped; `None` if the only complete units are the partly sent one or the newest.
    /// The peer gets a report, so its acks may reach the dropped number.
    pub(crate) fn drop_oldest(&mut self) -> Option<Dropped> {
        if self.units.len() < 2 || (self.cursor == 0 && self.into > 0) {
            return None;
        }
        let len = self.units.pop_front()? as usize;
        self.free(len);
        let number = self.first;
        self.first += 1;
        self.sent = self.sent.max(number);
        let unsent = self.cursor == 0;
        if !unsent {
            self.cursor -= 1;
            self.cursor_bytes -= len;
        }
        Some(Dropped { number, unsent })
    }

    /// Removes all units. The numbers remain.
    pub(crate) fn clear(&mut self) {
        self.first = self.last() + 1;
        self.units = VecDeque::new();
        self.bytes = VecDeque::new();
        self.complete = 0;
        self.cursor = 0;
        self.cursor_bytes = 0;
        self.into = 0;
    }

    /// Shrinks rings that are less than half full.
    pub(crate) fn release(&mut self) {
        if self.bytes.capacity() > 2 * self.bytes.len() {
            self.bytes.shrink_to_fit();
        }
        if self.units.capacity() > 2 * self.units.len() {
            self.units.shrink_to_fit();
        }
    }

    /// Returns the heap memory in bytes.
    pub(crate) fn heap(&self) -> usize {
        self.bytes.capacity() + self.units.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(replay: &mut Replay, bytes: &[u8]) {
        replay.append(bytes);
        replay.end_unit();
    }

    fn pending(replay: &Replay) -> Vec<u8> {
        let (a, b) = replay.pending(false);
        [a, b].concat()
    }

    #[test]
    fn numbers_and_acks() {
        let mut replay = Replay::new();
        assert_eq!((replay.first(), replay.last()), (1, 0));
        unit(&mut replay, b"one");
        unit(&mut replay, b"two");
        replay.append(b"op");
        assert_eq!(pending(&replay), b"onetwo");
        assert_eq!(replay.ack(1), Err(BeyondSent(0)));
        replay.advance(4);
        assert_eq!((replay.sent(), replay.rest(), replay.at_boundary()), (1, 2, false));
        assert_eq!(replay.ack(1), Ok(()));
        assert_eq!((replay.first(), replay.held()), (2, 1));
        assert_eq!(pending(&replay), b"wo");
        replay.advance(2);
        replay.append(b"en");
        replay.end_unit();
        assert_eq!(pending(&replay), b"open");
        assert_eq!(replay.ack(3), Err(BeyondSent(2)));
        assert_eq!(replay.last(), 3);
    }

    #[test]
    fn ack_ahead_of_the_cursor_keeps_what_the_link_still_counts() {
        let mut replay = Replay::new();
        for text in ["a", "b", "c"] {
            unit(&mut replay, text.as_bytes());
        }
        replay.advance(3);
        replay.unlink();
        // A new link starts at 1 again; an ack of 2 is about units that the client consumed on the old one.
        replay.advance(1);
        assert_eq!(replay.ack(2), Ok(()));
        assert_eq!((replay.first(), pending(&replay)), (2, b"bc".to_vec()));
        replay.advance(1);
        assert_eq!((replay.first(), pending(&replay)), (3, b"c".to_vec()));
    }

    #[test]
    fn a_lost_link_sends_the_broken_unit_again() {
        let mut replay = Replay::new();
        unit(&mut replay, b"first");
        unit(&mut replay, b"second");
        replay.advance(7);
        assert_eq!(replay.ack(1), Ok(()));
        replay.unlink();
        assert_eq!(pending(&replay), b"second");
        assert!(replay.at_boundary());
    }

    #[test]
    fn rest_only_stops_at_the_boundary() {
        let mut replay = Replay::new();
        unit(&mut replay, b"abc");
        unit(&mut replay, b"def");
        replay.advance(1);
        let (a, b) = replay.pending(true);
        assert_eq!([a, b].concat(), b"bc");
        replay.advance(2);
        assert_eq!(replay.pending(true), (&b""[..], &b""[..]));
    }

    #[test]
    fn dropping_never_touches_the_unit_on_the_wire_nor_the_newest() {
        let mut replay = Replay::new();
        for text in ["aa", "bb", "cc"] {
            unit(&mut replay, text.as_bytes());
        }
        replay.advance(3);
        assert_eq!(replay.drop_oldest(), Some(Dropped { number: 1, unsent: false }));
        assert_eq!(replay.drop_oldest(), None, "bb is partly out");
        assert_eq!(pending(&replay), b"bcc");
        replay.advance(1);
        assert_eq!(replay.drop_oldest(), Some(Dropped { number: 2, unsent: false }));
        assert_eq!(replay.drop_oldest(), None, "cc is the newest");
    }

    #[test]
    fn idle_ring_owns_nothing() {
        let mut replay = Replay::new();
        for _ in 0..100 {
            unit(&mut replay, &[0; 1000]);
        }
        replay.advance(100_000);
        replay.ack(100).expect("sent");
        assert!(replay.heap() > 100_000);
        replay.release();
        assert_eq!((replay.heap(), replay.charged()), (0, 0));
    }

    #[test]
    fn steady_state_does_not_grow() {
        let mut replay = Replay::new();
        let mut capacity = 0;
        for round in 0..10_000u64 {
            unit(&mut replay, &[0; 66]);
            replay.advance(66);
            if round % 32 == 31 {
                replay.ack(round + 1).expect("sent");
            }
            if round == 64 {
                capacity = replay.heap();
            }
        }
        assert_eq!(replay.heap(), capacity);
    }

    mod model {
        use proptest::prelude::*;

        use super::super::*;

        #[derive(Debug, Clone)]
        enum Op {
            Unit(u8),
            Advance(usize),
            Ack(u64),
            Unlink,
            Drop,
        }

        fn op() -> impl Strategy<Value = Op> {
            prop_oneof![
                3 => (0u8..20).prop_map(Op::Unit),
                3 => (0usize..40).prop_map(Op::Advance),
                2 => (0u64..6).prop_map(Op::Ack),
                1 => Just(Op::Unlink),
                1 => Just(Op::Drop),
            ]
        }

        proptest! {
            /// Against the plainest possible model: a list of (number, bytes) and the bytes a link has carried.
            #[test]
            fn link_carries_units_whole_and_in_order(ops in proptest::collection::vec(op(), 1..200)) {
                let mut replay = Replay::new();
                let mut wire: Vec<u8> = Vec::new(); // this link
                let mut on_link: Vec<Vec<u8>> = Vec::new(); // what must come, in order
                let mut next = 1u64;
                for op in ops {
                    match op {
                        Op::Unit(len) => {
                            let bytes = vec![next as u8; len as usize];
                            replay.append(&bytes);
                            replay.end_unit();
                            on_link.push(bytes);
                            next += 1;
                        }
                        Op::Advance(n) => {
                            let (a, b) = replay.pending(false);
                            let all = [a, b].concat();
                            let n = n.min(all.len());
                            wire.extend(&all[..n]);
                            replay.advance(n);
                        }
                        Op::Ack(ahead) => {
                            let number = replay.first() + ahead;
                            let legal = number <= replay.sent();
                            prop_assert_eq!(replay.ack(number).is_ok(), legal);
                        }
                        Op::Unlink => {
                            replay.unlink();
                            wire.clear();
                            on_link.clear();
                            let mut left = replay.pending(false).0.to_vec();
                            left.extend(replay.pending(false).1);
                            let mut at = 0;
                            for len in &replay.units {
                                on_link.push(left[at..at + *len as usize].to_vec());
                                at += *len as usize;
                            }
                        }
                        Op::Drop => {
                            if replay.drop_oldest().is_some_and(|dropped| dropped.unsent) {
                                // The one at the cursor went: it is missing on the link, and announced.
                                let whole: usize = on_link.iter().scan(0, |sum, unit| {
                                    *sum += unit.len();
                                    Some(*sum)
                                }).take_while(|sum| *sum <= wire.len()).count();
                                let empty_tail = on_link.len() - replay.held() - 1;
                                on_link.remove(whole.min(empty_tail));
                            }
                        }
                    }
                    prop_assert!(replay.last() + 1 == next);
                    let expected: Vec<u8> = on_link.concat();
                    prop_assert!(expected.starts_with(&wire));
                    let (a, b) = replay.pending(false);
                    prop_assert_eq!([&wire[..], a, b].concat(), expected);
                }
            }
        }
    }
}
