//! The receiving side of one direction: the number of the next unit, the consumed units, and the time of the next ack.
//!
//! Three numbers describe it, `acked ≤ consumed ≤ received`: units are *received* once, *consumed* in order (their
//! consumer accepted them), and then *acked*. Received units that are not consumed yet outlive the link;
//! the peer sends them again on the next one, and they are dropped here by their numbers.

use std::time::{Duration, Instant};

use crate::mutate::BrokenRule;

/// The number of consumed units after which an ack is due.
const ACK_UNITS: u32 = 32;
/// The number of bytes after which an ack is due, unless a quarter of the peer's window is less.
const ACK_BYTES: usize = 64 * 1024;

/// Whether a received unit is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitStatus {
    /// The unit is new: deliver it to the consumer.
    Deliver,
    /// The unit was received before, on an earlier link: drop it.
    Duplicate,
}

/// The counters of the receiving side; see the module documentation. A unit costs no memory.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    received: u64,
    consumed: u64,
    acked: u64,
    /// Number of the next unit on the current link.
    next: u64,
    /// Bytes received since the last ack.
    bytes: u32,
    /// Bytes that make an ack due.
    threshold: u32,
    /// Delay of the ack timer, milliseconds (one per session and in memory for its life, so it is kept small).
    delay: u32,
    /// The deadline of the ack timer, which never recurs by itself.
    deadline: Option<Instant>,
    /// The delay is over, or the peer requested an ack: the next consumed unit is acked at once.
    overdue: bool,
    /// A rule that the simulator breaks.
    broken: Option<BrokenRule>,
}

impl Delivery {
    /// Creates the state of a new session. `window`: the number of bytes that the peer may have unacked.
    pub(crate) fn new(window: usize, delay: Duration) -> Self {
        Self {
            received: 0,
            consumed: 0,
            acked: 0,
            next: 1,
            bytes: 0,
            threshold: ACK_BYTES.min(window / 4).max(1) as u32,
            delay: u32::try_from(delay.as_millis()).unwrap_or(u32::MAX),
            deadline: None,
            overdue: false,
            broken: None,
        }
    }

    /// Resets the numbers for another session.
    pub(crate) fn restart(&mut self, window: usize) {
        *self = Self { broken: self.broken, ..Self::new(window, self.delay()) };
    }

    pub(crate) fn break_rule(&mut self, rule: BrokenRule) {
        self.broken = Some(rule);
    }

    #[inline]
    pub(crate) fn breaks(&self, rule: BrokenRule) -> bool {
        self.broken == Some(rule)
    }

    /// Returns the number of the next unit on the current link.
    pub(crate) const fn next_number(&self) -> u64 {
        self.next
    }

    /// Skips to unit `number` on this link; the units before it will not arrive.
    pub(crate) fn jump(&mut self, number: u64) {
        self.next = self.next.max(number);
    }

    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    pub(crate) const fn consumed(&self) -> u64 {
        self.consumed
    }

    pub(crate) const fn unconsumed(&self) -> u64 {
        self.received - self.consumed
    }

    /// Returns whether the next unit of the link was received before.
    pub(crate) const fn next_is_known(&self) -> bool {
        self.next <= self.received
    }

    /// Starts a link whose first unit has the number `start`. Its first packet states the consumed units, which is an ack.
    pub(crate) fn link(&mut self, now: Instant, start: u64) {
        self.next = start;
        self.stated(now);
    }

    /// Ends the link: without one no ack can be sent.
    pub(crate) fn unlink(&mut self) {
        self.deadline = None;
    }

    /// Counts a unit that arrived, and returns whether it is new.
    #[inline]
    pub(crate) fn on_unit(&mut self, now: Instant, len: usize) -> UnitStatus {
        let number = self.next;
        if self.breaks(BrokenRule::NoDedupe) {
            self.next = number + 1;
            self.received = self.received.max(self.consumed) + 1;
            self.bytes = self.bytes.saturating_add(len as u32);
            return UnitStatus::Deliver;
        }
        if number <= self.received {
            if !self.breaks(BrokenRule::SkipCount) {
                self.next = number + 1;
            }
            return UnitStatus::Duplicate;
        }
        self.next = number + 1;
        self.received = number;
        self.bytes = self.bytes.saturating_add(len as u32);
        if self.deadline.is_none() && !self.overdue {
            self.deadline = Some(now + self.delay());
        }
        UnitStatus::Deliver
    }

    /// Skips the units before `start`, which the peer will never send (explicit loss): they count as consumed once
    /// everything before them was. Returns the range that is missing here.
    pub(crate) fn skip(&mut self, start: u64) -> Option<(u64, u64)> {
        let from = self.received + 1;
        if start <= from {
            return None;
        }
        self.received = start - 1;
        Some((from, start - 1))
    }

    /// Counts `units` more consumed units. Returns whether an ack is due now.
    #[inline]
    pub(crate) fn consume(&mut self, units: u64) -> bool {
        debug_assert!(units <= self.unconsumed());
        self.consumed = (self.consumed + units).min(self.received);
        let since = self.consumed - self.acked.min(self.consumed);
        since >= u64::from(ACK_UNITS) || self.bytes >= self.threshold || (self.overdue && since > 0)
    }

