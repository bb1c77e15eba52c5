//! A whole run: the workers, in this process or in others, from the first connection to one tally.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use undrop_frame::LocalFault;

use crate::clock::unix_us;
use crate::connection::handshake::{Opener, SetupError};
use crate::engine::message::{Command, Update, WorkerFailure};
use crate::engine::process::{MAX_PENDING_UPDATES, Updates, WorkerProcess, WorkerProgram};
use crate::engine::worker::work;
use crate::metrics::snapshot::Snapshot;
use crate::metrics::tally::{EndingRecord, Tally};
use crate::plan::Plan;

/// Runs a plan with the number of workers that it states. A single worker runs in this process; several run in separate
/// processes, since each process has its own limit of open files and can use one more processor. `show` receives merged snapshots of
/// all workers. A message on `stop` ends the run early; the tally then covers what was measured so far. Must run within a
/// [`tokio::task::LocalSet`] on a current-thread runtime.
///
/// # Errors
/// The plan cannot be carried out, or a worker failed before all connections were attempted.
pub async fn run(
    plan: &Plan,
    program: &WorkerProgram,
    show: impl FnMut(&Snapshot),
    stop: &mut mpsc::Receiver<()>,
) -> Result<Tally, SetupError> {
    // Errors in the target are found here, before any worker is started.
    Opener::new(&plan.target).await?;
    let mut plan = plan.clone();
    plan.epoch_us = unix_us();
    let shares = plan.split(plan.workers);
    let (sender, mut updates) = mpsc::channel(MAX_PENDING_UPDATES);
    let mut workers = Vec::new();
    let is_single = shares.len() == 1;
    for (number, share) in (0_u32..).zip(shares) {
        workers.push(if is_single {
            start_local(share, sender.clone())
        } else {
            let process = WorkerProcess::start(number, &share, program, sender.clone()).await;
            WorkerHandle::Process(Box::new(process.map_err(|why| SetupError::Worker(number, why))?))
        });
    }
    drop(sender);
    let mut coordinator = Coordinator {
        latest: vec![Snapshot::default(); workers.len()],
        workers,
        opened: 0,
        done: 0,
        fresh: 0,
        tally: Tally::default(),
        show,
    };
    let mut is_stopping = false;
    while coordinator.done < coordinator.workers.len() {
        tokio::select! {
            Some(()) = stop.recv(), if !is_stopping => {
                is_stopping = true;
                coordinator.send_all(Command::Stop).await;
            }
            update = updates.recv() => match update {
                Some((number, update)) => coordinator.on_update(number, update).await?,
                None => return Err(SetupError::Worker(0, WorkerFailure::NoResult)),
            },
        }
    }
    Ok(coordinator.finish().await)
}

struct Coordinator<F> {
    workers: Vec<WorkerHandle>,
    /// The latest snapshot of each worker.
    latest: Vec<Snapshot>,
    /// The number of snapshots since the last merged one.
    fresh: usize,
    /// The number of workers that have attempted to open all their connections.
    opened: usize,
    /// The number of workers that have finished or failed.
    done: usize,
    tally: Tally,
    show: F,
}

impl<F: FnMut(&Snapshot)> Coordinator<F> {
    async fn send_all(&mut self, command: Command) {
        for worker in &mut self.workers {
            worker.send(command).await;
        }
    }

    async fn on_update(&mut self, number: u32, update: Update) -> Result<(), SetupError> {
        match update {
            Update::Opened => {
                self.opened += 1;
                if self.opened == self.workers.len() {
                    self.send_all(Command::Go).await;
                }
            }
            Update::Snapshot(snapshot) => self.on_snapshot(number, snapshot),
            Update::Done(part) => {
                self.done += 1;
                self.tally.merge(*part);
            }
            Update::Failed(failure) => return self.on_failure(number, failure),
        }
        Ok(())
    }

    fn on_snapshot(&mut self, number: u32, snapshot: Snapshot) {
        if let Some(place) = self.latest.get_mut(number as usize) {
            *place = snapshot;
        }
        self.fresh += 1;
        if self.fresh < self.workers.len() - self.done {
            return;
        }
        self.fresh = 0;
        let mut merged: Option<Snapshot> = None;
        for snapshot in &mut self.latest {
            // Recent latency is shown only once.
            let recent = std::mem::take(&mut snapshot.recent);
            let snapshot = Snapshot { recent, ..snapshot.clone() };
            match &mut merged {
                Some(merged) => merged.merge(snapshot),
                None => merged = Some(snapshot),
            }
        }
        merged.iter().for_each(&mut self.show);
    }

    fn on_failure(&mut self, number: u32, failure: WorkerFailure) -> Result<(), SetupError> {
        if self.workers.len() == 1 {
            return Err(SetupError::OnlyWorker(failure));
        }
        if self.opened < self.workers.len() {
            return Err(SetupError::Worker(number, failure));
        }
        // The results of the other workers are kept; the connections of this one count as ended.
        self.done += 1;
        if let Some(last) = self.latest.get_mut(number as usize) {
            self.tally.merge(tally_of_failed(last, number, &failure));
            last.alive = 0;
        }
        Ok(())
    }

    async fn finish(mut self) -> Tally {
        for worker in &mut self.workers {
            if let WorkerHandle::Process(process) = worker {
                process.wait().await;
            }
        }
        self.tally.classify_silent_streams();
        self.tally
    }
}

/// Returns the tally of a worker that exited without a result, according to its last snapshot.
fn tally_of_failed(last: &Snapshot, number: u32, failure: &WorkerFailure) -> Tally {
    let mut tally = Tally {
        asked: last.asked,
        opened: last.asked.saturating_sub(last.failed),
        intended: last.intended,
        sent: last.sent,
        received: last.received,
        ..Tally::default()
    };
    let ending = LocalFault::Worker(format!("worker {number} {failure}")).into();
    let record = EndingRecord { ending, age_s: last.at_s, at_s: last.at_s };
    for _ in 0..tally.opened {
        tally.ended(record.clone());
    }
    tally
}

/// One worker, as the coordinator sees it.
enum WorkerHandle {
    Local { commands: mpsc::Sender<Command>, task: JoinHandle<()> },
    Process(Box<WorkerProcess>),
}

impl WorkerHandle {
    async fn send(&mut self, command: Command) {
        match self {
            // If sending fails, the worker has already reported that it ended.
            WorkerHandle::Local { commands, .. } => drop(commands.send(command).await),
            WorkerHandle::Process(process) => process.send(command).await,
        }
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        if let WorkerHandle::Local { task, .. } = self {
            task.abort();
        }
    }
}

/// Starts a worker in this process.
fn start_local(plan: Plan, updates: Updates) -> WorkerHandle {
    let (commands, receiver) = mpsc::channel(4);
    let task = tokio::task::spawn_local(async move {
        let (sender, mut own) = mpsc::channel(MAX_PENDING_UPDATES);
        let forward = async {
            while let Some(update) = own.recv().await {
                if updates.send((0, update)).await.is_err() {
                    return;
                }
            }
        };
        let job = async move {
            let last = work(plan, receiver, &sender).await;
            // Fails if the coordinator is gone.
            let _ = sender.send(last).await;
        };
        tokio::join!(job, forward);
    });
    WorkerHandle::Local { commands, task }
}
