//! Counters and histograms of a run.

pub(crate) mod failure;
pub(crate) mod histogram;
pub(crate) mod recorder;
pub(crate) mod snapshot;
pub(crate) mod tally;
pub(crate) mod timeline;
