//! The times at which users arrive: the schedule of an open workload.
//!
//! With a rate that goes from `a` to `b` in `D` seconds, `N(t) = a t + (b - a) t² / 2D` users are due after `t` seconds. A user arrives
//! whenever the sum of `N` over all phases reaches the next whole number (or, for Poisson, the next point of a unit-rate process), so no
//! fraction of a user is lost between phases, and the number of arrivals is exact whatever the ramp.

use std::time::Duration;

use crate::model::{ArrivalPattern, ArrivalPhase, Flow, Scenario, Spacing};

/// The arrival of one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The time since the start of the run.
    pub at: Duration,
    /// The number of the user, from 0, in order of arrival.
    pub user: u64,
    /// The index into [`Scenario::phases`], whose `max_users` applies to this arrival; 0 without phases.
    pub phase: usize,
    /// The index into [`Scenario::flows`], chosen by weight.
    pub flow: usize,
}

impl Scenario {
    /// Returns the arrivals of all users. The same seed gives the same schedule, and several iterators are independent.
    pub fn arrivals(&self, seed: u64) -> Arrivals<'_> {
        Arrivals::new(&self.phases, &self.flows, seed)
    }
}

/// The arrivals of a scenario, ordered by time. See [`Scenario::arrivals`].
#[derive(Clone, Debug)]
pub struct Arrivals<'a> {
    phases: &'a [ArrivalPhase],
    flows: &'a [Flow],
    rng: fastrand::Rng,
    phase: usize,
    /// The start of the current phase in seconds.
    start: f64,
    /// The number of users that were due before the current phase, including the fraction that is carried into it.
    due_before: f64,
    /// The value of the sum of `N` at which the next user arrives.
    next_due: f64,
    /// The number of users of an [`ArrivalPattern::Count`] phase that have arrived.
    counted: u64,
    user: u64,
    weights: u64,
}

/// The tolerance for rounding errors in sums of fractions; no schedule is finer than this.
const NEARLY: f64 = 1e-6;

impl<'a> Arrivals<'a> {
    pub(crate) fn new(phases: &'a [ArrivalPhase], flows: &'a [Flow], seed: u64) -> Self {
        Self {
            phases,
            flows,
            rng: fastrand::Rng::with_seed(seed),
            phase: 0,
            start: 0.0,
            due_before: 0.0,
            next_due: 0.0,
            counted: 0,
            user: 0,
            weights: flows.iter().map(|flow| u64::from(flow.weight)).sum(),
        }
    }

    fn arrive(&mut self, at: f64) -> Arrival {
        let arrival = Arrival {
            at: Duration::try_from_secs_f64(at.max(0.0)).unwrap_or(Duration::MAX),
            user: self.user,
            phase: self.phase,
            flow: self.pick_flow(),
        };
        self.user += 1;
        arrival
    }

    fn pick_flow(&mut self) -> usize {
        if self.flows.len() < 2 || self.weights == 0 {
            return 0;
        }
        let mut pick = self.rng.u64(..self.weights);
        for (index, flow) in self.flows.iter().enumerate() {
            match pick.checked_sub(u64::from(flow.weight)) {
                Some(rest) => pick = rest,
                None => return index,
            }
        }
        0
    }

    fn leave_phase(&mut self, length: Duration) {
        self.start += length.as_secs_f64();
        self.counted = 0;
        self.phase += 1;
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        if self.phases.is_empty() {
            return (self.user == 0).then(|| self.arrive(0.0));
        }
        loop {
            match self.phases.get(self.phase)?.load {
                ArrivalPattern::Pause(length) => self.leave_phase(length),
                ArrivalPattern::Count { duration, users } => {
                    if self.counted < users {
                        let at = self.start + duration.as_secs_f64() * (self.counted as f64 / users as f64);
                        self.counted += 1;
                        return Some(self.arrive(at));
                    }
                    self.leave_phase(duration);
                }
                ArrivalPattern::Rate { duration, from, to, spacing } => {
                    let length = duration.as_secs_f64();
                    let due_in_phase = (from + to) / 2.0 * length;
                    let due = (self.next_due - self.due_before).max(0.0);
                    if due < due_in_phase - NEARLY {
                        let at = self.start + time_when_due(due, from, (to - from) / (2.0 * length));
                        self.next_due += match spacing {
                            Spacing::Even => 1.0,
                            Spacing::Poisson => -(1.0 - self.rng.f64()).ln(),
                        };
                        return Some(self.arrive(at.min(self.start + length)));
                    }
                    self.due_before += due_in_phase;
                    self.leave_phase(duration);
                }
            }
        }
    }
}

/// Solves `quadratic t² + linear t = due` for the first `t`, in the form that does not cancel digits.
fn time_when_due(due: f64, linear: f64, quadratic: f64) -> f64 {
    let denominator = linear + (linear * linear + 4.0 * quadratic * due).max(0.0).sqrt();
    if denominator > 0.0 { 2.0 * due / denominator } else { 0.0 }
}
