//! Latency with jitter.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::effect::{Effect, Push, Verdict};

/// Time that a piece of data is under way. Order is kept: a late piece holds up the ones behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// Least time under way.
    pub base: Duration,
    /// The measure of what is added per push; how it is used is the distribution's matter.
    pub jitter: Duration,
    /// How the added time is drawn.
    pub distribution: Distribution,
}

/// How the time that is added to [`Latency::base`] is drawn. `j` is [`Latency::jitter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Distribution {
    /// Anything from 0 to `j`, equally often.
    #[default]
    Uniform,
    /// The upper half of a bell with standard deviation `j`: two thirds below `j`, never more than `4 j`.
    Normal,
    /// A long tail (Pareto, shape 2): half below `0.41 j`, a mean of `j`, one in a hundred above `9 j`, never more than
    /// `20 j`.
    Pareto,
}

impl Latency {
    /// Draws the time under way of one piece.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Duration {
        self.base + self.jitter.mul_f64(self.distribution.draw(rng))
    }

    /// For a link that is open already: its own draws, and it delays ends too.
    pub(crate) fn later(self) -> Box<dyn Effect> {
        Box::new(Later(self))
    }
}

impl Distribution {
    fn draw(self, rng: &mut Rng) -> f64 {
        let u = rng.f64();
        match self {
            Distribution::Uniform => u,
            // Box and Muller; 1 - u is never 0.
            Distribution::Normal => {
                let z = (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos();
                z.abs().min(4.0)
            }
            Distribution::Pareto => ((1.0 - u).powf(-0.5) - 1.0).min(20.0),
        }
    }
}

impl Effect for Latency {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> Verdict {
        push.due += self.draw(push.rng);
        Verdict::Pass
    }
}

#[derive(Debug)]
struct Later(Latency);

impl Effect for Later {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> Verdict {
        self.0.pushed(push)
    }

    fn ending(&mut self, rng: &mut Rng) -> Duration {
        self.0.draw(rng)
    }
}

/// Keeps deliveries in order whatever was drawn.
pub(crate) fn in_order(due: Instant, last: &mut Option<Instant>) -> Instant {
    let due = last.map_or(due, |last| due.max(last));
    *last = Some(due);
    due
}
