//! The metrics of one worker while it runs.

use std::cell::{RefCell, RefMut};

use crate::metrics::histogram::Times;
use crate::metrics::snapshot::{RunPhase, Snapshot};
use crate::metrics::tally::Tally;

/// The tally of a worker, and the latency since its last snapshot. A borrow must not be held across an `await`.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    tally: RefCell<Tally>,
    recent: RefCell<Times>,
}

impl Recorder {
    pub(crate) fn new(asked: u64) -> Recorder {
        let tally = Tally { asked, ..Tally::default() };
        Recorder { tally: RefCell::new(tally), recent: RefCell::default() }
    }

    /// Allocates the memory that does not depend on the number of connections.
    pub(crate) fn prepare(&self) {
        self.tally.borrow_mut().prepare();
        self.recent.borrow_mut().prepare();
    }

    pub(crate) fn tally(&self) -> RefMut<'_, Tally> {
        self.tally.borrow_mut()
    }

    /// Returns the latency since the last snapshot.
    pub(crate) fn recent(&self) -> RefMut<'_, Times> {
        self.recent.borrow_mut()
    }

    /// Returns the final tally and leaves an empty one.
    pub(crate) fn take(&self) -> Tally {
        self.tally.take()
    }

    /// Returns a snapshot with the counters of the tally.
    pub(crate) fn snapshot(&self, at_s: f64, phase: RunPhase) -> Snapshot {
        let tally = self.tally.borrow();
        let mut snapshot = Snapshot {
            at_s,
            phase,
            asked: tally.asked,
            failed: tally.failed_count(),
            intended: tally.intended,
            sent: tally.sent,
            received: tally.received,
            bytes_received: tally.bytes_received,
            bytes_sent: tally.bytes_sent,
            resumes: tally.resumes,
            endings: tally.ending_kinds.clone(),
            recent: std::mem::take(&mut *self.recent.borrow_mut()),
            ..Snapshot::default()
        };
        for group in &tally.failures {
            if let Some(kind) = &group.kind {
                snapshot.failures.add(kind.clone(), group.count);
            }
        }
        snapshot
    }
}
