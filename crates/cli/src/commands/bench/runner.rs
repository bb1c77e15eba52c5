//! Runs plans, and hears when the user wants an end.

use std::io;

use anyhow::anyhow;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use undrop_bench::{Mode, Plan, Program, SetupError, Snapshot, Tally};
use undrop_text::number::thousands;

use super::live;
use crate::exit::{Code, Failure};

/// Worker processes at most.
pub(super) const MOST_WORKERS: u64 = 256;

/// One run after the other; a signal that comes between two of them ends the next one.
pub(super) struct Runner {
    /// Always there until it is dropped.
    runtime: Option<Runtime>,
    program: Program,
    interrupt: Signal,
    terminate: Signal,
}

impl Runner {
    pub(super) fn new() -> io::Result<Runner> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let arguments = vec!["bench".to_owned(), "worker".to_owned()];
        let program = Program { path: std::env::current_exe()?, arguments };
        let (interrupt, terminate) = {
            let _within = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        Ok(Runner { runtime: Some(runtime), program, interrupt, terminate })
    }

    /// Runs a plan under a live view. The first Ctrl-C or SIGTERM ends it early, with what was found; a second one ends the
    /// process at once.
    pub(super) fn run(&mut self, plan: &Plan, mut face: live::Face) -> Result<Tally, Failure> {
        let Runner { runtime, program, interrupt, terminate } = self;
        let Some(runtime) = runtime else { return Err(io::Error::other("the run is over").into()) };
        let (stop, mut stopped) = mpsc::channel(1);
        face.stop_with(stop.clone());
        let tally = runtime.block_on(LocalSet::new().run_until(async {
            let show = |snapshot: &Snapshot| face.show(snapshot);
            let mut run = std::pin::pin!(undrop_bench::run(plan, program, show, &mut stopped));
            let mut stopping = false;
            loop {
                // As shells have it: 128 and the number of the signal.
                let code = tokio::select! {
                    tally = &mut run => return tally,
                    _ = interrupt.recv() => 130,
                    _ = terminate.recv() => 143,
                };
                if stopping {
                    live::restore();
                    std::process::exit(code);
                }
                stopping = true;
                // Full: the live view has said it already. Closed: the run is over.
                let _ = stop.try_send(());
            }
        }));
        drop(face);
        tally.map_err(|error| {
            let code = match error {
                SetupError::Tls(_) => Code::Tls,
                SetupError::Resolve(..) => Code::Handshake,
                _ => Code::Usage,
            };
            Failure::new(code, error)
        })
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // The thread that looks up a name may sit in a call that nothing ends.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Says what to do when the connections are more than a process may have files.
pub(super) fn enough_files(plan: &Plan) -> Result<(), Failure> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let needed = plan.files_per_worker();
    let Some(limit) = limit.filter(|limit| *limit < needed) else { return Ok(()) };
    // Users of a scenario come and go; how many are there at once is seen while it runs.
    if matches!(plan.mode, Mode::Scenario(_) | Mode::Churn { .. } | Mode::Ramp { .. }) {
        return Ok(());
    }
    let workers = (needed * u64::from(plan.workers)).div_ceil(limit.saturating_sub(128).max(1));
    let connections = thousands(plan.connections.into());
    let error = if workers > MOST_WORKERS {
        anyhow!(
            "-c: {connections} connections are more than {MOST_WORKERS} processes can have, the most there are, with {limit} open \
             files in each: raise that limit (`ulimit -Hn`), or start undrop on several machines"
        )
    } else {
        anyhow!(
            "{connections} connections need {needed} open files in each of {} processes, and {limit} are allowed: use --workers \
             {workers}",
            plan.workers
        )
    };
    Err(Failure::new(Code::Usage, error))
}

/// As many open files as the hard limit allows: each connection is one.
pub(super) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Without it, running out of files is reported as such.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
