//! One direction of a connection.

use std::collections::VecDeque;
use std::time::Instant;

use fastrand::Rng;

use crate::effect::{Effect, Gate, Push, Verdict};
use crate::latency::in_order;
use crate::{
    Bandwidth, BlackHole, Cut, CutAfter, Flapping, Hold, IdleCut, Latency, SilentDrop, Slices, SlowClose,
};

/// What is wrong with a link. The default is a perfect one: no delay, no loss, no end.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Time under way.
    pub latency: Option<Latency>,
    /// Speed limit.
    pub bandwidth: Option<Bandwidth>,
    /// Small deliveries.
    pub slices: Option<Slices>,
    /// A path that comes and goes.
    pub flapping: Option<Flapping>,
    /// A path that stands still.
    pub hold: Option<Hold>,
    /// Ends that take their time.
    pub slow_close: Option<SlowClose>,
    /// A path that stops without a word.
    pub black_hole: Option<BlackHole>,
    /// End of the connection after an age, a number of bytes, or inside a frame.
    pub cut: Option<CutAfter>,
    /// End of the connection when nobody sends.
    pub idle_cut: Option<IdleCut>,
    /// Forgotten flow: RST for whoever sends after a silence.
    pub silent_drop: Option<SilentDrop>,
    /// Bytes the link holds before [`Link::push`] takes no more (socket buffers and the path together).
    pub buffer: usize,
}

impl Default for Fault {
    fn default() -> Self {
        Fault {
            latency: None,
            bandwidth: None,
            slices: None,
            flapping: None,
            hold: None,
            slow_close: None,
            black_hole: None,
            cut: None,
            idle_cut: None,
            silent_drop: None,
            buffer: 1 << 20,
        }
    }
}

impl Fault {
    /// In the order in which a piece of data meets them: what the middle refuses never queues, and a path that is down
    /// is met with the final time of arrival.
    fn effects(&self, now: Instant, opening: bool) -> Vec<Slot> {
        let latency = |fault: Latency| {
            let effect: Box<dyn Effect> = if opening { Box::new(fault) } else { fault.later() };
            effect
        };
        let effects = [
            self.silent_drop.map(|fault| fault.effect(now)),
            self.cut.map(|fault| fault.effect(now)),
            self.idle_cut.map(|fault| fault.effect(now)),
            self.bandwidth.map(Bandwidth::effect),
            self.latency.map(latency),
            self.flapping.map(|fault| fault.effect(now)),
            self.black_hole.map(|fault| fault.effect(now)),
            self.hold.map(|fault| fault.effect(now)),
            self.slow_close.map(|fault| Box::new(fault) as Box<dyn Effect>),
            self.slices.map(|fault| Box::new(fault) as Box<dyn Effect>),
        ];
        let slot = |(rank, effect): (usize, Option<Box<dyn Effect>>)| {
            effect.map(|effect| Slot { rank, effect, added: None })
        };
        effects.into_iter().enumerate().filter_map(slot).collect()
    }
}

/// An effect in its place.
#[derive(Debug)]
struct Slot {
    /// Its place among the others.
    rank: usize,
    effect: Box<dyn Effect>,
    /// For one that came after the opening: whose it is, and what it draws from.
    added: Option<(u64, Rng)>,
}

/// What arrives at the receiving end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Some bytes of the stream, never empty.
    Bytes(Vec<u8>),
    /// The stream ended in order. Last delivery.
    Fin,
    /// The stream was reset. Last delivery.
    Rst,
}

/// What a link did that its opposite direction must hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The whole connection was cut, so the opposite link ends the same way.
    Cut(Cut),
    /// The sender's last push was answered with a RST.
    Rejected,
}

#[derive(Debug)]
struct Segment {
    due: Instant,
    item: Item,
}

