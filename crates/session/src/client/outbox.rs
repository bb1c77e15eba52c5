//! The outbox: messages that the application sent and the gateway has not acked. It is queue and replay buffer in one.
//!
//! ```text
//!   first            cursor           numbered
//!     │ sent on this link │ to be sent again │ never sent (may expire or be dropped) │
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use undrop_frame::Message;

use super::QueuePolicy;
use crate::packet::Close;

/// The memory charged for each message besides its payload.
const UNIT_CHARGE: usize = 64;

/// The error of a full queue, with the rejected message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the queue of messages to be sent is full")]
pub struct QueueFull(pub Message);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UnitContent {
    Data(Message),
    Close(Close),
}

#[derive(Debug, Clone)]
pub(super) struct OutboxUnit {
    pub(super) content: UnitContent,
    receipt: u64,
    expires: Option<Instant>,
}

#[derive(Debug, Clone)]
pub(super) struct Outbox {
    units: VecDeque<OutboxUnit>,
    /// The number of `units[0]`.
    first: u64,
    acked: u64,
    /// Units that were sent at least once.
    numbered: usize,
    /// Units sent on the current link.
    cursor: usize,
    /// Bytes of the units before the cursor.
    in_flight: usize,
    bytes: usize,
    limit: usize,
    policy: QueuePolicy,
    receipts: u64,
    /// A time no later than the first expiry.
    earliest: Option<Instant>,
}

fn cost(unit: &OutboxUnit) -> usize {
    UNIT_CHARGE
        + match &unit.content {
            UnitContent::Data(message) => message.len(),
            UnitContent::Close(close) => close.reason.len(),
        }
}

