//! Worker processes: a plan and commands on standard input, updates on standard output, each one line of JSON.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::engine::message::{Command, Update, WorkerFailure};
use crate::engine::worker::work;
use crate::plan::Plan;

/// The maximum number of updates that wait for the coordinator.
pub(crate) const MAX_PENDING_UPDATES: usize = 64;

/// The command that starts a worker process. The process must call [`serve_worker`] and nothing else.
#[derive(Debug, Clone)]
pub struct WorkerProgram {
    /// The path of the executable.
    pub path: std::path::PathBuf,
    /// The arguments of the executable.
    pub arguments: Vec<String>,
}

/// The updates of all workers, with the number of the worker.
pub(crate) type Updates = mpsc::Sender<(u32, Update)>;

/// A worker process, as the coordinator sees it. The process is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    child: Child,
    stdin: ChildStdin,
    reader: JoinHandle<()>,
}

impl WorkerProcess {
    /// Starts a worker process and sends it its plan.
    pub(crate) async fn start(
        number: u32,
        plan: &Plan,
        program: &WorkerProgram,
        updates: Updates,
    ) -> Result<WorkerProcess, WorkerFailure> {
        let mut child = tokio::process::Command::new(&program.path)
            .args(&program.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C on a terminal is for the coordinator, which then stops the workers.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| WorkerFailure::Start(error.to_string()))?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(WorkerFailure::Start("it has no pipes".to_owned()));
        };
        write_line(&mut stdin, plan).await.map_err(|error| WorkerFailure::Plan(error.to_string()))?;
        let reader = tokio::task::spawn_local(forward(number, BufReader::new(stdout).lines(), updates));
        Ok(WorkerProcess { child, stdin, reader })
    }

    /// Sends a command. If that fails, the worker has already reported that it exited.
    pub(crate) async fn send(&mut self, command: Command) {
        let _ = write_line(&mut self.stdin, &command).await;
    }

    /// Waits until the process has exited.
    pub(crate) async fn wait(&mut self) {
        // The result of the worker is known, so its exit status is irrelevant.
        let _ = self.child.wait().await;
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn write_line<T: serde::Serialize>(
    to: &mut (impl AsyncWrite + Unpin),
    value: &T,
) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await
}

/// Passes the updates of a process on, up to the last one.
async fn forward(number: u32, mut lines: Lines<BufReader<ChildStdout>>, updates: Updates) {
    loop {
        let update = match lines.next_line().await {
            Ok(Some(line)) => serde_json::from_str(&line)
                .unwrap_or_else(|error| Update::Failed(WorkerFailure::MalformedUpdate(error.to_string()))),
            Ok(None) => Update::Failed(WorkerFailure::NoResult),
            Err(error) => Update::Failed(WorkerFailure::Read(error.to_string())),
        };
        let is_last = matches!(update, Update::Done(_) | Update::Failed(_));
        if updates.send((number, update)).await.is_err() || is_last {
            return;
        }
    }
}

/// Runs a worker process: reads its plan from standard input, carries it out, and writes updates to standard output. Must run
/// within a [`tokio::task::LocalSet`] on a current-thread runtime.
///
/// # Errors
/// The coordinator is gone, or did not send a valid plan.
pub async fn serve_worker() -> std::io::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let first = lines.next_line().await?.unwrap_or_default();
    let plan: Plan = serde_json::from_str(&first)?;
    let (commands, receiver) = mpsc::channel(4);
    let listener = tokio::task::spawn_local(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let Ok(command) = serde_json::from_str(&line) else { continue };
            if commands.send(command).await.is_err() {
                return;
            }
        }
        // The coordinator is gone; dropping the sender stops the run.
    });
    let (sender, mut updates) = mpsc::channel(MAX_PENDING_UPDATES);
    let job = async move {
        let last = work(plan, receiver, &sender).await;
        let _ = sender.send(last).await;
    };
    let writer = async {
        let mut stdout = tokio::io::stdout();
        while let Some(update) = updates.recv().await {
            write_line(&mut stdout, &update).await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let ((), written) = tokio::join!(job, writer);
    listener.abort();
    written
}
