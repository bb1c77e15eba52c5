//! Snapshots of a run for a live view.

use serde::{Deserialize, Serialize};
use undrop_frame::Ending;

use crate::metrics::failure::{FailureKind, KindCounts};
use crate::metrics::histogram::Times;

/// The state of a run at one moment. Snapshots of several workers can be merged.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The time in seconds since the start of the run.
    pub at_s: f64,
    /// The phase of the run.
    pub phase: RunPhase,
    /// The number of connections to open.
    pub asked: u64,
    /// The number of connections that are open.
    pub alive: u64,
    /// The number of handshakes in progress.
    pub opening: u64,
    /// The number of connections that could not be opened so far.
    pub failed: u64,
    /// The endings so far, by kind.
    pub endings: KindCounts<Ending>,
    /// The failed handshakes so far, by kind.
    pub failures: KindCounts<FailureKind>,
    /// The number of messages that the schedule wanted sent so far.
    pub intended: u64,
    /// The number of messages sent so far.
    pub sent: u64,
    /// The number of messages received so far.
    pub received: u64,
    /// The number of payload bytes received so far.
    pub bytes_received: u64,
    /// The number of payload bytes sent so far.
    pub bytes_sent: u64,
    /// The number of lost links that were restored so far.
    pub resumes: u64,
    /// Latency since the previous snapshot, corrected for coordinated omission where there is a schedule.
    pub recent: Times,
}

/// The phase of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunPhase {
    /// Connections are being opened.
    #[default]
    Opening,
    /// The load is on.
    Running,
    /// Nothing more is sent; replies are awaited.
    Settling,
    /// Connections that are still open are checked for liveness and closed.
    Closing,
}

impl Snapshot {
    /// Adds the snapshot of another worker.
    pub fn merge(&mut self, other: Snapshot) {
        self.at_s = self.at_s.max(other.at_s);
        self.phase = self.phase.min(other.phase);
        self.asked += other.asked;
        self.alive += other.alive;
        self.opening += other.opening;
        self.failed += other.failed;
        self.endings.merge(other.endings);
        self.failures.merge(other.failures);
        self.intended += other.intended;
        self.sent += other.sent;
        self.received += other.received;
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        self.resumes += other.resumes;
        self.recent.merge(&other.recent);
    }
}