impl Outbox {
    pub(super) const fn new(limit: usize, policy: QueuePolicy) -> Self {
        Self {
            units: VecDeque::new(),
            first: 1,
            acked: 0,
            numbered: 0,
            cursor: 0,
            in_flight: 0,
            bytes: 0,
            limit,
            policy,
            receipts: 0,
            earliest: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.units.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn acked(&self) -> u64 {
        self.acked
    }

    /// Returns the highest unit that was ever sent.
    pub(super) const fn sent(&self) -> u64 {
        self.first + self.numbered as u64 - 1
    }

    /// Returns the number of units that were sent and not acked.
    pub(super) fn unacked(&self) -> u64 {
        self.sent().saturating_sub(self.acked)
    }

    /// Returns whether at least half of the limit was sent on the link and not acked.
    pub(super) const fn is_half_full(&self) -> bool {
        self.in_flight >= self.limit / 2 && self.cursor > 0
    }

    /// Queues a message. `dropped` gets the receipts of messages that were dropped to make room.
    pub(super) fn push(
        &mut self,
        now: Instant,
        message: Message,
        ttl: Option<Duration>,
        mut dropped: impl FnMut(u64),
    ) -> Result<u64, QueueFull> {
        let needed = UNIT_CHARGE + message.len();
        if self.policy == QueuePolicy::DropOldest {
            while self.bytes + needed > self.limit && self.numbered < self.units.len() {
                if let Some(unit) = self.units.remove(self.numbered) {
                    self.bytes -= cost(&unit);
                    dropped(unit.receipt);
                }
            }
        }
        if self.bytes + needed > self.limit && !self.units.is_empty() {
            return Err(QueueFull(message));
        }
        let expires = ttl.and_then(|ttl| now.checked_add(ttl));
        self.earliest = [self.earliest, expires].into_iter().flatten().min();
        Ok(self.push_unit(UnitContent::Data(message), expires))
    }

    /// Queues the sequenced close, whatever the limit.
    pub(super) fn push_close(&mut self, close: Close) -> u64 {
        self.push_unit(UnitContent::Close(close), None)
    }

    fn push_unit(&mut self, content: UnitContent, expires: Option<Instant>) -> u64 {
        self.receipts += 1;
        let unit = OutboxUnit { content, receipt: self.receipts, expires };
        self.bytes += cost(&unit);
        self.units.push_back(unit);
        self.receipts
    }

    /// Returns the next unit for the link, which counts as sent from now on.
    pub(super) fn next(&mut self) -> Option<&OutboxUnit> {
        // The unit that the previous call lent is back.
        self.trim(0);
        if self.cursor >= self.units.len() {
            return None;
        }
        let at = self.cursor;
        self.cursor += 1;
        self.numbered = self.numbered.max(self.cursor);
        self.in_flight += cost(&self.units[at]);
        // The unit that is lent now remains.
        let freed = self.trim(1);
        self.units.get(at - freed.min(at))
    }

    /// Removes and returns the next unit (plain mode, where nothing is acked).
    pub(super) fn take(&mut self) -> Option<(UnitContent, u64)> {
        let unit = self.units.pop_front()?;
        self.bytes -= cost(&unit);
        self.numbered = self.numbered.saturating_sub(1);
        self.cursor = 0;
        Some((unit.content, unit.receipt))
    }

    /// Handles an ack: the peer consumed every unit up to `number`. `acked` gets the receipts.
    ///
    /// # Errors
    /// `number` was never sent; returns the highest unit that was.
    pub(super) fn ack(&mut self, number: u64, mut acked: impl FnMut(u64)) -> Result<(), u64> {
        if number > self.sent() {
            return Err(self.sent());
        }
        while self.acked < number {
            self.acked += 1;
            let at = self.acked.checked_sub(self.first);
            if let Some(unit) = at.and_then(|at| self.units.get(at as usize)) {
                acked(unit.receipt);
            }
        }
        self.trim(0);
        Ok(())
    }

    /// Frees units that are acked and counted on this link, except the last `keep` of them.
    fn trim(&mut self, keep: usize) -> usize {
        let mut count = 0;
        while self.first <= self.acked && self.cursor > keep {
            self.drop_first();
            count += 1;
        }
        count
    }

    fn drop_first(&mut self) {
        if let Some(unit) = self.units.pop_front() {
            let cost = cost(&unit);
            self.bytes -= cost;
            self.first += 1;
            self.numbered -= 1;
            if self.cursor > 0 {
                self.cursor -= 1;
                self.in_flight -= cost;
            }
        }
    }

    /// Prepares for another link, which starts after the newest ack.
    pub(super) fn unlink(&mut self) {
        self.cursor = 0;
        self.in_flight = 0;
        while self.first <= self.acked && self.numbered > 0 {
            self.drop_first();
        }
    }

    /// Gives all remaining units new numbers for a new session. Returns the number of units that had been sent before.
    pub(super) fn renumber(&mut self) -> u64 {
        self.unlink();
        let resent = self.numbered as u64;
        self.first = 1;
        self.acked = 0;
        self.numbered = 0;
        resent
    }

    /// Returns when [`expire`](Self::expire) must be called.
    pub(super) const fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    /// Removes messages that were never sent and whose time to live is over. `expired` gets their receipts.
    pub(super) fn expire(&mut self, now: Instant, mut expired: impl FnMut(u64)) {
        let mut at = self.numbered;
        self.earliest = None;
        while let Some(unit) = self.units.get(at) {
            match unit.expires {
                Some(expires) if expires <= now => {
                    self.bytes -= cost(unit);
                    expired(unit.receipt);
                    self.units.remove(at);
                }
                expires => {
                    self.earliest = [self.earliest, expires].into_iter().flatten().min();
                    at += 1;
                }
            }
        }
    }

    /// Returns every unit that is not acked, oldest first.
    pub(super) fn unacked_units(&self) -> impl Iterator<Item = &UnitContent> {
        let acked = (self.acked + 1).saturating_sub(self.first) as usize;
        self.units.iter().skip(acked).map(|unit| &unit.content)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    fn outbox(limit: usize, policy: QueuePolicy) -> (Instant, Outbox) {
        (Instant::now(), Outbox::new(limit, policy))
    }

    fn texts(outbox: &mut Outbox) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some(unit) = outbox.next() {
            let UnitContent::Data(Message::Text(text)) = &unit.content else { panic!("only texts here") };
            seen.push(text.clone());
        }
        seen
    }

    fn push(outbox: &mut Outbox, now: Instant, text: &str) -> u64 {
        outbox.push(now, text.into(), None, |_| ()).expect("room")
    }

    #[test]
    fn acked_units_go_and_the_rest_is_sent_again() {
        let (now, mut o) = outbox(1 << 20, QueuePolicy::Refuse);
        let receipts: Vec<u64> = ["a", "b", "c"].iter().map(|text| push(&mut o, now, text)).collect();
        assert_eq!(texts(&mut o), ["a", "b", "c"]);
        assert_eq!(o.ack(4, |_| ()), Err(3));
        let mut seen = Vec::new();
        o.ack(2, |receipt| seen.push(receipt)).expect("sent");
        assert_eq!(seen, receipts[..2]);
        o.unlink();
        assert_eq!((o.first, o.unacked()), (3, 1));
        assert_eq!(texts(&mut o), ["c"]);
    }

    #[test]
    fn ack_ahead_of_the_cursor_still_sends_what_the_link_counts() {
        let (now, mut o) = outbox(1 << 20, QueuePolicy::Refuse);
        for text in ["a", "b", "c"] {
            push(&mut o, now, text);
        }
        texts(&mut o);
        o.unlink();
        o.ack(2, |_| ()).expect("sent");
        assert_eq!(texts(&mut o), ["a", "b", "c"]);
        assert_eq!(o.first, 3);
    }

    #[test]
    fn full_queue_refuses_but_admits_one_of_any_size() {
        let (now, mut o) = outbox(100, QueuePolicy::Refuse);
        let big = Message::Binary(vec![0; 1000]);
        let receipt = o.push(now, big.clone(), None, |_| ()).expect("empty");
        assert_eq!(o.push(now, big.clone(), None, |_| ()), Err(QueueFull(big)));
        o.next();
        let mut seen = 0;
        o.ack(1, |r| seen = r).expect("sent");
        assert_eq!(seen, receipt);
    }

    #[test]
    fn drop_oldest_spares_what_was_sent() {
        let (now, mut o) = outbox(3 * (UNIT_CHARGE + 1), QueuePolicy::DropOldest);
        push(&mut o, now, "a");
        texts(&mut o);
        push(&mut o, now, "b");
        push(&mut o, now, "c");
        let mut dropped = Vec::new();
        o.push(now, "d".into(), None, |r| dropped.push(r)).expect("room made");
        assert_eq!(dropped, [2]);
        assert_eq!(texts(&mut o), ["c", "d"]);
    }

    #[test]
    fn only_unsent_messages_expire() {
        let (now, mut o) = outbox(1 << 20, QueuePolicy::Refuse);
        let ttl = Some(Duration::from_secs(1));
        o.push(now, "sent".into(), ttl, |_| ()).expect("room");
        texts(&mut o);
        let late = o.push(now, "late".into(), ttl, |_| ()).expect("room");
        push(&mut o, now, "stays");
        assert_eq!(o.earliest(), Some(now + Duration::from_secs(1)));
        let mut expired = Vec::new();
        o.expire(now + Duration::from_secs(1), |r| expired.push(r));
        assert_eq!(expired, [late]);
        assert_eq!(o.earliest(), None);
        assert_eq!(texts(&mut o), ["stays"]);
    }

    #[test]
    fn a_new_session_numbers_from_one() {
        let (now, mut o) = outbox(1 << 20, QueuePolicy::Refuse);
        for text in ["a", "b", "c"] {
            push(&mut o, now, text);
        }
        texts(&mut o);
        push(&mut o, now, "d");
        o.ack(1, |_| ()).expect("sent");
        assert_eq!(o.renumber(), 2);
        assert_eq!((o.first, o.sent()), (1, 0));
        assert_eq!(texts(&mut o), ["b", "c", "d"]);
    }
}