    /// Returns the number that an ack, an `R` or a hello states now.
    #[inline]
    pub(crate) fn statement(&self) -> u64 {
        if self.breaks(BrokenRule::AckOnReceipt) { self.received } else { self.consumed }
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(u64::from(self.delay))
    }

    /// Records that the statement was made: all consumed units are acked. A new deadline starts for units that wait for their
    /// consumer.
    pub(crate) fn stated(&mut self, now: Instant) {
        let counted = self.received - self.acked.min(self.received);
        let waiting = self.unconsumed();
        // The exact number of waiting bytes is not known without a list; the average is close enough for the threshold.
        self.bytes = if waiting == 0 || counted == 0 {
            0
        } else {
            u64::from(self.bytes).saturating_mul(waiting.min(counted)).checked_div(counted).unwrap_or(0)
                as u32
        };
        self.acked = self.consumed;
        self.overdue = false;
        self.deadline = (waiting > 0).then(|| now + self.delay());
    }

    /// Records that the peer requested an ack and got one: the next consumed unit is acked at once, too.
    pub(crate) fn hurry(&mut self) {
        if self.unconsumed() > 0 {
            self.overdue = true;
            self.deadline = None;
        }
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) must be called.
    #[inline]
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Handles the end of the delay. Returns whether an ack is due now; if not, the next consumed unit makes one due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.deadline.is_none_or(|at| at > now) {
            return false;
        }
        self.deadline = None;
        if self.consumed > self.acked {
            return true;
        }
        self.overdue = self.unconsumed() > 0;
        false
    }

    /// Forgets the units that waited for their consumer, which is gone: the peer sends them again on the next link.
    pub(crate) fn forget_unconsumed(&mut self) {
        self.received = self.consumed;
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(200);

    #[allow(clippy::disallowed_methods)]
    fn setup() -> (Instant, Delivery) {
        (Instant::now(), Delivery::new(1 << 20, DELAY))
    }

    fn receive(d: &mut Delivery, now: Instant, units: usize, len: usize) {
        for _ in 0..units {
            assert_eq!(d.on_unit(now, len), UnitStatus::Deliver);
        }
    }

    #[test]
    fn acked_after_32_units_consumed_not_received() {
        let (now, mut d) = setup();
        receive(&mut d, now, 40, 10);
        assert!(!d.consume(31));
        assert!(d.consume(1));
        d.stated(now);
        assert!(!d.consume(8));
    }

    #[test]
    fn acked_after_bytes_or_a_quarter_of_the_window() {
        let (now, mut d) = setup();
        receive(&mut d, now, 1, 65_535);
        assert!(!d.consume(1));
        receive(&mut d, now, 1, 1);
        assert!(d.consume(1));
        let mut small = Delivery::new(1000, DELAY);
        receive(&mut small, now, 1, 249);
        assert!(!small.consume(1));
        receive(&mut small, now, 1, 1);
        assert!(small.consume(1));
    }

    #[test]
    fn delay_is_armed_by_receipt_and_does_not_recur() {
        let (now, mut d) = setup();
        assert_eq!(d.deadline(), None);
        receive(&mut d, now, 1, 1);
        assert_eq!(d.deadline(), Some(now + DELAY));
        receive(&mut d, now + DELAY / 2, 1, 1);
        assert_eq!(d.deadline(), Some(now + DELAY), "the first un-acked unit counts");
        assert!(!d.consume(1));
        assert!(!d.handle_timeout(now));
        assert!(d.handle_timeout(now + DELAY));
        d.stated(now + DELAY);
        assert_eq!(d.deadline(), Some(now + DELAY * 2), "one unit still waits for its consumer");
        assert!(!d.handle_timeout(now + DELAY * 2));
        assert_eq!(d.deadline(), None, "nothing to say, so no timer");
        assert!(d.consume(1), "overdue: acked as soon as it is taken");
        d.stated(now + DELAY * 3);
        assert_eq!(d.deadline(), None);
    }

    #[test]
    fn duplicates_are_counted_and_dropped() {
        let (now, mut d) = setup();
        receive(&mut d, now, 5, 1);
        d.consume(2);
        d.link(now, 3);
        for _ in 3..=5 {
            assert_eq!(d.on_unit(now, 1), UnitStatus::Duplicate);
        }
        assert_eq!(d.on_unit(now, 1), UnitStatus::Deliver);
        assert_eq!((d.received(), d.consumed(), d.unconsumed()), (6, 2, 4));
    }

    #[test]
    fn forgotten_units_come_again() {
        let (now, mut d) = setup();
        receive(&mut d, now, 5, 1);
        d.consume(2);
        d.unlink();
        d.forget_unconsumed();
        d.link(now, 3);
        receive(&mut d, now, 3, 1);
        assert_eq!(d.received(), 5);
    }

    #[test]
    fn explicit_loss_moves_the_numbers() {
        let (now, mut d) = setup();
        receive(&mut d, now, 2, 1);
        assert_eq!(d.skip(3), None);
        d.link(now, 6);
        assert_eq!(d.skip(6), Some((3, 5)));
        receive(&mut d, now, 1, 1);
        assert_eq!(d.received(), 6);
    }
}
