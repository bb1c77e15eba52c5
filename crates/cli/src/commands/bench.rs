//! The command `undrop bench`.

mod live;
mod modes;
mod options;
mod outcome;
mod runner;
mod scenario;
mod search;
mod settings;
mod sink;

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use tokio::task::LocalSet;
use undrop_bench::Plan;
use undrop_bench::report::conditions::Condition;

use crate::exit::{Code, Failure};
use options::ReportOptions;
use runner::Runner;

/// Load test a WebSocket server: survival of connections, latency, and exactly-once delivery
///
/// The default mode is `run`, in which each connection sends at a fixed rate. The first line of the report states survival: how many
/// connections were alive at the end, and how the others ended.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXAMPLES)]
pub(crate) struct Bench {
    #[command(subcommand)]
    mode: Option<ModeCommand>,
    #[command(flatten)]
    run: modes::Run,
}

const EXAMPLES: &str = "\
Examples:
  undrop bench -c 100 -d 60 -r 10 wss://example.com/ws              100 connections for a minute, 10 messages/s each
  undrop bench hold -c 10000 -d 5m ws://127.0.0.1:8080/echo         which connections survive five idle minutes?
  undrop bench storm -c 1000 ws://127.0.0.1:8080/echo               cut all at once: when has the last one reconnected?
  undrop bench run --verify --session require ws://127.0.0.1:8080   is every message delivered exactly once?
  undrop bench scenario chat.yml --ensure 'p99<50ms'                virtual users that follow a scenario file

Exit codes: 0 success · 1 messages lost, duplicated, reordered or corrupted (--verify), or users failed · 2 usage ·
3 connections could not be opened · 4 TLS · 5 connections dropped early · 6 a condition of --ensure was missed ·
7 the tool could not keep its own rate";

#[derive(Debug, Subcommand)]
enum ModeCommand {
    /// Send at a fixed rate, independent of replies (the default)
    Run(modes::Run),
    /// Send the next message as soon as a reply arrives
    Flood(modes::Flood),
    /// Open connections and keep them idle, to see which survive
    Hold(modes::Hold),
    /// Lose all connections at once, and measure how they reconnect
    Storm(modes::Storm),
    /// Open and close connections continuously
    Churn(modes::Churn),
    /// Send on some connections, receive on all
    Broadcast(modes::Broadcast),
    /// Open connections until the target starts refusing them
    Ramp(modes::Ramp),
    /// Find the highest rate that the target sustains within a latency limit
    Search(modes::Search),
    /// Run virtual users that arrive and act according to a scenario file
    Scenario(scenario::ScenarioCommand),
    Sink(sink::Sink),
    /// A worker process of a run
    #[command(hide = true)]
    Worker,
}

pub(crate) fn run(command: Bench) -> Result<ExitCode, Failure> {
    runner::raise_file_limit();
    let (mode, settings, report) = match command.mode {
        None => command.run.prepare(),
        Some(ModeCommand::Run(run)) => run.prepare(),
        Some(ModeCommand::Hold(hold)) => hold.prepare(),
        Some(ModeCommand::Flood(flood)) => flood.prepare(),
        Some(ModeCommand::Storm(storm)) => storm.prepare(),
        Some(ModeCommand::Churn(churn)) => churn.prepare(),
        Some(ModeCommand::Broadcast(broadcast)) => broadcast.prepare(),
        Some(ModeCommand::Ramp(ramp)) => ramp.prepare(),
        Some(ModeCommand::Search(search)) => return search::run(&search),
        Some(ModeCommand::Scenario(scenario)) => return scenario::run(scenario),
        Some(ModeCommand::Sink(sink)) => return sink::run(sink),
        Some(ModeCommand::Worker) => return serve_worker(),
    };
    let plan = settings.plan(mode).map_err(|error| Failure::new(Code::Usage, error))?;
    let conditions = conditions(&report.ensure)?;
    execute(&plan, &report, &conditions)
}

fn serve_worker() -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(undrop_bench::serve_worker()))?;
    // The thread that reads standard input may be blocked in a read that never returns.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

fn conditions(texts: &[String]) -> Result<Vec<Condition>, Failure> {
    let parse =
        |text: &String| text.parse().map_err(|error| Failure::new(Code::Usage, anyhow!("--ensure: {error}")));
    texts.iter().map(parse).collect()
}

/// Runs a plan, shows its progress, and prints the report.
fn execute(plan: &Plan, options: &ReportOptions, conditions: &[Condition]) -> Result<ExitCode, Failure> {
    runner::check_file_limit(plan)?;
    let files = outcome::Files::open(options)?;
    let progress = live::Progress::new(plan, options.verbosity.quiet, options.no_tui);
    let tally = Runner::new()?.run(plan, progress)?;
    outcome::report(plan, &tally, options, files, conditions)
}
