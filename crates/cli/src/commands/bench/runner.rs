//! Runs plans, and ends them when the user interrupts.

use std::io;

use anyhow::anyhow;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use undrop_bench::{Mode, Plan, SetupError, Snapshot, Tally, WorkerProgram};
use undrop_text::number::thousands;

use super::live;
use crate::exit::{Code, Failure};

/// The maximum number of worker processes.
const MAX_WORKERS: u64 = 256;

/// Runs one plan after the other. A signal that arrives between two runs ends the next one.
pub(super) struct Runner {
    /// Present until `Runner` is dropped.
    runtime: Option<Runtime>,
    program: WorkerProgram,
    interrupt: Signal,
    terminate: Signal,
}

impl Runner {
    pub(super) fn new() -> io::Result<Runner> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let arguments = vec!["bench".to_owned(), "worker".to_owned()];
        let program = WorkerProgram { path: std::env::current_exe()?, arguments };
        let (interrupt, terminate) = {
            let _within = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        Ok(Runner { runtime: Some(runtime), program, interrupt, terminate })
    }

    /// Runs a plan and shows its progress. The first Ctrl-C or SIGTERM ends it early, with a report of what was measured; a second
    /// one ends the process at once.
    pub(super) fn run(&mut self, plan: &Plan, mut progress: live::Progress) -> Result<Tally, Failure> {
        let Runner { runtime, program, interrupt, terminate } = self;
        let Some(runtime) = runtime else { return Err(io::Error::other("the runner was shut down").into()) };
        let (stop, mut stopped) = mpsc::channel(1);
        progress.stop_with(stop.clone());
        let tally = runtime.block_on(LocalSet::new().run_until(async {
            let show = |snapshot: &Snapshot| progress.show(snapshot);
            let mut run = std::pin::pin!(undrop_bench::run(plan, program, show, &mut stopped));
            let mut stopping = false;
            loop {
                // By convention of shells: 128 plus the number of the signal.
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
                // If the channel is full, the live view has already requested the end; if it is closed, the run is over.
                let _ = stop.try_send(());
            }
        }));
        drop(progress);
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
        // The thread that resolves a name may be blocked in a call that cannot be interrupted.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Checks that each worker process may open enough files for its connections.
pub(super) fn check_file_limit(plan: &Plan) -> Result<(), Failure> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let needed = plan.files_per_worker();
    let Some(limit) = limit.filter(|limit| *limit < needed) else { return Ok(()) };
    // In these modes the number of open connections is known only during the run.
    if matches!(plan.mode, Mode::Scenario(_) | Mode::Churn { .. } | Mode::Ramp { .. }) {
        return Ok(());
    }
    let workers = (needed * u64::from(plan.workers)).div_ceil(limit.saturating_sub(128).max(1));
    let connections = thousands(plan.connections.into());
    let error = if workers > MAX_WORKERS {
        anyhow!(
            "-c: {connections} connections are more than {MAX_WORKERS} processes can have, the maximum, with {limit} open \
             files each; raise that limit (`ulimit -Hn`), or start undrop on several machines"
        )
    } else {
        anyhow!(
            "{connections} connections need {needed} open files in each of {} processes, but only {limit} are allowed; use \
             --workers {workers}",
            plan.workers
        )
    };
    Err(Failure::new(Code::Usage, error))
}

/// Raises the limit of open files to the hard limit, since each connection is one.
pub(super) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // If this fails, running out of files is reported as such.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