#[derive(Debug)]
enum Item {
    Bytes { bytes: Vec<u8>, taken: usize },
    End(Delivery),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// An end is queued behind the data, or was delivered. Further bytes are discarded.
    Ending,
    /// Nothing arrives any more and the sender is not told: its buffer fills.
    Silent,
}

/// One direction of a connection under a [`Fault`]. Memory is bounded by [`Fault::buffer`].
#[derive(Debug)]
pub struct Link {
    rng: Rng,
    latency: Latency,
    effects: Vec<Slot>,
    queue: VecDeque<Segment>,
    /// Bytes in `queue`, plus those that a silent link swallowed.
    held: usize,
    buffer: usize,
    last_due: Option<Instant>,
    /// The latest time that was told.
    seen: Option<Instant>,
    state: State,
    news: Option<News>,
}

impl Link {
    /// A link opened at `now`. Everything random about it follows from `seed`.
    pub fn new(now: Instant, fault: Fault, seed: u64) -> Link {
        Link {
            rng: Rng::with_seed(seed),
            latency: fault.latency.unwrap_or_default(),
            effects: fault.effects(now, true),
            queue: VecDeque::new(),
            held: 0,
            buffer: fault.buffer,
            last_due: None,
            seen: None,
            state: State::Open,
            news: None,
        }
    }

    /// Puts more faults on the link, from `now` on: ages and silences count from here. `tag` names them for
    /// [`Link::remove`]; what they draw follows from `seed` alone. [`Fault::buffer`] is not looked at.
    pub fn add(&mut self, now: Instant, tag: u64, fault: &Fault, seed: u64) {
        self.expire(now);
        let slots = fault.effects(now, false);
        self.effects.extend(slots.into_iter().map(|mut slot| {
            slot.added = Some((tag, Rng::with_seed(seed ^ slot.rank as u64)));
            slot
        }));
        self.effects.sort_by_key(|slot| slot.rank);
    }

    /// Takes away the faults that were added under `tag`. What a [`Hold`] kept back arrives; a delay that was drawn
    /// already stays.
    pub fn remove(&mut self, now: Instant, tag: u64) {
        self.expire(now);
        self.effects.retain(|slot| slot.added.as_ref().is_none_or(|(own, _)| *own != tag));
    }

    /// The sender writes `bytes`. Returns how many were taken, fewer when the link is full; the caller keeps the rest.
    /// A link that was reset takes everything and delivers nothing, as the sender cannot know yet.
    pub fn push(&mut self, now: Instant, bytes: &[u8]) -> usize {
        self.expire(now);
        let room = self.buffer.saturating_sub(self.held);
        let taken = bytes.len().min(room);
        match self.state {
            State::Ending => return bytes.len(),
            State::Silent => {
                self.held += taken;
                return taken;
            }
            State::Open => {}
        }
        let segment = self.effects.iter().map(|slot| slot.effect.segment()).min().unwrap_or(usize::MAX);
        let mut offset = 0;
        while offset < taken && self.state == State::Open {
            let piece = &bytes[offset..taken.min(offset.saturating_add(segment))];
            self.enter(now, piece, offset);
            offset += piece.len();
        }
        taken
    }

    /// The sender ends its direction: in order behind all data, by reset, or by vanishing.
    pub fn finish(&mut self, now: Instant, how: Cut) {
        self.expire(now);
        self.cut(now, how);
    }

    /// Ends the stream right behind what was pushed: nothing of it is lost.
    pub fn cut_behind(&mut self, now: Instant, how: Cut) {
        self.expire(now);
        if self.state == State::Open {
            self.end(now, how);
        }
    }

    /// Tells the link that its opposite direction carried something, for the faults that watch for silence.
    pub fn opposite_activity(&mut self, now: Instant) {
        self.expire(now);
        for slot in &mut self.effects {
            slot.effect.activity(now);
        }
    }

