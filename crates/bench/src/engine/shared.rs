//! What the connections of one worker share. They all run on one thread.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::task::Waker;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::metrics::histogram::Times;
use crate::metrics::tally::{Phase, Snapshot, Tally};
use crate::plan::Plan;

/// One beat of the schedule, microseconds: messages are scheduled on a grid of milliseconds.
pub(crate) const BEAT: u64 = 1000;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    pub(crate) clock: Clock,
    /// Number of the run, in every stamp.
    pub(crate) run: u16,
    pub(crate) tally: RefCell<Tally>,
    /// Latency since the last snapshot.
    pub(crate) recent: RefCell<Times>,
    pub(crate) phase: Cell<Phase>,
    /// When the first message was to be sent.
    pub(crate) first_us: Cell<Option<u64>>,
    /// When anything last came, on any connection.
    pub(crate) heard_us: Cell<u64>,
    /// A message of a sink came.
    pub(crate) sink: Cell<bool>,
    /// No message is intended at this time of the run or later.
    pub(crate) end_us: Cell<u64>,
    pub(crate) alive: Cell<u64>,
    pub(crate) opening: Cell<u64>,
    /// Connections whose first attempt is over, one way or the other.
    pub(crate) tried: Cell<u64>,
    /// Connections that still have work to do before all is over.
    pub(crate) busy: Cell<u64>,
    pub(crate) storm: Storm,
    /// One of the counters above changed.
    pub(crate) news: Notify,
    pub(crate) slots: RefCell<Vec<Rc<Slot>>>,
    due: RefCell<BinaryHeap<Reverse<(u64, u32)>>>,
    /// Messages are composed here.
    pub(crate) scratch: RefCell<Vec<u8>>,
    pub(crate) random: RefCell<fastrand::Rng>,
}

/// How far a storm is.
#[derive(Debug, Default)]
pub(crate) struct Storm {
    /// When the first link was lost, or all were cut.
    pub(crate) began_us: Cell<Option<u64>>,
    /// Links lost so far: first losses only.
    pub(crate) lost: Cell<u64>,
    /// Of those, how many are back.
    pub(crate) back: Cell<u64>,
    /// Of those, how many have given up.
    pub(crate) gone: Cell<u64>,
}

/// What the worker and one connection tell each other.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    waker: RefCell<Option<Waker>>,
    schedule: Cell<Option<Schedule>>,
    /// Messages that the schedule has asked for so far.
    pub(crate) asked: Cell<u64>,
    /// Ping when you can.
    pub(crate) ping: Cell<bool>,
    /// When the next Ping is due; 0: not decided yet.
    ping_us: Cell<u64>,
    /// Drop the link without a word.
    pub(crate) cut: Cell<bool>,
    /// Owes an answer, so silence means something.
    pub(crate) owes: Cell<bool>,
    /// When something was last received.
    pub(crate) heard_us: Cell<u64>,
    /// Silence was too long.
    pub(crate) condemned: Cell<bool>,
}

/// When a connection sends: at `start`, then every `interval`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    start_us: u64,
    interval_us: f64,
}

impl Schedule {
    /// When message `k` (from 0) is intended, on the grid.
    pub(crate) fn intended_us(&self, k: u64) -> u64 {
        let exact = self.start_us + (self.interval_us * k as f64) as u64;
        exact.div_ceil(BEAT) * BEAT
    }
}

impl Schedule {
    /// How many messages are intended at this time or earlier.
    fn asked_by(&self, now: u64) -> u64 {
        let beat = now / BEAT * BEAT;
        let Some(since) = beat.checked_sub(self.start_us) else { return 0 };
        let mut asked = (since as f64 / self.interval_us.max(1e-3)) as u64 + 1;
        // Fractions may be off by one, either way.
        while asked > 0 && self.intended_us(asked - 1) > now {
            asked -= 1;
        }
        while self.intended_us(asked) <= now {
            asked += 1;
        }
        asked
    }
}

