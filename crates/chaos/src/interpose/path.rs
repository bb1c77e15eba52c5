//! Faults that the links of the pair carry out by themselves.

use std::time::Instant;

use undrop_fault::{Bandwidth, Fault, Flapping, Hold, Latency, Side, Slices, SlowClose};

use super::{Act, Concern, ways};
use crate::spec::{Direction, Kind, Spec};

pub(super) fn concern(spec: &Spec, began: Instant) -> Box<dyn Concern> {
    let none = Fault::default();
    let hold = |after, lasts, ends_pass| Some(Hold { after, lasts, ends_pass });
    let mut direction = spec.direction;
    let mut at = began;
    let fault = match spec.fault {
        Kind::Latency { base, jitter, distribution } => {
            Fault { latency: Some(Latency { base, jitter, distribution }), ..none }
        }
        Kind::Bandwidth { rate } => Fault { bandwidth: Some(Bandwidth { bytes_per_second: rate }), ..none },
        Kind::Slices { size, gap } => Fault { slices: Some(Slices { min: size, max: size, gap }), ..none },
        Kind::Flapping { up, down } => Fault { flapping: Some(Flapping { up, down }), ..none },
        Kind::SlowClose { delay } => Fault { slow_close: Some(SlowClose { delay }), ..none },
        Kind::BlackHole { after, lasts } => {
            at = began + after;
            Fault { hold: hold(after, lasts, false), ..none }
        }
        Kind::Stall { after, lasts } => {
            at = began + after;
            Fault { hold: hold(after, lasts, true), ..none }
        }
        Kind::Suspend { after, lasts } => {
            // A device that sleeps neither reads nor writes.
            direction = Direction::Both;
            at = began + after;
            Fault { hold: hold(after, lasts, false), ..none }
        }
        // The others have concerns of their own.
        _ => none,
    };
    Box::new(Path { fault, ways: ways(direction), at: Some(at), what: spec.to_string() })
}

#[derive(Debug)]
struct Path {
    fault: Fault,
    ways: [bool; 2],
    /// When it begins to work, to be told.
    at: Option<Instant>,
    what: String,
}

impl Concern for Path {
    fn links(&self) -> Vec<(Side, Fault)> {
        [Side::A, Side::B]
            .into_iter()
            .filter(|from| self.ways[*from as usize])
            .map(|from| (from, self.fault.clone()))
            .collect()
    }

    fn deadline(&self) -> Option<Instant> {
        self.at
    }

    fn expired(&mut self) -> Option<Act> {
        self.at = None;
        Some(Act::Tell(self.what.clone()))
    }
}
