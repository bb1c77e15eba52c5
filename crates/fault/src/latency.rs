//! Latency with random jitter.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::effect::{Effect, EffectVerdict, Push};

/// The travel time of data. Order is preserved: a late piece delays the pieces after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// The minimum travel time.
    pub base: Duration,
    /// The scale of the random addition per push, as defined by the distribution.
    pub jitter: Duration,
    /// The distribution of the random addition.
    pub distribution: Distribution,
}

/// The distribution of the time that is added to [`Latency::base`]. `j` is [`Latency::jitter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Distribution {
    /// Uniform from 0 to `j`.
    #[default]
    Uniform,
    /// The upper half of a normal distribution with standard deviation `j`: two thirds below `j`, at most `4 j`.
    Normal,
    /// A Pareto distribution of shape 2, which has a long tail: median `0.41 j`, mean `j`, one in a hundred above
    /// `9 j`, at most `20 j`.
    Pareto,
}

impl Latency {
    /// Draws the travel time of one piece.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Duration {
        self.base + self.jitter.mul_f64(self.distribution.draw(rng))
    }

    /// Returns the effect for a link that is already open, which delays the end of the stream as well. (A link that is
    /// opened with a latency delays the end itself.)
    pub(crate) fn added_effect(self) -> Box<dyn Effect> {
        Box::new(AddedLatency(self))
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
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> EffectVerdict {
        push.due += self.draw(push.rng);
        EffectVerdict::Pass
    }
}

#[derive(Debug)]
struct AddedLatency(Latency);

impl Effect for AddedLatency {
    fn pushed(&mut self, push: &mut Push<'_, '_>) -> EffectVerdict {
        self.0.pushed(push)
    }

    fn ending(&mut self, rng: &mut Rng) -> Duration {
        self.0.draw(rng)
    }
}

/// Returns `due`, or `last` if that is later, so that deliveries stay in order.
pub(crate) fn in_order(due: Instant, last: &mut Option<Instant>) -> Instant {
    let due = last.map_or(due, |last| due.max(last));
    *last = Some(due);
    due
}
