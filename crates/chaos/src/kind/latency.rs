//! The fault `latency`: latency with jitter.

use std::time::Duration;

use undrop_fault::Fault;

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::links;
use crate::injector::{Injector, FaultStart};
use crate::parameters::{DURATION, Parameters};
use crate::spec_error::FaultSpecError;

pub use undrop_fault::{Distribution, Latency};

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "latency",
    summary: "Data and the end of the stream arrive later.",
    description: "Data and the end of the stream arrive later by `base` plus a random time. The distribution of the random time is `uniform` (up to `jitter`), `normal` (the upper half of a normal distribution with standard deviation `jitter`) or `pareto` (a long tail with mean `jitter`).",
    examples: &["latency base=40ms", "latency base=40ms distribution=pareto jitter=10ms", "latency base=1s distribution=normal jitter=500ms"],
};

impl FaultBehavior for Latency {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.required("base", &DURATION, &mut self.base)?;
        parameters.with_default("jitter", &DURATION, &mut self.jitter, Duration::ZERO)?;
        let distributions = [
            ("uniform", Distribution::Uniform),
            ("normal", Distribution::Normal),
            ("pareto", Distribution::Pareto),
        ];
        parameters.choice("distribution", &mut self.distribution, &distributions)
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let fault = Fault { latency: Some(*self), ..Fault::default() };
        Some(links::injector(start, start.direction.senders(), Duration::ZERO, fault))
    }
}
