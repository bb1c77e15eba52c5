//! Counters and histograms of a run.

pub(crate) mod histogram;
pub(crate) mod tally;
