//! One direction of a connection.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::close_manner::CloseManner;
use crate::effect::{EffectVerdict, Gate, Push};
use crate::fault::{EffectSlot, Fault};
use crate::latency::{Latency, in_order};

/// A delivery at the receiving side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Bytes of the stream, never empty.
    Bytes(Vec<u8>),
    /// The orderly end of the stream. The last delivery.
    Fin,
    /// A reset of the stream. The last delivery.
    Rst,
}

/// An event on a link that affects the opposite direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEvent {
    /// The whole connection was cut, so the opposite link ends in the same manner.
    Cut(CloseManner),
    /// The last push was rejected: its sender receives a RST.
    Rejected,
}

#[derive(Debug)]
struct Segment {
    due: Instant,
    item: SegmentItem,
}

#[derive(Debug)]
enum SegmentItem {
    Bytes { bytes: Vec<u8>, delivered: usize },
    End(Delivery),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkState {
    Open,
    /// The end of the stream is queued after the data, or was delivered. Further bytes are discarded.
    Ending,
    /// Nothing arrives, and the sender is not notified: its buffer fills.
    Silent,
}

/// One direction of a connection with a [`Fault`]. Its memory is bounded by [`Fault::buffer`].
#[derive(Debug)]
pub struct Link {
    rng: Rng,
    latency: Latency,
    effects: Vec<EffectSlot>,
    queue: VecDeque<Segment>,
    /// The number of bytes in `queue`, plus those that a silent link discarded.
    held: usize,
    buffer: usize,
    last_due: Option<Instant>,
    /// The latest `now` of any call.
    seen: Option<Instant>,
    state: LinkState,
    event: Option<LinkEvent>,
}

impl Link {
    /// Creates a link that is opened at `now`. `seed` determines all its random draws.
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
            state: LinkState::Open,
            event: None,
        }
    }

    /// Adds faults to the link; their ages and silences count from `now`. `tag` identifies them for [`Link::remove`].
    /// Their random draws depend on `seed` alone. [`Fault::buffer`] is ignored.
    pub fn add(&mut self, now: Instant, tag: u64, fault: &Fault, seed: u64) {
        self.expire(now);
        let slots = fault.effects(now, false);
        self.effects.extend(slots.into_iter().map(|mut slot| {
            slot.added = Some((tag, Rng::with_seed(seed ^ slot.rank as u64)));
            slot
        }));
        self.effects.sort_by_key(|slot| slot.rank);
    }

    /// Removes the faults that were added with `tag`. Data that a [`Hold`](crate::Hold) kept back arrives; a delay that
    /// was already drawn remains.
    pub fn remove(&mut self, now: Instant, tag: u64) {
        self.expire(now);
        self.effects.retain(|slot| slot.added.as_ref().is_none_or(|(own_tag, _)| *own_tag != tag));
    }

    /// Writes `bytes`. Returns the number of bytes accepted, which is smaller when the link is full; the caller keeps the
    /// rest. A link that was reset accepts everything and delivers nothing, because the sender cannot know of the reset
    /// yet.
    pub fn push(&mut self, now: Instant, bytes: &[u8]) -> usize {
        self.expire(now);
        let room = self.buffer.saturating_sub(self.held);
        let accepted = bytes.len().min(room);
        match self.state {
            LinkState::Ending => return bytes.len(),
            LinkState::Silent => {
                self.held += accepted;
                return accepted;
            }
            LinkState::Open => {}
        }
        let segment = self.effects.iter().map(|slot| slot.effect.segment()).min().unwrap_or(usize::MAX);
        let mut offset = 0;
        while offset < accepted && self.state == LinkState::Open {
            let piece = &bytes[offset..accepted.min(offset.saturating_add(segment))];
            self.enter(now, piece, offset);
            offset += piece.len();
        }
        accepted
    }

    /// Ends the direction on behalf of its sender: in order after all data, with a reset, or without a sign.
    pub fn finish(&mut self, now: Instant, how: CloseManner) {
        self.expire(now);
        self.cut(now, how);
    }

    /// Ends the stream directly after the pushed data, none of which is lost.
    pub fn cut_after_data(&mut self, now: Instant, how: CloseManner) {
        self.expire(now);
        if self.state == LinkState::Open {
            self.end(now, how);
        }
    }

    /// Reports traffic in the opposite direction, for the faults that watch for silence.
    pub fn opposite_activity(&mut self, now: Instant) {
        self.expire(now);
        for slot in &mut self.effects {
            slot.effect.activity(now);
        }
    }

    /// Returns the next delivery that has arrived by `now`, oldest first; call it until it returns `None`.
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
            SegmentItem::End(end) => {
                let end = end.clone();
                self.queue.pop_front();
                Some(end)
            }
            SegmentItem::Bytes { bytes, delivered } => {
                let left = bytes.len() - *delivered;
                let (mut size, mut gap) = (left, Duration::ZERO);
                for slot in &mut self.effects {
                    let rng = slot.added.as_mut().map_or(&mut self.rng, |(_, rng)| rng);
                    let (limit, wait) = slot.effect.release(left, rng);
                    size = size.min(limit);
                    gap = gap.max(wait);
                }
                let piece = bytes[*delivered..*delivered + size].to_vec();
                *delivered += size;
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

    /// Returns the time at which to call [`Link::poll_deliver`] next, which may be in the past. `None` means that nothing
    /// happens before the next push.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let mut delivery = self.queue.front().map(|segment| segment.due);
        // Consecutive gates: at most as many as there are effects.
        for _ in 0..self.effects.len() {
            let Some(due) = delivery else { break };
            // Data that was due before a gate shut, but was not fetched, waits for it to open.
            let due = self.seen.map_or(due, |seen| due.max(seen));
            match self.gate(due) {
                Gate::Open => break,
                Gate::Shut { ends_pass: true, .. } if self.ends_by(due) => break,
                Gate::Shut { until, ends_pass } => {
                    let end = self
                        .queue
                        .back()
                        .filter(|last| ends_pass && matches!(last.item, SegmentItem::End(_)));
                    delivery = until.into_iter().chain(end.map(|last| last.due)).min();
                }
            }
        }
        delivery.into_iter().chain(self.deadline()).min()
    }

    /// Takes the event that must be applied to the opposite direction, if there is one.
    pub fn take_event(&mut self) -> Option<LinkEvent> {
        self.event.take()
    }

    /// Returns the number of bytes that [`Link::push`] would accept now.
    pub fn room(&self) -> usize {
        self.buffer.saturating_sub(self.held)
    }

    /// Returns whether nothing will ever be delivered again, whatever is pushed or removed, without the sender being
    /// notified.
    pub fn is_silent(&self) -> bool {
        self.state == LinkState::Silent
    }

    /// Returns whether nothing will ever be delivered again, whatever is pushed.
    pub fn is_over(&self) -> bool {
        self.state != LinkState::Open && self.queue.is_empty()
    }

    fn enter(&mut self, now: Instant, bytes: &[u8], offset: usize) {
        let mut push = Push { now, rng: &mut self.rng, bytes, offset, due: now };
        let mut cut = None;
        for EffectSlot { effect, added, .. } in &mut self.effects {
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
                EffectVerdict::Pass => {}
                // Of two cuts in one piece, the one closer to its start counts.
                EffectVerdict::Cut { how, both } if cut.is_none() || push.bytes.len() < before => {
                    cut = Some((how, both));
                }
                EffectVerdict::Cut { .. } => {}
                EffectVerdict::Reject => {
                    self.state = LinkState::Silent;
                    self.held += bytes.len();
                    self.event = Some(LinkEvent::Rejected);
                    return;
                }
            }
        }
        let Push { bytes: passed, due, .. } = push;
        if !passed.is_empty() {
            let due = in_order(due, &mut self.last_due);
            self.held += passed.len();
            self.queue.push_back(Segment {
                due,
                item: SegmentItem::Bytes { bytes: passed.to_vec(), delivered: 0 },
            });
        }
        if let Some((how, both)) = cut {
            // A cut at an exact byte: the data before it arrives.
            self.end(due, how);
            self.event = both.then_some(LinkEvent::Cut(how));
        }
    }

    /// Applies the deadlines that were due by `now`. Data that arrived before an end remains.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.seen = self.seen.max(Some(now));
        while self.state == LinkState::Open {
            let Some(at) = self.deadline().filter(|at| *at <= now) else { return };
            let Some(slot) = self.effects.iter_mut().find(|slot| slot.effect.deadline() == Some(at)) else {
                return;
            };
            if let EffectVerdict::Cut { how, both } = slot.effect.expired() {
                self.cut(at, how);
                self.event = both.then_some(LinkEvent::Cut(how));
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if self.state != LinkState::Open {
            return None;
        }
        self.effects.iter().filter_map(|slot| slot.effect.deadline()).min()
    }

    /// Combines the gates of all effects at `now`: the strictest one counts.
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

    /// Returns whether the end of the stream is queued and due.
    fn ends_by(&self, now: Instant) -> bool {
        matches!(self.queue.back(), Some(Segment { item: SegmentItem::End(_), due }) if *due <= now)
    }

    /// Ends the link at `at`. Unless the end is orderly, data in flight is lost from a random point on.
    fn cut(&mut self, at: Instant, how: CloseManner) {
        if self.state != LinkState::Open {
            // A reset overtakes an orderly end that has not arrived yet; a silent end changes nothing.
            let pending =
                matches!(self.queue.back(), Some(Segment { item: SegmentItem::End(Delivery::Fin), .. }));
            if !(pending && how == CloseManner::Rst) {
                return;
            }
            self.queue.pop_back();
        }
        if how != CloseManner::Fin {
            let arrived = self.queue.partition_point(|segment| segment.due <= at);
            let kept = arrived + self.rng.usize(0..=self.queue.len() - arrived);
            let lost: usize = self.queue.drain(kept..).map(|segment| segment.len()).sum();
            self.held -= lost;
            self.last_due = self.queue.back().map(|segment| segment.due);
        }
        let due = at + self.latency.draw(&mut self.rng);
        self.end(due, how);
    }

    fn end(&mut self, due: Instant, how: CloseManner) {
        let mut late = Duration::ZERO;
        for EffectSlot { effect, added, .. } in &mut self.effects {
            late += effect.ending(added.as_mut().map_or(&mut self.rng, |(_, rng)| rng));
        }
        let due = due + late;
        let due = in_order(due, &mut self.last_due);
        self.state = LinkState::Ending;
        let end = match how {
            CloseManner::Fin => Delivery::Fin,
            CloseManner::Rst => Delivery::Rst,
            CloseManner::Silent => {
                self.state = LinkState::Silent;
                return;
            }
        };
        self.queue.push_back(Segment { due, item: SegmentItem::End(end) });
    }
}

impl Segment {
    fn len(&self) -> usize {
        match &self.item {
            SegmentItem::Bytes { bytes, delivered } => bytes.len() - delivered,
            SegmentItem::End(_) => 0,
        }
    }
}
