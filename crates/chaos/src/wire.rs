//! One connection without its sockets: what the ends sent goes through the faults that are on it now, then into a
//! [`Pair`], and what comes out is to be written. Pure: time is an argument, and the same calls give the same result.
//!
//! # How to drive it
//! `advance` to the present, then `receive` and `finish` what the ends did, `poll_deliver` for each end until `None`,
//! take the `poll_injected`, wait until `poll_timeout`. Read from an end only while it `wants` something.

mod reading;
#[cfg(test)]
mod tests;
mod told;
mod way;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use undrop_fault::{CloseManner, Delivery, Pair, Side};
use undrop_frame::OpCode;

use crate::Faults;
use crate::interpose::{self, Act, Concern, Frame, Piece, Start, Verdict};
use crate::spec::{Direction, How, Kind, Spec};

use reading::{Input, Opaque, Outcome, Step};
pub(crate) use told::Injected;
use told::Told;
use way::{Queued, Way, close_frame};

/// What is read at once from an end; an end is read only while its link has room for so much.
pub(crate) const READ: usize = 16 * 1024;
/// How long a Close frame waits for the end of a frame that is under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// A fault on a connection.
#[derive(Debug, Clone)]
pub(crate) struct Assigned {
    /// Unique on the proxy; names the fault when it is taken away.
    pub(crate) tag: u64,
    /// Its name, to be told.
    pub(crate) name: Arc<str>,
    pub(crate) spec: Arc<Spec>,
    /// When it was added to the proxy.
    pub(crate) since: Instant,
    /// What it draws follows from this.
    pub(crate) seed: u64,
}

#[derive(Debug)]
struct Active {
    fault: Assigned,
    concern: Box<dyn Concern>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    opened: Instant,
    pair: Pair,
    /// Indexed by the sending end.
    ways: [Way; 2],
    active: Vec<Active>,
    injected: VecDeque<Injected>,
    /// A RST for an end that comes before all else.
    resets: [bool; 2],
    /// A RST has reached the end, or came from it.
    gone: [bool; 2],
    /// A fault has ended the connection; the others have no more say.
    over: bool,
    /// An end was reset because nobody knows the flow any more.
    forgotten: bool,
    answered: bool,
    opaque: Option<Opaque>,
    seed: u64,
}

impl Wire {
    /// A connection opened at `now`. The links have the faults that `faults` names, and draw from `seed`.
    pub(crate) fn new(now: Instant, faults: Faults, seed: u64) -> Wire {
        Wire {
            opened: now,
            pair: Pair::new(now, faults.forth, faults.back, seed),
            ways: [Way::new(Side::A), Way::new(Side::B)],
            active: Vec::new(),
            injected: VecDeque::new(),
            resets: [false; 2],
            gone: [false; 2],
            over: false,
            forgotten: false,
            answered: false,
            opaque: None,
            seed,
        }
    }

    /// Makes the faults on this connection those of `wanted`: new ones begin, others go.
    pub(crate) fn assign(&mut self, now: Instant, wanted: &[Assigned]) {
        self.advance(now);
        let (pair, active) = (&mut self.pair, &mut self.active);
        active.retain(|one| {
            let stays = wanted.iter().any(|fault| fault.tag == one.fault.tag);
            if !stays {
                pair.remove(now, one.fault.tag);
            }
            stays
        });
        for fault in wanted {
            if self.active.iter().any(|one| one.fault.tag == fault.tag) {
                continue;
            }
            let start = Start { opened: self.opened, since: fault.since, seed: fault.seed };
            let Some(concern) = interpose::concern(&fault.spec, &start) else { continue };
            for (from, links) in concern.links() {
                self.pair.add(start.began(), from, fault.tag, &links, fault.seed ^ from as u64);
            }
            self.active.push(Active { fault: fault.clone(), concern });
        }
        self.advance(now);
    }

    /// Lets happen what was due by `now`.
    pub(crate) fn advance(&mut self, now: Instant) {
        while let Some((at, index)) = self.next_deadline().filter(|(at, _)| *at <= now) {
            let Some(active) = self.active.get_mut(index) else { break };
            if let Some(act) = active.concern.expired() {
                let told = Told {
                    fault: active.fault.clone(),
                    direction: direction(&act, active.fault.spec.direction),
                    offset: 0,
                    age: at.saturating_duration_since(self.opened),
                    by_time: true,
                };
                self.act(now, told, act, None);
            }
        }
        for from in [Side::A, Side::B] {
            let way = &mut self.ways[from as usize];
            if way.goodbye.as_ref().is_some_and(|(_, until)| *until <= now) {
                way.goodbye = None;
                way.close();
            }
        }
        self.flush(now);
    }

