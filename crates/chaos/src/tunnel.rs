//! One connection without its sockets. The data that a side sends passes through the current faults into a [`Pair`] of
//! links, and the deliveries of the pair are to be written to the other side. Pure: time is an argument, and the same
//! calls give the same result.
//!
//! # How to drive it
//! Call `advance` with the present time, then `receive` and `finish` for each event of a socket, `poll_deliver` for each
//! side until it returns `None`, and `poll_injection`. Wait until `poll_timeout`. Read from a side only while
//! `wants_input` returns true for it.

mod half;
mod injection;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use undrop_fault::{CloseManner, Delivery, Pair, Side};
use undrop_frame::OpCode;

use crate::assignment::AssignedFault;
use crate::close_frame::CloseFrame;
use crate::direction::Direction;
use crate::faults::Faults;
use crate::injector::{Action, Injector, Piece, PieceFrame, PieceVerdict, Start};

use half::{QueueItem, TunnelHalf, encode_close};
pub(crate) use injection::Injection;
use injection::InjectionSource;
use reader::{HeadKind, ReadInput, ReadStep, Unreadable};

/// The size of a read in bytes. A side is read only while its link has room for as much.
pub(crate) const READ: usize = 16 * 1024;
/// The time limit for a Close frame that waits for the end of another frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The number of bytes of a piece that pass, the faults to be logged, and a cut.
type Injected = (usize, Vec<(AssignedFault, &'static str)>, Option<(AssignedFault, Action)>);

#[derive(Debug)]
struct ActiveFault {
    fault: AssignedFault,
    injector: Box<dyn Injector>,
}

/// One connection with its faults.
#[derive(Debug)]
pub(crate) struct Tunnel {
    opened: Instant,
    pair: Pair,
    /// Both directions, indexed by the sending side.
    halves: [TunnelHalf; 2],
    active: Vec<ActiveFault>,
    injections: VecDeque<Injection>,
    /// Whether a RST must be delivered to a side before everything else.
    resets: [bool; 2],
    /// Whether a RST has reached the side, or came from it.
    gone: [bool; 2],
    /// Whether a fault has ended the connection, so that the other faults no longer apply.
    over: bool,
    /// Whether a side was reset because the flow is forgotten.
    forgotten: bool,
    /// Whether the proxy responded to the handshake itself.
    responded: bool,
    unreadable: Option<Unreadable>,
    seed: u64,
}

impl Tunnel {
    /// Creates a connection that is opened at `now`. Its links have the given `faults` and draw from `seed`.
    pub(crate) fn new(now: Instant, faults: Faults, seed: u64) -> Tunnel {
        Tunnel {
            opened: now,
            pair: Pair::new(now, faults.forth, faults.back, seed),
            halves: [TunnelHalf::new(Side::A), TunnelHalf::new(Side::B)],
            active: Vec::new(),
            injections: VecDeque::new(),
            resets: [false; 2],
            gone: [false; 2],
            over: false,
            forgotten: false,
            responded: false,
            unreadable: None,
            seed,
        }
    }

    /// Replaces the faults of the connection with those in `wanted`: new ones start, and missing ones are removed.
    pub(crate) fn assign(&mut self, now: Instant, wanted: &[AssignedFault]) {
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
            let start = Start {
                opened: self.opened,
                since: fault.since,
                seed: fault.seed,
                direction: fault.spec.direction,
                text: &fault.spec.to_string(),
            };
            let Some(injector) = fault.spec.fault.behavior().injector(&start) else { continue };
            for (from, link_fault) in injector.link_faults() {
                self.pair.add(start.active_from(), from, fault.tag, &link_fault, fault.seed ^ from as u64);
            }
            self.active.push(ActiveFault { fault: fault.clone(), injector });
        }
        self.advance(now);
    }

    /// Applies the deadlines that were due by `now`.
    pub(crate) fn advance(&mut self, now: Instant) {
        while let Some((at, index)) = self.next_deadline().filter(|(at, _)| *at <= now) {
            let Some(active) = self.active.get_mut(index) else { break };
            if let Some(action) = active.injector.on_deadline() {
                let source = InjectionSource {
                    fault: active.fault.clone(),
                    direction: direction(&action, active.fault.spec.direction),
                    offset: 0,
                    age: at.saturating_duration_since(self.opened),
                    by_time: true,
                };
                self.apply(now, source, action, None);
            }
        }
        for from in [Side::A, Side::B] {
            let half = &mut self.halves[from as usize];
            if half.pending_close.as_ref().is_some_and(|(_, until)| *until <= now) {
                half.pending_close = None;
                half.close();
            }
        }
        self.flush(now);
    }

    /// Handles data that `from` sent. All of it is accepted: bytes that the pair has no room for are queued here, and the
    /// side is not read until they are gone.
    pub(crate) fn receive(&mut self, now: Instant, from: Side, bytes: &[u8]) {
        self.advance(now);
        let counts_as_data = self.halves[from as usize].reader.in_handshake() || self.unreadable.is_some();
        if !self.on_activity(now, from, counts_as_data) {
            return;
        }
        if self.halves[from as usize].mute {
            return;
        }
        let mut input = ReadInput { bytes: bytes.to_vec(), at: 0 };
        loop {
            let step = self.halves[from as usize].reader.next(&mut input);
            match step {
                ReadStep::NeedsInput => break,
                ReadStep::Piece(len, frame) => {
                    let end = input.at + len;
                    self.forward(now, from, input.bytes.get_mut(input.at..end).unwrap_or_default(), frame);
                    input.at = end;
                }
                ReadStep::Unreadable(mut buffered, why) => {
                    self.forward(now, from, &mut buffered, None);
                    self.stop_reading(now, from, why);
                }
                ReadStep::Head(head, kind) => self.forward_head(now, from, head, kind),
            }
            if self.halves[from as usize].mute {
                break;
            }
        }
        self.flush(now);
    }

    /// Handles the end of the direction of `from`.
    pub(crate) fn finish(&mut self, now: Instant, from: Side, how: CloseManner) {
        self.advance(now);
        if !self.on_activity(now, from, true) {
            return;
        }
        if how != CloseManner::Fin {
            self.gone[from as usize] = true;
            self.halves[from as usize].silence();
            self.pair.finish(now, from, how);
            return;
        }
        if !self.halves[from as usize].mute {
            let mut buffered = self.halves[from as usize].reader.give_up();
            self.forward(now, from, &mut buffered, None);
            self.halves[from as usize].close();
        }
        self.flush(now);
    }

    /// Returns the next delivery at `at`; call it until it returns `None`.
    pub(crate) fn poll_deliver(&mut self, now: Instant, at: Side) -> Option<Delivery> {
        let mut delivery = if std::mem::take(&mut self.resets[at as usize]) {
            Some(Delivery::Rst)
        } else {
            self.pair.poll_deliver(now, at)
        };
        // A side that was reset no longer exists: data that is still on its way to it is lost.
        while self.gone[at as usize] && delivery.is_some() {
            delivery = self.pair.poll_deliver(now, at);
        }
        self.gone[at as usize] |= delivery == Some(Delivery::Rst);
        // The pair may have room again.
        self.flush(now);
        delivery
    }

    /// Returns the record of the next injected fault.
    pub(crate) fn poll_injection(&mut self) -> Option<Injection> {
        self.injections.pop_front()
    }

    /// Returns the time at which to call [`Tunnel::advance`] next, which may be in the past.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let closes =
            self.halves.iter().filter_map(|half| half.pending_close.as_ref().map(|(_, until)| *until));
        let deadline = self.next_deadline().map(|(at, _)| at);
        closes.chain(deadline).chain(self.pair.poll_timeout()).min()
    }

    /// Returns whether this side is to be read.
    pub(crate) fn wants_input(&self, from: Side) -> bool {
        let half = &self.halves[from as usize];
        half.mute || (half.queue.is_empty() && self.pair.room(from) >= READ)
    }

    /// Returns whether nothing will ever be delivered again at this side, without notification.
    pub(crate) fn is_silent(&self, at: Side) -> bool {
        self.pair.is_silent(at)
    }

    /// Returns whether a fault has ended the connection.
    pub(crate) fn is_cut(&self) -> bool {
        self.over || self.forgotten || self.pair.fault().is_some()
    }

    /// Returns whether the proxy responds itself, so that the upstream is not needed (yet).
    pub(crate) fn responds_itself(&self) -> bool {
        let responds = |active: &ActiveFault| active.fault.spec.fault.behavior().responds_to_handshake();
        self.responded
            || (self.unreadable.is_none()
                && self.halves[0].reader.in_handshake()
                && self.active.iter().any(responds))
    }

    /// Returns the reason why frames cannot be read, if they cannot.
    pub(crate) fn unreadable(&self) -> Option<&'static str> {
        match self.unreadable? {
            Unreadable::Tls => Some("TLS: faults that need frames or the handshake do not apply"),
            Unreadable::NotHttp => Some("not HTTP: faults that need frames or the handshake do not apply"),
            Unreadable::NotFrames => Some("invalid frames: faults that need frames no longer apply"),
            Unreadable::NotUpgraded => None,
        }
    }

    /// Returns the number of bytes that were forwarded from this side.
    pub(crate) fn forwarded(&self, from: Side) -> u64 {
        self.halves[from as usize].queued
    }

    fn next_deadline(&self) -> Option<(Instant, usize)> {
        if self.over {
            return None;
        }
        let deadlines = self.active.iter().enumerate();
        deadlines.filter_map(|(index, one)| Some((one.injector.deadline()?, index))).min()
    }

    /// Reports traffic from a side to the faults. Returns false if the flow is forgotten, so that the side is reset.
    fn on_activity(&mut self, now: Instant, from: Side, data: bool) -> bool {
        if self.over {
            return true;
        }
        let mut known = true;
        for one in &mut self.active {
            known &= one.injector.on_activity(now, from, data);
        }
        if !known {
            self.forgotten = true;
            self.resets[from as usize] = true;
            self.halves[from as usize].silence();
            self.pair.finish(now, from, CloseManner::Silent);
        }
        known
    }

    /// Forwards a piece through the faults.
    fn forward(&mut self, now: Instant, from: Side, bytes: &mut [u8], frame: Option<PieceFrame>) {
        if bytes.is_empty() {
            return;
        }
        if frame.is_some_and(|frame| !matches!(frame.header.opcode, OpCode::Ping | OpCode::Pong)) {
            // The flow is known: a forgotten one was reset on receipt.
            self.on_activity(now, from, true);
        }
        let (passed, logs, cut) = self.inject(Piece { from, bytes, frame });
        let half = &mut self.halves[from as usize];
        let offset = half.queued;
        let number = frame.map(|frame| frame.number);
        let is_new = number != half.logged_frame;
        half.push(bytes.get(..passed).unwrap_or_default());
        let (age, queued) = (now.saturating_duration_since(self.opened), half.queued);
        let direction = Direction::sent_by(from);
        let source = |fault, offset| InjectionSource { fault, direction, offset, age, by_time: false };
        if !logs.is_empty() && is_new {
            half.logged_frame = number;
            for (fault, text) in logs {
                self.apply(now, source(fault, offset), Action::Log(text.to_owned()), None);
            }
        }
        if let Some((fault, action)) = cut {
            let action = QueueItem::Action(Box::new((source(fault, queued), action)));
            self.over = true;
            self.halves[from as usize].mute = true;
            self.halves[from as usize].queue.push_back(action);
        }
        let half = &mut self.halves[from as usize];
        if half.reader.accepts_close()
            && let Some((close, _)) = half.pending_close.take()
        {
            half.push(&close);
            half.close();
        }
    }

    /// Applies the faults to a piece. Returns the number of its bytes that pass, the faults to be logged, and the cut that
    /// comes after these bytes.
    fn inject(&mut self, mut piece: Piece<'_>) -> Injected {
        let (mut passed, mut logs, mut cut) = (piece.bytes.len(), Vec::new(), None);
        if self.over {
            return (passed, logs, cut);
        }
        for one in &mut self.active {
            match one.injector.on_piece(&mut piece) {
                PieceVerdict::Pass => {}
                PieceVerdict::Changed(text) => logs.push((one.fault.clone(), text)),
                PieceVerdict::Drop(text) => {
                    passed = 0;
                    logs.push((one.fault.clone(), text));
                }
                // Of two cuts in one piece, the one closer to its start counts.
                PieceVerdict::Cut(before, action) => {
                    if cut.is_none() || before < passed {
                        passed = passed.min(before);
                        cut = Some((one.fault.clone(), action));
                    }
                }
            }
        }
        (passed, logs, cut)
    }

    /// Forwards a head of the handshake through the faults.
    fn forward_head(&mut self, now: Instant, from: Side, mut head: Vec<u8>, kind: HeadKind) {
        let mut actions = Vec::new();
        if !self.over && kind != HeadKind::Interim {
            for one in &mut self.active {
                actions
                    .extend(one.injector.on_head(from, &mut head).map(|action| (one.fault.clone(), action)));
            }
        }
        let age = now.saturating_duration_since(self.opened);
        for (fault, action) in actions {
            let source = InjectionSource {
                fault,
                direction: Direction::sent_by(from),
                offset: self.halves[from as usize].queued,
                age,
                by_time: false,
            };
            let responded = matches!(action, Action::Respond { .. });
            self.apply(now, source, action, None);
            if responded {
                return;
            }
        }
        match kind {
            HeadKind::Interim => {}
            HeadKind::WebSocket => self.halves[from as usize].reader.start_frames(),
            HeadKind::Other => {
                self.forward(now, from, &mut head, None);
                return self.stop_reading(now, from, Unreadable::NotUpgraded);
            }
        }
        self.forward(now, from, &mut head, None);
    }

    /// Forwards the stream unread from here on.
    fn stop_reading(&mut self, now: Instant, from: Side, why: Unreadable) {
        self.unreadable.get_or_insert(why);
        self.halves[from as usize].reader.give_up();
        // A failed handshake affects both directions; invalid frames only that of their sender.
        if why != Unreadable::NotFrames {
            let other = from.other();
            if !self.halves[other as usize].mute {
                let mut buffered = self.halves[other as usize].reader.give_up();
                self.forward(now, other, &mut buffered, None);
            }
        }
    }

    /// Applies an action of a fault and records it. With `after`, the action comes directly after the data that this side
    /// sent.
    fn apply(&mut self, now: Instant, source: InjectionSource, action: Action, after: Option<Side>) {
        let half = if source.direction == Direction::Down { Side::B } else { Side::A };
        let passed = self.halves[half as usize].queued;
        self.injections.push_back(source.record(&action, self.opened, passed));
        match action {
            Action::Log(_) | Action::Forget => {}
            Action::Vanish(side) => {
                self.over = true;
                self.resets[side as usize] = true;
                self.halves[side as usize].silence();
                self.pair.finish(now, side, CloseManner::Silent);
            }
            Action::Respond { response, .. } => {
                self.over = true;
                self.responded = true;
                self.halves[Side::A as usize].silence();
                self.halves[Side::B as usize].push(&response);
                self.halves[Side::B as usize].close();
            }
            Action::SendClose(to, frame) => {
                self.over = true;
                self.send_close(now, to, &frame);
                self.halves[to as usize].close();
            }
            Action::End(how) => {
                self.over = true;
                self.end(now, how, after);
            }
        }
    }

    /// Ends the connection in this manner.
    fn end(&mut self, now: Instant, how: CloseManner<CloseFrame>, after: Option<Side>) {
        let cut = match how {
            CloseManner::Close(frame) => {
                for to in [Side::A, Side::B] {
                    self.send_close(now, to, &frame);
                }
                return;
            }
            CloseManner::Fin => return self.halves.iter_mut().for_each(TunnelHalf::close),
            CloseManner::Rst => CloseManner::Rst,
            CloseManner::Silent => CloseManner::Silent,
        };
        match after {
            Some(from) => self.pair.cut_after_data(now, from, cut),
            None => self.pair.cut(now, cut),
        }
        self.halves.iter_mut().for_each(TunnelHalf::silence);
        if cut == CloseManner::Silent {
            // A side that continues to send is read only until the link is full.
            self.halves.iter_mut().for_each(|half| half.mute = false);
            self.halves.iter_mut().for_each(|half| drop(half.reader.give_up()));
        }
    }

    /// Sends a Close frame to one side: at once between two frames, otherwise after the current frame.
    fn send_close(&mut self, now: Instant, to: Side, frame: &CloseFrame) {
        let seed = self.seed;
        let half = &mut self.halves[to.other() as usize];
        if half.mute {
            return;
        }
        let bytes = encode_close(to, frame, seed);
        if half.reader.accepts_close() {
            half.push(&bytes);
            half.close();
        } else if half.reader.in_frame() {
            half.pending_close = Some((bytes, now + CLOSE_TIMEOUT));
        } else {
            half.close();
        }
    }

    /// Moves the queued data into the pair, as far as the pair accepts it.
    fn flush(&mut self, now: Instant) {
        // An action in one direction may queue data in the other.
        for from in [Side::A, Side::B, Side::A] {
            loop {
                let action = match self.halves[from as usize].queue.front_mut() {
                    None => break,
                    Some(QueueItem::Bytes(bytes, at)) => {
                        *at += self.pair.push(now, from, &bytes[*at..]);
                        if *at < bytes.len() {
                            break;
                        }
                        None
                    }
                    Some(QueueItem::Fin) => {
                        self.pair.finish(now, from, CloseManner::Fin);
                        None
                    }
                    Some(QueueItem::Action(action)) => Some(action.clone()),
                };
                self.halves[from as usize].queue.pop_front();
                if let Some(action) = action {
                    let (source, action) = *action;
                    // The half was mute so far, so that no data came after the cut.
                    self.halves[from as usize].mute = false;
                    self.apply(now, source, action, Some(from));
                }
            }
        }
    }
}

/// Returns the direction in which an action is logged.
fn direction(action: &Action, of_spec: Direction) -> Direction {
    match action {
        Action::SendClose(to, _) => Direction::sent_by(to.other()),
        Action::End(_) | Action::Vanish(_) | Action::Forget | Action::Respond { .. } | Action::Log(_) => {
            of_spec
        }
    }
}