    /// What has arrived at `now`, oldest first; call until `None`.
    pub fn poll_deliver(&mut self, now: Instant) -> Option<Delivery> {
        self.expire(now);
        match self.gate(now) {
            Gate::Open => {}
            Gate::Shut { ends_pass: true, .. } if self.ends_by(now) => {
                let lost: usize = self.queue.drain(..self.queue.len() - 1).map(|segment| segment.len()).sum();
                self.held -= lost;
            }
            Gate::Shut { .. } => return None,
        }
        let front = self.queue.front_mut()?;
        if front.due > now {
            return None;
        }
        match &mut front.item {
            Item::End(end) => {
                let end = end.clone();
                self.queue.pop_front();
                Some(end)
            }
            Item::Bytes { bytes, taken } => {
                let left = bytes.len() - *taken;
                let (mut size, mut gap) = (left, std::time::Duration::ZERO);
                for slot in &mut self.effects {
                    let rng = slot.added.as_mut().map_or(&mut self.rng, |(_, rng)| rng);
                    let (limit, wait) = slot.effect.release(left, rng);
                    size = size.min(limit);
                    gap = gap.max(wait);
                }
                let piece = bytes[*taken..*taken + size].to_vec();
                *taken += size;
                self.held -= size;
                let next = front.due.max(now) + gap;
                if size == left {
                    self.queue.pop_front();
                } else {
                    front.due = next;
                }
                Some(Delivery::Bytes(piece))
            }
        }
    }