    /// `from` sent `bytes`. All of them are taken: what does not fit waits here, and until then the end is not read.
    pub(crate) fn receive(&mut self, now: Instant, from: Side, bytes: &[u8]) {
        self.advance(now);
        if !self.heard(now, from, self.ways[from as usize].reading.in_handshake() || self.opaque.is_some()) {
            return;
        }
        if self.ways[from as usize].mute {
            return;
        }
        let mut input = Input { bytes: bytes.to_vec(), at: 0 };
        loop {
            let step = self.ways[from as usize].reading.next(&mut input);
            match step {
                Step::More => break,
                Step::Piece(len, frame) => {
                    let end = input.at + len;
                    self.piece(now, from, input.bytes.get_mut(input.at..end).unwrap_or_default(), frame);
                    input.at = end;
                }
                Step::Opaque(mut kept, why) => {
                    self.piece(now, from, &mut kept, None);
                    self.give_up(now, from, why);
                }
                Step::Head(head, outcome) => self.head(now, from, head, outcome),
            }
            if self.ways[from as usize].mute {
                break;
            }
        }
        self.flush(now);
    }

    /// `from` ends its direction, or is gone.
    pub(crate) fn finish(&mut self, now: Instant, from: Side, how: CloseManner) {
        self.advance(now);
        if !self.heard(now, from, true) {
            return;
        }
        if how != CloseManner::Fin {
            self.gone[from as usize] = true;
            self.ways[from as usize].silence();
            self.pair.finish(now, from, how);
            return;
        }
        if !self.ways[from as usize].mute {
            let mut kept = self.ways[from as usize].reading.give_up();
            self.piece(now, from, &mut kept, None);
            self.ways[from as usize].close();
        }
        self.flush(now);
    }

    /// What has arrived at `at`; call until `None`.
    pub(crate) fn poll_deliver(&mut self, now: Instant, at: Side) -> Option<Delivery> {
        let mut delivery = if std::mem::take(&mut self.resets[at as usize]) {
            Some(Delivery::Rst)
        } else {
            self.pair.poll_deliver(now, at)
        };
        // Whom a RST has reached is gone: what was still on its way to it is lost.
        while self.gone[at as usize] && delivery.is_some() {
            delivery = self.pair.poll_deliver(now, at);
        }
        self.gone[at as usize] |= delivery == Some(Delivery::Rst);
        // There may be room again.
        self.flush(now);
        delivery
    }

    /// The next fault that was injected.
    pub(crate) fn poll_injected(&mut self) -> Option<Injected> {
        self.injected.pop_front()
    }

