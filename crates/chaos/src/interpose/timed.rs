//! Something that happens once, at a given time.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{Act, Concern};

pub(super) fn at(at: Instant, act: Act) -> Box<dyn Concern> {
    maybe(Some(at), act)
}

/// `None`: never.
pub(super) fn maybe(at: Option<Instant>, act: Act) -> Box<dyn Concern> {
    Box::new(Timed { at, act })
}

/// `age`, more or less by up to `part` of it.
pub(super) fn spread(age: Duration, part: f64, seed: u64) -> Duration {
    let draw = Rng::with_seed(seed).f64() * 2.0 - 1.0;
    age.mul_f64((1.0 + draw * part).max(0.0))
}

#[derive(Debug)]
struct Timed {
    at: Option<Instant>,
    act: Act,
}

impl Concern for Timed {
    fn deadline(&self) -> Option<Instant> {
        self.at
    }

    fn expired(&mut self) -> Option<Act> {
        self.at = None;
        Some(self.act.clone())
    }
}
