//! A whole run: workers, in this process or in others, from the first connection to one tally.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::clock::unix_us;
use crate::connection::handshake::{Opener, SetupError};
use crate::engine::worker::{Command, Update, work};
use crate::metrics::tally::{EndingRecord, Snapshot, Tally};
use crate::plan::Plan;

/// Updates that wait for the coordinator.
const WAITING: usize = 64;

/// How worker processes are started: they must call [`serve_worker`] and nothing else.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable.
    pub path: std::path::PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// Runs a plan with as many workers as it says: one in this process, several as processes of their own, since each has its
/// own limit of open files and its own processor. `show` sees snapshots of all workers together. A message on `stop` ends
/// the run early, with what was found so far. Must run within a [`tokio::task::LocalSet`] on a current-thread runtime.
///
/// # Errors
/// The plan cannot be carried out at all.
pub async fn run(
    plan: &Plan,
    program: &Program,
    mut show: impl FnMut(&Snapshot),
    stop: &mut mpsc::Receiver<()>,
) -> Result<Tally, SetupError> {
    // What cannot work is found here, before any worker is there.
    Opener::new(&plan.target).await?;
    let mut plan = plan.clone();
    plan.epoch_us = unix_us();
    let shares = plan.split(plan.workers);
    let (sender, mut updates) = mpsc::channel(WAITING);
    let mut hands = Vec::new();
    let single = shares.len() == 1;
    for (number, share) in (0_u32..).zip(shares) {
        hands.push(if single {
            here(share, sender.clone())
        } else {
            Hand::Process(Box::new(start(number, &share, program, sender.clone()).await?))
        });
    }
    drop(sender);
    let mut opened = 0;
    let mut done = 0;
    let mut stopping = false;
    let mut tally = Tally::default();
    let mut latest: Vec<Snapshot> = vec![Snapshot::default(); hands.len()];
    let mut fresh = 0;
    while done < hands.len() {
        tokio::select! {
            Some(()) = stop.recv(), if !stopping => {
                stopping = true;
                tell(&mut hands, Command::Stop).await;
            }
            update = updates.recv() => match update {
                None => return Err(SetupError::Worker(0, "it ended without a result".to_owned())),
                Some((_, Update::Opened)) => {
                    opened += 1;
                    if opened == hands.len() {
                        tell(&mut hands, Command::Go).await;
                    }
                }
                Some((number, Update::Snapshot(snapshot))) => {
                    if let Some(place) = latest.get_mut(number as usize) {
                        *place = snapshot;
                    }
                    fresh += 1;
                    if fresh >= hands.len() - done {
                        fresh = 0;
                        let mut all: Option<Snapshot> = None;
                        for snapshot in &mut latest {
                            // Recent latency is shown once.
                            let once = Snapshot { recent: std::mem::take(&mut snapshot.recent), ..snapshot.clone() };
                            match &mut all {
                                Some(all) => all.merge(once),
                                None => all = Some(once),
                            }
                        }
                        all.iter().for_each(&mut show);
                    }
                }
                Some((_, Update::Done(part))) => {
                    done += 1;
                    tally.merge(*part);
                }
                Some((number, Update::Failed(why))) if single => {
                    let _ = number;
                    return Err(SetupError::Local(why));
                }
                Some((number, Update::Failed(why))) if opened < hands.len() => {
                    return Err(SetupError::Worker(number, why));
                }
                Some((number, Update::Failed(why))) => {
                    // What the others found is not lost with it; its connections are.
                    done += 1;
                    if let Some(place) = latest.get_mut(number as usize) {
                        tally.merge(lost_with_worker(place, number, &why));
                        place.alive = 0;
                    }
                }
            },
        }
    }
    for hand in &mut hands {
        if let Hand::Process(process) = hand {
            // Its result is there; how it ends does not matter any more.
            let _ = process.child.wait().await;
        }
    }
    tally.judge_silence();
    Ok(tally)
}

/// What is known of a worker that ended without a result.
fn lost_with_worker(last: &Snapshot, number: u32, why: &str) -> Tally {
    let mut tally = Tally {
        asked: last.asked,
        opened: last.asked.saturating_sub(last.failed),
        intended: last.intended,
        sent: last.sent,
        received: last.received,
        ..Tally::default()
    };
    for _ in 0..tally.opened {
        tally.ended(EndingRecord {
            ending: format!("local error (worker {number} {why})"),
            browser: 1006,
            reason: String::new(),
            age_s: last.at_s,
            at_s: last.at_s,
        });
    }
    tally
}