    /// When to call [`Link::poll_deliver`] next; may lie in the past. `None`: not before something is pushed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let mut delivery = self.queue.front().map(|segment| segment.due);
        // At most as many gates as effects shut one behind the other.
        for _ in 0..self.effects.len() {
            let Some(due) = delivery else { break };
            // What was due before a gate was shut, and not fetched, waits behind it.
            let due = self.seen.map_or(due, |seen| due.max(seen));
            match self.gate(due) {
                Gate::Open => break,
                Gate::Shut { ends_pass: true, .. } if self.ends_by(due) => break,
                Gate::Shut { until, ends_pass } => {
                    let end = self.queue.back().filter(|last| ends_pass && matches!(last.item, Item::End(_)));
                    delivery = until.into_iter().chain(end.map(|last| last.due)).min();
                }
            }
        }
        delivery.into_iter().chain(self.deadline()).min()
    }

    /// What the opposite direction must hear of, once.
    pub fn take_news(&mut self) -> Option<News> {
        self.news.take()
    }

    /// Bytes that [`Link::push`] would take now.
    pub fn room(&self) -> usize {
        self.buffer.saturating_sub(self.held)
    }

    /// Nothing will be delivered any more, whatever is pushed and whatever is removed; the sender is not told.
    pub fn is_silent(&self) -> bool {
        self.state == State::Silent
    }

    /// Nothing will be delivered any more, whatever is pushed.
    pub fn is_over(&self) -> bool {
        self.state != State::Open && self.queue.is_empty()
    }

    fn enter(&mut self, now: Instant, bytes: &[u8], offset: usize) {
        let mut push = Push { now, rng: &mut self.rng, bytes, offset, due: now };
        let mut cut = None;
        for Slot { effect, added, .. } in &mut self.effects {
            let before = push.bytes.len();
            let verdict = match added {
                None => effect.pushed(&mut push),
                Some((_, rng)) => {
                    let mut own = Push { now, rng, bytes: push.bytes, offset, due: push.due };
                    let verdict = effect.pushed(&mut own);
                    (push.bytes, push.due) = (own.bytes, own.due);
                    verdict
                }
            };
            match verdict {
                Verdict::Pass => {}
                // Of two cuts in one piece the one nearer to its start counts.
                Verdict::Cut { how, both } if cut.is_none() || push.bytes.len() < before => {
                    cut = Some((how, both));
                }
                Verdict::Cut { .. } => {}
                Verdict::Reject => {
                    self.state = State::Silent;
                    self.held += bytes.len();
                    self.news = Some(News::Rejected);
                    return;
                }
            }
        }
        let Push { bytes: passed, due, .. } = push;
        if !passed.is_empty() {
            let due = in_order(due, &mut self.last_due);
            self.held += passed.len();
            self.queue.push_back(Segment { due, item: Item::Bytes { bytes: passed.to_vec(), taken: 0 } });
        }
        if let Some((how, both)) = cut {
            // Cut at an exact byte: what was sent before it arrives.
            self.end(due, how);
            self.news = both.then_some(News::Cut(how));
        }
    }

    /// Lets happen what was due by `now`. Data that arrived before an end stays.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.seen = self.seen.max(Some(now));
        while self.state == State::Open {
            let Some(at) = self.deadline().filter(|at| *at <= now) else { return };
            let Some(slot) = self.effects.iter_mut().find(|slot| slot.effect.deadline() == Some(at)) else {
                return;
            };
            if let Verdict::Cut { how, both } = slot.effect.expired() {
                self.cut(at, how);
                self.news = both.then_some(News::Cut(how));
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if self.state != State::Open {
            return None;
        }
        self.effects.iter().filter_map(|slot| slot.effect.deadline()).min()
    }

    /// The strictest of what shuts the link at `now`.
    fn gate(&self, now: Instant) -> Gate {
        self.effects.iter().map(|slot| slot.effect.gate(now)).fold(Gate::Open, |one, other| {
            match (one, other) {
                (Gate::Open, gate) | (gate, Gate::Open) => gate,
                (Gate::Shut { until: a, ends_pass: x }, Gate::Shut { until: b, ends_pass: y }) => {
                    let until = match (a, b) {
                        (Some(a), Some(b)) => Some(a.max(b)),
                        _ => None,
                    };
                    Gate::Shut { until, ends_pass: x && y }
                }
            }
        })
    }

    /// The end of the stream is queued and due.
    fn ends_by(&self, now: Instant) -> bool {
        matches!(self.queue.back(), Some(Segment { item: Item::End(_), due }) if *due <= now)
    }

    /// Ends the link at `at`. Unless the end is orderly, what is still under way then is lost from a random point on.
    fn cut(&mut self, at: Instant, how: Cut) {
        if self.state != State::Open {
            // A reset overtakes an orderly end that has not arrived yet; an end that is no sign changes nothing.
            let pending = matches!(self.queue.back(), Some(Segment { item: Item::End(Delivery::Fin), .. }));
            if !(pending && how == Cut::Rst) {
                return;
            }
            self.queue.pop_back();
        }
        if how != Cut::Fin {
            let arrived = self.queue.partition_point(|segment| segment.due <= at);
            let kept = arrived + self.rng.usize(0..=self.queue.len() - arrived);
            let lost: usize = self.queue.drain(kept..).map(|segment| segment.len()).sum();
            self.held -= lost;
            self.last_due = self.queue.back().map(|segment| segment.due);
        }
        let due = at + self.latency.draw(&mut self.rng);
        self.end(due, how);
    }

    fn end(&mut self, due: Instant, how: Cut) {
        let mut late = std::time::Duration::ZERO;
        for Slot { effect, added, .. } in &mut self.effects {
            late += effect.ending(added.as_mut().map_or(&mut self.rng, |(_, rng)| rng));
        }
        let due = due + late;
        let due = in_order(due, &mut self.last_due);
        self.state = State::Ending;
        let end = match how {
            Cut::Fin => Delivery::Fin,
            Cut::Rst => Delivery::Rst,
            Cut::Silent => {
                self.state = State::Silent;
                return;
            }
        };
        self.queue.push_back(Segment { due, item: Item::End(end) });
    }
}

impl Segment {
    fn len(&self) -> usize {
        match &self.item {
            Item::Bytes { bytes, taken } => bytes.len() - taken,
            Item::End(_) => 0,
        }
    }
}
