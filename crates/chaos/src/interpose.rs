//! What a fault does to one connection, beyond what a link does to bytes: the one interface between
//! [`Wire`](crate::wire::Wire) and the file of each concern. Nothing here reads a clock or touches a socket.

mod corrupt;
mod cut;
mod drop_control;
mod handshake;
mod idle;
mod path;
mod timed;

use std::fmt::Debug;
use std::time::Instant;

use undrop_fault::{Fault, Side};
use undrop_frame::Header;

use crate::spec::{Counts, Direction, Forget, How, Kind, Schedule, Spec, When};

/// When a fault meets a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// The connection was opened.
    pub(crate) opened: Instant,
    /// The fault was added to the proxy.
    pub(crate) since: Instant,
    /// What is drawn follows from this.
    pub(crate) seed: u64,
}

impl Start {
    /// Both are there: ages and silences count from here.
    pub(crate) fn began(&self) -> Instant {
        self.opened.max(self.since)
    }
}

/// A fault at work on one connection. All hooks have a harmless default; a concern implements the ones it needs.
pub(crate) trait Concern: Debug + Send {
    /// What the links of the pair do for it: the sending end, and the fault.
    fn links(&self) -> Vec<(Side, Fault)> {
        Vec::new()
    }

    /// A whole head of the handshake is about to pass; it may be changed.
    fn head(&mut self, _from: Side, _head: &mut Vec<u8>) -> Option<Act> {
        None
    }

    /// A piece of the stream is about to pass; its bytes may be changed.
    fn piece(&mut self, _piece: &mut Piece<'_>) -> Verdict {
        Verdict::Pass
    }

    /// An end has sent something; `data`: something other than Pings and Pongs. False: nobody knows the flow any more,
    /// so the end is answered with a RST.
    fn heard(&mut self, _now: Instant, _from: Side, _data: bool) -> bool {
        true
    }

    /// When [`Concern::expired`] wants to be called.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The deadline has come. Must move or clear the deadline.
    fn expired(&mut self) -> Option<Act> {
        None
    }
}

/// A piece of what one end sent: never more than one frame, and never both header and payload.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) from: Side,
    pub(crate) bytes: &'a mut [u8],
    /// `None`: handshake, or no frames at all.
    pub(crate) frame: Option<Frame>,
}

/// The frame that a piece belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) header: Header,
    /// Its number in this direction, from 1.
    pub(crate) number: u64,
    /// Part of a compressed message (RFC 7692).
    pub(crate) compressed: bool,
    /// Where in the frame the piece begins, header included; 0: the piece is the header.
    pub(crate) at: u64,
    /// Length of the frame, header included.
    pub(crate) len: u64,
}

/// What becomes of a piece.
#[derive(Debug)]
pub(crate) enum Verdict {
    Pass,
    /// It passes, changed.
    Changed(&'static str),
    /// It does not pass.
    Drop(&'static str),
    /// So many of its bytes pass, then this happens.
    Cut(usize, Act),
}

/// What a fault does to a connection as a whole.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// It ends.
    End(How),
    /// One end is gone: its socket is reset, the other hears nothing.
    Vanish(Side),
    /// The flow is forgotten, for now without a sign.
    Forget,
    /// A Close frame to one end, then FIN.
    Goodbye(Side, u16, String),
    /// The client is answered by the proxy, then FIN.
    Answer(Vec<u8>),
    /// Only to be told: the links do it, or it is done.
    Tell(String),
}

/// The concern of a fault; `None`: it concerns the listener only.
pub(crate) fn concern(spec: &Spec, start: &Start) -> Option<Box<dyn Concern>> {
    let began = start.began();
    let ways = ways(spec.direction);
    Some(match &spec.fault {
        Kind::Refuse { .. } | Kind::AcceptDelay { .. } => return None,
        Kind::Latency { .. }
        | Kind::Bandwidth { .. }
        | Kind::Slices { .. }
        | Kind::Flapping { .. }
        | Kind::SlowClose { .. }
        | Kind::BlackHole { .. }
        | Kind::Stall { .. }
        | Kind::Suspend { .. } => path::concern(spec, began),
        Kind::HalfOpen { after } => {
            let gone = if spec.direction == Direction::Down { Side::A } else { Side::B };
            timed::at(began + *after, Act::Vanish(gone))
        }
        Kind::CloseFrame { after, code, reason } => {
            let to = if spec.direction == Direction::Up { Side::B } else { Side::A };
            timed::at(began + *after, Act::Goodbye(to, *code, reason.clone()))
        }
        Kind::Cut { when: When::Age(age), spread, how } => {
            timed::at(began + timed::spread(*age, *spread, start.seed), Act::End(how.clone()))
        }
        Kind::Cut { when, how, .. } => cut::concern(*when, how.clone(), ways, start.seed),
        Kind::IdleCut { after, how, counts } => {
            let counts = match (counts, spec.direction) {
                (Counts::Any, Direction::Up) => Counts::Up,
                (Counts::Any, Direction::Down) => Counts::Down,
                (counts, _) => *counts,
            };
            idle::cut(began, *after, how.clone(), counts)
        }
        Kind::SilentDrop { when: Forget::After(after) } => idle::forget_after(began, *after),
        Kind::SilentDrop { when: Forget::Age(age) } => idle::forget_at(began + *age),
        Kind::DropPings => drop_control::pings(ways),
        Kind::DropPongs => drop_control::pongs(ways),
        Kind::Header { name, set, request } => handshake::header(name, set.as_deref(), *request),
        Kind::Compression { mode: crate::spec::Mode::Strip } => handshake::strip_extensions(ways),
        Kind::Compression { mode: crate::spec::Mode::Corrupt } => corrupt::concern(ways, start.seed),
        Kind::Status { status, headers, body } => handshake::status(*status, headers, body),
        Kind::Reload { when, grace, how } => {
            timed::maybe(next(*when, start).map(|at| at + *grace), Act::End(how.clone()))
        }
        Kind::Restart { when, how, .. } => timed::maybe(next(*when, start), Act::End(how.clone())),
    })
}

/// The first instant of a schedule at which the connection is open.
fn next(schedule: Schedule, start: &Start) -> Option<Instant> {
    match schedule {
        Schedule::At(at) => Some(start.since + at).filter(|at| *at >= start.opened),
        Schedule::Every(every) => {
            let before = start.opened.saturating_duration_since(start.since);
            let periods = before.as_nanos() / every.as_nanos().max(1) + 1;
            // A schedule whose next instant no clock can hold never comes.
            let periods = u32::try_from(periods).ok()?;
            start.since.checked_add(every.checked_mul(periods)?)
        }
    }
}

/// The sending ends of a direction, indexed by end.
fn ways(direction: Direction) -> [bool; 2] {
    [direction.is_up(), direction.is_down()]
}
