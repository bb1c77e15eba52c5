//! The schedule of a worker: which connection should send, and when.

use std::cell::{Cell, RefCell};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::rc::Rc;

use crate::connection::signals::Signals;
use crate::engine::send_times::SendTimes;
use crate::plan::Plan;

/// The connections that send at a rate, ordered by the time of their next message.
#[derive(Debug)]
pub(crate) struct Schedule {
    entries: RefCell<BinaryHeap<Reverse<Due>>>,
    /// The time at which the first connection was put on the schedule.
    first_us: Cell<Option<u64>>,
    /// The time at or after which nothing is due.
    end_us: Cell<u64>,
}

#[derive(Debug)]
struct Due {
    at_us: u64,
    index: u32,
    signals: Rc<Signals>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> Ordering {
        (self.at_us, self.index).cmp(&(other.at_us, other.index))
    }
}

impl Default for Schedule {
    fn default() -> Schedule {
        Schedule { entries: RefCell::default(), first_us: Cell::new(None), end_us: Cell::new(u64::MAX) }
    }
}

impl Schedule {
    /// Puts connection `index` of this worker on the schedule from `now_us` on, with the rate of the plan. The connections are
    /// spread over the interval, so that the load is even.
    pub(crate) fn add(&self, plan: &Plan, index: u32, signals: &Rc<Signals>, now_us: u64) {
        if plan.rate <= 0.0 || signals.send_times().is_some() {
            return;
        }
        let interval_us = 1e6 / plan.rate;
        let all = f64::from(plan.connections.max(1));
        // All workers have about the same number of connections, so this is the worker's number; it is used to place the worker
        // within the gap between two connections.
        let worker = f64::from(plan.first) / all / f64::from(plan.workers.max(1));
        let offset = (interval_us * (f64::from(index) + worker.fract()) / all) as u64;
        // Offsets are relative to the clock, not to the opening of the connection, whose time depends on the target.
        let period = (interval_us.max(1.0) as u64).max(1);
        let position = now_us % period;
        let start_us =
            now_us + if offset >= position { offset - position } else { period + offset - position };
        let times = SendTimes::new(start_us, interval_us);
        signals.set_send_times(times);
        if self.first_us.get().is_none() {
            self.first_us.set(Some(now_us));
        }
        let due = Due { at_us: times.intended_us(0), index, signals: signals.clone() };
        self.entries.borrow_mut().push(Reverse(due));
    }

    /// Sets the time at or after which nothing is due.
    pub(crate) fn end_at(&self, end_us: u64) {
        self.end_us.set(end_us);
    }

    /// Returns when the first connection was put on the schedule.
    pub(crate) fn first_us(&self) -> Option<u64> {
        self.first_us.get()
    }

    /// Returns when the next message is due.
    pub(crate) fn next_due_us(&self) -> Option<u64> {
        self.entries.borrow().peek().map(|Reverse(due)| due.at_us)
    }

    /// Wakes all connections that have a message due. Returns the number of messages that became due.
    pub(crate) fn advance(&self, now_us: u64) -> u64 {
        let end_us = self.end_us.get();
        let mut entries = self.entries.borrow_mut();
        let mut intended = 0;
        while let Some(mut top) = entries.peek_mut() {
            let Reverse(entry) = &mut *top;
            if entry.at_us > now_us {
                break;
            }
            let next = entry.signals.send_times().and_then(|times| {
                let before = entry.signals.due.get();
                let due = times.due_by(now_us.min(end_us.saturating_sub(1))).max(before);
                intended += due - before;
                entry.signals.due.set(due);
                entry.signals.wake();
                let at_us = times.intended_us(due);
                (at_us < end_us).then_some(at_us)
            });
            match next {
                Some(next) => entry.at_us = next,
                None => drop(PeekMut::pop(top)),
            }
        }
        intended
    }
}