impl Slot {
    /// To be called by the connection in each poll.
    pub(crate) fn wait(&self, waker: &Waker) {
        let mut held = self.waker.borrow_mut();
        if !held.as_ref().is_some_and(|held| held.will_wake(waker)) {
            *held = Some(waker.clone());
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn schedule(&self) -> Option<Schedule> {
        self.schedule.get()
    }

    /// The connection is over for good: the schedule asks no more of it.
    pub(crate) fn retire(&self) {
        self.schedule.set(None);
        self.owes.set(false);
        *self.waker.borrow_mut() = None;
    }
}

impl Shared {
    pub(crate) fn new(plan: Plan) -> Shared {
        let clock = Clock::new(plan.epoch_us);
        let seed = plan.seed ^ u64::from(plan.first).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let tally = Tally { asked: u64::from(plan.connections), ..Tally::default() };
        Shared {
            run: (plan.seed ^ plan.epoch_us) as u16,
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
            plan,
            clock,
            tally: RefCell::new(tally),
            recent: RefCell::default(),
            phase: Cell::new(Phase::Opening),
            first_us: Cell::new(None),
            heard_us: Cell::new(0),
            sink: Cell::new(false),
            end_us: Cell::new(u64::MAX),
            alive: Cell::new(0),
            opening: Cell::new(0),
            tried: Cell::new(0),
            busy: Cell::new(0),
            storm: Storm::default(),
            news: Notify::new(),
            slots: RefCell::default(),
            due: RefCell::default(),
            scratch: RefCell::default(),
        }
    }

    /// Changes a counter and tells the worker.
    pub(crate) fn count(&self, counter: &Cell<u64>, by: i64) {
        counter.set(counter.get().saturating_add_signed(by));
        self.news.notify_one();
    }

    /// Puts a connection on the schedule from now on. Connections are spread over the interval, so that the load is even.
    pub(crate) fn start(&self, index: u32, rate: f64) {
        if rate <= 0.0 {
            return;
        }
        let slots = self.slots.borrow();
        let Some(slot) = slots.get(index as usize) else { return };
        if slot.schedule.get().is_some() {
            return;
        }
        let interval_us = 1e6 / rate;
        let all = f64::from(self.plan.connections.max(1));
        // Workers have about as many connections each, so this is the worker's number: its share of the gap to the next one.
        let worker = f64::from(self.plan.first) / all / f64::from(self.plan.workers.max(1));
        let phase = (interval_us * (f64::from(index) + worker.fract()) / all) as u64;
        // Phases are relative to the clock, not to the opening, which came when the target had time for it.
        let now = self.clock.now_us();
        let lap = interval_us.max(1.0) as u64;
        let into = now % lap.max(1);
        let start_us = now + if phase >= into { phase - into } else { lap + phase - into };
        let schedule = Schedule { start_us, interval_us };
        slot.schedule.set(Some(schedule));
        if self.first_us.get().is_none() {
            self.first_us.set(Some(now));
        }
        self.due.borrow_mut().push(Reverse((schedule.intended_us(0), index)));
    }

    /// When the schedule next asks for something.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.due.borrow().peek().map(|Reverse((at, _))| *at)
    }

    /// Asks all connections for what is due.
    pub(crate) fn ask_due(&self) {
        let now = self.clock.now_us();
        let end = self.end_us.get();
        let mut due = self.due.borrow_mut();
        let slots = self.slots.borrow();
        let mut intended = 0;
        while let Some(mut top) = due.peek_mut() {
            let Reverse((at, index)) = *top;
            if at > now {
                break;
            }
            let next = slots.get(index as usize).and_then(|slot| {
                let schedule = slot.schedule.get()?;
                let before = slot.asked.get();
                let asked = schedule.asked_by(now.min(end.saturating_sub(1))).max(before);
                intended += asked - before;
                slot.asked.set(asked);
                let at = schedule.intended_us(asked);
                slot.wake();
                (at < end).then_some(at)
            });
            match next {
                Some(next) => *top = Reverse((next, index)),
                None => drop(std::collections::binary_heap::PeekMut::pop(top)),
            }
        }
        if intended > 0 {
            let mut tally = self.tally.borrow_mut();
            tally.intended += intended;
            tally.timeline.at(now as f64 / 1e6).intended += intended;
        }
    }

    /// Adds a connection that comes while others go, and forgets those that have gone.
    pub(crate) fn add(&self, slot: Rc<Slot>) {
        let mut slots = self.slots.borrow_mut();
        if slots.len() as u64 > 2 * self.busy.get() + 64 {
            slots.retain(|slot| Rc::strong_count(slot) > 1);
        }
        slots.push(slot);
    }

    pub(crate) fn wake_all(&self) {
        self.slots.borrow().iter().for_each(|slot| slot.wake());
    }

    /// Looks for connections that owe an answer and have been silent for too long.
    pub(crate) fn condemn(&self) {
        let now = self.clock.now_us();
        let limit = u64::try_from(self.plan.dead_after.as_micros()).unwrap_or(u64::MAX);
        for slot in self.slots.borrow().iter() {
            if slot.owes.get() && now.saturating_sub(slot.heard_us.get()) > limit {
                slot.condemned.set(true);
                slot.wake();
            }
        }
    }

    /// Asks connections for the Pings that are due; each has its own place in the interval.
    pub(crate) fn ask_for_pings(&self) {
        let Some(every) = self.plan.ping else { return };
        let every = u64::try_from(every.as_micros()).unwrap_or(u64::MAX).max(1);
        let now = self.clock.now_us();
        let slots = self.slots.borrow();
        for (index, slot) in slots.iter().enumerate() {
            let due = slot.ping_us.get();
            if due == 0 {
                slot.ping_us.set(now + every * (index as u64 + 1) / slots.len() as u64);
            } else if due <= now {
                slot.ping_us.set(due + every);
                slot.ping.set(true);
                slot.wake();
            }
        }
    }

    /// What the run looks like now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let tally = self.tally.borrow();
        let mut endings = std::collections::BTreeMap::new();
        for record in &tally.endings {
            *endings.entry(record.ending.clone()).or_default() += 1;
        }
        Snapshot {
            at_s: self.clock.now_s(),
            phase: self.phase.get(),
            asked: tally.asked,
            alive: self.alive.get(),
            opening: self.opening.get(),
            failed: tally.failed_count(),
            endings,
            failures: tally.failures.iter().map(|(key, failures)| (key.clone(), failures.count)).collect(),
            intended: tally.intended,
            sent: tally.sent,
            received: tally.received,
            bytes_received: tally.bytes_received,
            bytes_sent: tally.bytes_sent,
            resumes: tally.resumes,
            recent: std::mem::take(&mut *self.recent.borrow_mut()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_asks_for_every_message_once_at_any_rate() {
        for (start_us, interval_us) in
            [(0, 100_000.0), (12_345, 1000.0), (999, 333.3), (5, 1.0), (7, 0.2), (3, 1e9 / 7.0)]
        {
            let schedule = Schedule { start_us, interval_us };
            for now in [0, 1, 999, 1000, 12_345, 13_000, 1_000_000, 60_000_000] {
                let asked = schedule.asked_by(now);
                assert!(
                    asked == 0 || schedule.intended_us(asked - 1) <= now,
                    "{schedule:?} at {now}: {asked}"
                );
                assert!(schedule.intended_us(asked) > now, "{schedule:?} at {now}: {asked}");
            }
        }
    }
}
