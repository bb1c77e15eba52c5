//! The parts of a worker that its connections and virtual users use.

use std::cell::{Cell, RefCell};

use crate::clock::Clock;
use crate::engine::counters::Counters;
use crate::engine::schedule::Schedule;
use crate::engine::storm::StormProgress;
use crate::metrics::recorder::Recorder;
use crate::metrics::snapshot::RunPhase;
use crate::plan::Plan;

/// The surroundings of a connection. A worker and all its connections run on one thread.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) plan: Plan,
    pub(crate) clock: Clock,
    /// The number of the run, which is part of every stamp.
    pub(crate) run_id: u16,
    pub(crate) phase: Cell<RunPhase>,
    pub(crate) metrics: Recorder,
    pub(crate) counters: Counters,
    pub(crate) schedule: Schedule,
    pub(crate) storm: StormProgress,
    /// The time of the last receipt on any connection.
    pub(crate) last_received_us: Cell<u64>,
    /// Set when a message of a sink was received.
    pub(crate) is_sink: Cell<bool>,
    /// A buffer in which messages are composed.
    pub(crate) scratch: RefCell<Vec<u8>>,
    pub(crate) random: RefCell<fastrand::Rng>,
}

impl Environment {
    pub(crate) fn new(plan: Plan) -> Environment {
        let seed = plan.seed ^ u64::from(plan.first).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Environment {
            clock: Clock::new(plan.epoch_us),
            run_id: (plan.seed ^ plan.epoch_us) as u16,
            phase: Cell::new(RunPhase::Opening),
            metrics: Recorder::new(u64::from(plan.connections)),
            counters: Counters::default(),
            schedule: Schedule::default(),
            storm: StormProgress::default(),
            last_received_us: Cell::new(0),
            is_sink: Cell::new(false),
            scratch: RefCell::default(),
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
            plan,
        }
    }
}
