//! One connection without its sockets. The data that a side sends passes through the current faults into a [`Pair`] of
//! links, and the deliveries of the pair are to be written to the other side. Pure: time is an argument, and the same
//! calls give the same result.
//!
//! # How to drive it
//! Call `advance` with the present time, then `receive` and `finish` for each event of a socket, `poll_deliver` for each
//! side until it returns `None`, and `poll_injection`. Wait until `poll_timeout`. Read from a side only while
//! `wants_input` returns true for it.

mod actions;
mod forward;
mod half;
mod injection;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Instant;

use undrop_fault::{CloseManner, Delivery, Pair, Side};

use crate::assignment::AssignedFault;
use crate::direction::Direction;
use crate::faults::Faults;
use crate::injector::{FaultAction, FaultStart, Injector};

use half::{QueueItem, TunnelHalf};
pub(crate) use injection::Injection;
use injection::InjectionSource;
use reader::{ReadInput, ReadStep, Unreadable};

/// The size of a read in bytes. A side is read only while its link has room for as much.
pub(crate) const READ: usize = 16 * 1024;

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
            let start = FaultStart {
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
fn direction(action: &FaultAction, of_spec: Direction) -> Direction {
    match action {
        FaultAction::SendClose(to, _) => Direction::sent_by(to.other()),
        FaultAction::End(_)
        | FaultAction::Vanish(_)
        | FaultAction::Forget
        | FaultAction::Respond { .. }
        | FaultAction::Log(_) => of_spec,
    }
}