    /// When to call [`Wire::advance`] next; may lie in the past.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let goodbyes = self.ways.iter().filter_map(|way| way.goodbye.as_ref().map(|(_, until)| *until));
        let concern = self.next_deadline().map(|(at, _)| at);
        goodbyes.chain(concern).chain(self.pair.poll_timeout()).min()
    }

    /// Whether this end is to be read.
    pub(crate) fn wants(&self, from: Side) -> bool {
        let way = &self.ways[from as usize];
        way.mute || (way.queue.is_empty() && self.pair.room(from) >= READ)
    }

    /// Nothing will ever be delivered at this end, and it is not told.
    pub(crate) fn is_silent(&self, at: Side) -> bool {
        self.pair.is_silent(at)
    }

    /// A fault has ended the connection.
    pub(crate) fn is_cut(&self) -> bool {
        self.over || self.forgotten || self.pair.fault().is_some()
    }

    /// The proxy answers by itself, so no upstream is needed (yet).
    pub(crate) fn answers_itself(&self) -> bool {
        self.answered
            || (self.opaque.is_none()
                && self.ways[0].reading.in_handshake()
                && self.active.iter().any(|one| matches!(one.fault.spec.fault, Kind::Status { .. })))
    }

    /// Why frames cannot be read, when they cannot.
    pub(crate) fn unreadable(&self) -> Option<&'static str> {
        match self.opaque? {
            Opaque::Tls => Some("TLS: faults that need frames or the handshake do not apply"),
            Opaque::NotHttp => Some("not HTTP: faults that need frames or the handshake do not apply"),
            Opaque::NotFrames => Some("not valid frames any more: faults that need frames do not apply"),
            Opaque::Told => None,
        }
    }

    /// Bytes that were passed on from this end.
    pub(crate) fn passed(&self, from: Side) -> u64 {
        self.ways[from as usize].queued
    }

    fn next_deadline(&self) -> Option<(Instant, usize)> {
        if self.over {
            return None;
        }
        let deadlines = self.active.iter().enumerate();
        deadlines.filter_map(|(index, one)| Some((one.concern.deadline()?, index))).min()
    }

    /// Tells the concerns that an end sent something. False: it is answered with a RST.
    fn heard(&mut self, now: Instant, from: Side, data: bool) -> bool {
        if self.over {
            return true;
        }
        let mut known = true;
        for one in &mut self.active {
            known &= one.concern.heard(now, from, data);
        }
        if !known {
            self.forgotten = true;
            self.resets[from as usize] = true;
            self.ways[from as usize].silence();
            self.pair.finish(now, from, CloseManner::Silent);
        }
        known
    }

    /// A piece passes the concerns.
    fn piece(&mut self, now: Instant, from: Side, bytes: &mut [u8], frame: Option<Frame>) {
        if bytes.is_empty() {
            return;
        }
        if frame.is_some_and(|frame| !matches!(frame.header.opcode, OpCode::Ping | OpCode::Pong)) {
            // Data of a known flow: a forgotten one was told above.
            self.heard(now, from, true);
        }
        let way = &mut self.ways[from as usize];
        let offset = way.queued;
        let (mut passes, mut cut) = (bytes.len(), None);
        let mut tell = Vec::new();
        if !self.over {
            let mut piece = Piece { from, bytes, frame };
            for one in &mut self.active {
                let what = match one.concern.piece(&mut piece) {
                    Verdict::Pass => continue,
                    Verdict::Changed(what) => what,
                    Verdict::Drop(what) => {
                        passes = 0;
                        what
                    }
                    // Of two cuts in one piece the one nearer to its start counts.
                    Verdict::Cut(behind, act) => {
                        if cut.is_none() || behind < passes {
                            passes = passes.min(behind);
                            cut = Some((one.fault.clone(), act));
                        }
                        continue;
                    }
                };
                tell.push((one.fault.clone(), what));
            }
        }
        let number = frame.map(|frame| frame.number);
        let first = number != way.told;
        way.push(bytes.get(..passes).unwrap_or_default());
        let (age, queued) = (now.saturating_duration_since(self.opened), way.queued);
        let told = |fault, offset| Told { fault, direction: towards(from), offset, age, by_time: false };
        if !tell.is_empty() && first {
            way.told = number;
            for (fault, what) in tell {
                self.act(now, told(fault, offset), Act::Tell(what.to_owned()), None);
            }
        }
        if let Some((fault, act)) = cut {
            let told = told(fault, queued);
            self.over = true;
            self.ways[from as usize].mute = true;
            self.ways[from as usize].queue.push_back(Queued::Act(Box::new((told, act))));
        }
        let way = &mut self.ways[from as usize];
        if way.reading.takes_close()
            && let Some((close, _)) = way.goodbye.take()
        {
            way.push(&close);
            way.close();
        }
    }

    /// A head of the handshake passes the concerns.
    fn head(&mut self, now: Instant, from: Side, mut head: Vec<u8>, outcome: Outcome) {
        let mut acts = Vec::new();
        if !self.over && outcome != Outcome::Interim {
            for one in &mut self.active {
                acts.extend(one.concern.head(from, &mut head).map(|act| (one.fault.clone(), act)));
            }
        }
        let age = now.saturating_duration_since(self.opened);
        for (fault, act) in acts {
            let told = Told {
                fault,
                direction: towards(from),
                offset: self.ways[from as usize].queued,
                age,
                by_time: false,
            };
            let answered = matches!(act, Act::Answer(_));
            self.act(now, told, act, None);
            if answered {
                return;
            }
        }
        match outcome {
            Outcome::Interim => {}
            Outcome::WebSocket => self.ways[from as usize].reading.frames(),
            Outcome::Other => {
                self.piece(now, from, &mut head, None);
                return self.give_up(now, from, Opaque::Told);
            }
        }
        self.piece(now, from, &mut head, None);
    }

    /// Neither direction is read any more, only passed on.
    fn give_up(&mut self, now: Instant, from: Side, why: Opaque) {
        self.opaque.get_or_insert(why);
        self.ways[from as usize].reading.give_up();
        // Only the handshake concerns both; frames that one end breaks are its own matter.
        if why != Opaque::NotFrames {
            let other = from.other();
            if !self.ways[other as usize].mute {
                let mut kept = self.ways[other as usize].reading.give_up();
                self.piece(now, other, &mut kept, None);
            }
        }
    }

    /// Does what a fault wants, and notes it. `behind`: right behind what this end sent.
    fn act(&mut self, now: Instant, told: Told, act: Act, behind: Option<Side>) {
        let way = if told.direction == Direction::Down { Side::B } else { Side::A };
        let passed = self.ways[way as usize].queued;
        self.injected.push_back(told.injected(&act, self.opened, passed));
        match act {
            Act::Tell(_) | Act::Forget => {}
            Act::Vanish(end) => {
                self.over = true;
                self.resets[end as usize] = true;
                self.ways[end as usize].silence();
                self.pair.finish(now, end, CloseManner::Silent);
            }
            Act::Answer(response) => {
                self.over = true;
                self.answered = true;
                self.ways[Side::A as usize].silence();
                self.ways[Side::B as usize].push(&response);
                self.ways[Side::B as usize].close();
            }
            Act::Goodbye(to, code, reason) => {
                self.over = true;
                self.goodbye(now, to, code, &reason);
                self.ways[to as usize].close();
            }
            Act::End(How::Close { code, reason }) => {
                self.over = true;
                for to in [Side::A, Side::B] {
                    self.goodbye(now, to, code, &reason);
                }
            }
            Act::End(How::Fin) => {
                self.over = true;
                self.ways.iter_mut().for_each(Way::close);
            }
            Act::End(how) => {
                self.over = true;
                let cut = if how == How::Rst { CloseManner::Rst } else { CloseManner::Silent };
                match behind {
                    Some(from) => self.pair.cut_after_data(now, from, cut),
                    None => self.pair.cut(now, cut),
                }
                self.ways.iter_mut().for_each(Way::silence);
                if cut == CloseManner::Silent {
                    // Whoever goes on sending is not read for ever: the link is full some day.
                    self.ways.iter_mut().for_each(|way| way.mute = false);
                    self.ways.iter_mut().for_each(|way| drop(way.reading.give_up()));
                }
            }
        }
    }

    /// Says goodbye to one end: at once between two frames, else at the end of the present one.
    fn goodbye(&mut self, now: Instant, to: Side, code: u16, reason: &str) {
        let seed = self.seed;
        let way = &mut self.ways[to.other() as usize];
        if way.mute {
            return;
        }
        let frame = close_frame(to, code, reason, seed);
        if way.reading.takes_close() {
            way.push(&frame);
            way.close();
        } else if way.reading.in_frame() {
            way.goodbye = Some((frame, now + PATIENCE));
        } else {
            way.close();
        }
    }

    /// Gives the pair what waits, as far as it takes it.
    fn flush(&mut self, now: Instant) {
        // An act on one direction may put something into the other.
        let turns = [Side::A, Side::B, Side::A].into_iter();
        for from in turns {
            loop {
                let step = match self.ways[from as usize].queue.front_mut() {
                    None => break,
                    Some(Queued::Bytes(bytes, at)) => {
                        *at += self.pair.push(now, from, &bytes[*at..]);
                        if *at < bytes.len() {
                            break;
                        }
                        None
                    }
                    Some(Queued::Fin) => {
                        self.pair.finish(now, from, CloseManner::Fin);
                        None
                    }
                    Some(Queued::Act(act)) => Some(act.clone()),
                };
                self.ways[from as usize].queue.pop_front();
                if let Some(act) = step {
                    let (told, act) = *act;
                    // Until here the way was mute so that nothing came behind the cut.
                    self.ways[from as usize].mute = false;
                    self.act(now, told, act, Some(from));
                }
            }
        }
    }
}

fn towards(from: Side) -> Direction {
    if from == Side::A { Direction::Up } else { Direction::Down }
}

fn direction(act: &Act, of_spec: Direction) -> Direction {
    match act {
        Act::Goodbye(Side::A, ..) => Direction::Down,
        Act::Goodbye(Side::B, ..) => Direction::Up,
        _ => of_spec,
    }
}