/// One worker, seen from the coordinator.
enum Hand {
    Here { commands: mpsc::Sender<Command>, task: JoinHandle<()> },
    Process(Box<Process>),
}

struct Process {
    child: Child,
    stdin: ChildStdin,
    reader: JoinHandle<()>,
}

impl Drop for Hand {
    fn drop(&mut self) {
        match self {
            Hand::Here { task, .. } => task.abort(),
            Hand::Process(process) => process.reader.abort(),
        }
    }
}

type Updates = mpsc::Sender<(u32, Update)>;

async fn tell(hands: &mut [Hand], command: Command) {
    for hand in hands {
        // A worker that hears nothing any more has told its end already.
        match hand {
            Hand::Here { commands, .. } => drop(commands.send(command).await),
            Hand::Process(process) => drop(write(&mut process.stdin, &command).await),
        }
    }
}

fn here(plan: Plan, updates: Updates) -> Hand {
    let (commands, receiver) = mpsc::channel(4);
    let task = tokio::task::spawn_local(async move {
        let (sender, mut own) = mpsc::channel(WAITING);
        let forward = async {
            while let Some(update) = own.recv().await {
                if updates.send((0, update)).await.is_err() {
                    return;
                }
            }
        };
        let job = async move {
            let last = match work(plan, receiver, &sender).await {
                Ok(tally) => Update::Done(Box::new(tally)),
                Err(error) => Update::Failed(error.to_string()),
            };
            // Fails when the coordinator has gone.
            let _ = sender.send(last).await;
        };
        tokio::join!(job, forward);
    });
    Hand::Here { commands, task }
}

async fn start(number: u32, plan: &Plan, program: &Program, updates: Updates) -> Result<Process, SetupError> {
    let failed = |why: String| SetupError::Worker(number, why);
    let mut child = tokio::process::Command::new(&program.path)
        .args(&program.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C on a terminal is for the coordinator, which then tells the workers.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed("has no pipes".to_owned()));
    };
    write(&mut stdin, plan).await.map_err(|error| failed(format!("did not take its plan: {error}")))?;
    let reader = tokio::task::spawn_local(forward(number, BufReader::new(stdout).lines(), updates));
    Ok(Process { child, stdin, reader })
}

async fn write<T: serde::Serialize>(to: &mut ChildStdin, value: &T) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await
}

async fn forward(number: u32, mut lines: Lines<BufReader<ChildStdout>>, updates: Updates) {
    loop {
        let update = match lines.next_line().await {
            Ok(Some(line)) => serde_json::from_str(&line)
                .unwrap_or_else(|error| Update::Failed(format!("said something that is no update: {error}"))),
            Ok(None) => {
                return drop(updates.send((number, Update::Failed("ended without a result".into()))).await);
            }
            Err(error) => return drop(updates.send((number, Update::Failed(error.to_string()))).await),
        };
        let last = matches!(update, Update::Done(_) | Update::Failed(_));
        if updates.send((number, update)).await.is_err() || last {
            return;
        }
    }
}

/// What a worker process does: reads its plan from standard input, works, and writes updates to standard output. Must run
/// within a [`tokio::task::LocalSet`] on a current-thread runtime.
///
/// # Errors
/// The coordinator is gone, or did not send a plan.
pub async fn serve_worker() -> std::io::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let first = lines.next_line().await?.unwrap_or_default();
    let plan: Plan = serde_json::from_str(&first)?;
    let (commands, receiver) = mpsc::channel(4);
    let listen = tokio::task::spawn_local(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let Ok(command) = serde_json::from_str(&line) else { continue };
            if commands.send(command).await.is_err() {
                return;
            }
        }
        // The coordinator has gone: dropping the sender ends the work.
    });
    let (sender, mut updates) = mpsc::channel(WAITING);
    let job = async move {
        let last = match work(plan, receiver, &sender).await {
            Ok(tally) => Update::Done(Box::new(tally)),
            Err(error) => Update::Failed(error.to_string()),
        };
        let _ = sender.send(last).await;
    };
    let write = async {
        let mut stdout = tokio::io::stdout();
        while let Some(update) = updates.recv().await {
            let mut line = serde_json::to_vec(&update)?;
            line.push(b'\n');
            stdout.write_all(&line).await?;
            stdout.flush().await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let ((), written) = tokio::join!(job, write);
    listen.abort();
    written
}
