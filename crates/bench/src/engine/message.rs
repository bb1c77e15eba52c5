//! Messages between the coordinator and its workers. They travel to worker processes as JSON.

use serde::{Deserialize, Serialize};

use crate::metrics::snapshot::Snapshot;
use crate::metrics::tally::Tally;

/// A command of the coordinator to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Command {
    /// Starts the load: all workers have attempted to open all their connections.
    Go,
    /// Ends the run early.
    Stop,
}

/// A report of a worker to the coordinator.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Update {
    /// Every connection was attempted.
    Opened,
    /// The state of the run, several times per second.
    Snapshot(Snapshot),
    /// The worker has finished.
    Done(Box<Tally>),
    /// The worker has exited without a result.
    Failed(WorkerFailure),
}

/// The reason why a worker exited without a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WorkerFailure {
    /// The process cannot be started.
    #[error("cannot be started: {0}")]
    Start(String),
    /// The plan cannot be written to the process.
    #[error("did not accept its plan: {0}")]
    Plan(String),
    /// The worker cannot carry out its plan.
    #[error("{0}")]
    Setup(String),
    /// The process sent something that is not an update.
    #[error("sent a malformed update: {0}")]
    MalformedUpdate(String),
    /// The output of the process cannot be read.
    #[error("cannot be read from: {0}")]
    Read(String),
    /// The process exited, or the task ended, before it sent a result.
    #[error("exited without a result")]
    NoResult,
}
