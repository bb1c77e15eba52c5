//! `undrop bench`

pub(crate) mod args;
mod live;
mod outcome;
mod runner;
mod scenario;
mod search;
mod sink;
mod useless;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};
use tokio::task::LocalSet;
use undrop_bench::report::conditions::Condition;
use undrop_bench::{Mode, Plan, Trigger};

use crate::exit::{Code, Failure};
use args::{Load, PolicyName, duration, rate};
use runner::Runner;

/// Load a WebSocket server: how connections survive, how fast messages are, and whether each arrives exactly once.
///
/// Without a mode it is `run`: connections that send at a fixed rate. The first line of the report is survival: how many
/// connections were alive at the end, and how the others ended.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXAMPLES)]
pub(crate) struct Bench {
    #[command(subcommand)]
    mode: Option<ModeCommand>,
    #[command(flatten)]
    load: Load,
}

const EXAMPLES: &str = "\
Examples:
  undrop bench -c 100 -d 60 -r 10 wss://example.com/ws              100 connections, a minute, 10 messages/s each
  undrop bench hold -c 10000 -d 5m ws://127.0.0.1:8080/echo         which connections survive five idle minutes?
  undrop bench storm -c 1000 ws://127.0.0.1:8080/echo               cut all at once: when is the last one back?
  undrop bench run --verify --session require ws://127.0.0.1:8080   exactly once, through any faults?
  undrop bench scenario chat.yml --ensure 'p99<50ms'                users that do what a file says

Exit codes: 0 good · 1 messages lost, doubled, reordered or corrupted (--verify) · 2 usage · 3 no connection could be opened ·
4 TLS · 5 connections dropped early · 6 an --ensure condition was missed · 7 the tool could not keep its own rate";

#[derive(Debug, Subcommand)]
enum ModeCommand {
    /// Send at a fixed rate, whatever comes back (the default)
    Run(Load),
    /// Send as fast as answers come
    Flood(Flood),
    /// Open connections and keep them quiet: which survive?
    Hold(Load),
    /// Lose all connections at once and measure how they come back
    Storm(Storm),
    /// Open and close connections all the time
    Churn(Churn),
    /// Some connections send, all receive
    Broadcast(Broadcast),
    /// Open connections until the target refuses
    Ramp(Ramp),
    /// Find the highest rate that the target takes within a latency limit
    Search(Search),
    /// Users that arrive and act as a file says: ours, or Artillery's
    Scenario(Scenario),
    Sink(sink::Sink),
    /// A worker of another process
    #[command(hide = true)]
    Worker,
}

#[derive(Debug, Args)]
struct Flood {
    #[command(flatten)]
    load: Load,
    /// Messages under way on each connection; 0 never waits for answers
    #[arg(long, value_name = "N", default_value_t = 1)]
    window: u32,
}

#[derive(Debug, Args)]
struct Storm {
    #[command(flatten)]
    load: Load,
    /// Who cuts
    #[arg(long, value_enum, default_value_t = TriggerName::Cut)]
    trigger: TriggerName,
    /// When lost connections come back
    #[arg(long, value_enum, default_value_t = PolicyName::FullJitter)]
    policy: PolicyName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TriggerName {
    /// We do, one second after all connections are open
    Cut,
    /// Something else does: restart or drain the target while this waits
    Wait,
}

#[derive(Debug, Args)]
struct Churn {
    #[command(flatten)]
    load: Load,
    /// New connections per second; -c is how many may be open at once
    #[arg(long, value_name = "N", default_value_t = 100.0, value_parser = rate)]
    churn_rate: f64,
    /// How long each connection lives
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    lifetime: Duration,
}

#[derive(Debug, Args)]
struct Broadcast {
    #[command(flatten)]
    load: Load,
    /// How many of the connections send
    #[arg(long, value_name = "N", default_value_t = 1)]
    senders: u32,
}

#[derive(Debug, Args)]
struct Ramp {
    #[command(flatten)]
    load: Load,
    /// New connections per second, up to -c
    #[arg(long, value_name = "N", default_value_t = 200.0, value_parser = rate)]
    open_rate: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Search {
    #[command(flatten)]
    load: Load,
    /// 99 of 100 answers must come within this
    #[arg(long, value_name = "DURATION", default_value = "50ms", value_parser = duration)]
    p99: Duration,
    /// How long each rate is tried
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    step: Duration,
}

#[derive(Debug, Args)]
struct Scenario {
    /// YAML file: our own form, or Artillery's
    file: PathBuf,
    /// Set a variable; may be given several times
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<String>,
    /// Print what the file means, and load nothing
    #[arg(long)]
    check: bool,
    /// As for the other modes; the URL replaces the file's target, -c is the most users at once
    #[command(flatten)]
    load: ScenarioLoad,
}

/// [`Load`] without its URL being required.
#[derive(Debug, Args)]
struct ScenarioLoad {
    /// ws:// or wss:// URL in place of the file's target
    url: Option<String>,
    #[command(flatten)]
    size: args::Size,
    #[command(flatten)]
    message: args::Message,
    #[command(flatten)]
    target: args::Connect,
    #[command(flatten)]
    output: args::Output,
}

pub(crate) fn run(command: Bench) -> Result<ExitCode, Failure> {
    runner::raise_file_limit();
    let usage = |error: anyhow::Error| Failure::new(Code::Usage, error);
    let (load, mode) = match command.mode {
        None => (command.load, Mode::Run),
        Some(ModeCommand::Run(load)) => (load, Mode::Run),
        Some(ModeCommand::Hold(load)) => (load, Mode::Hold),
        Some(ModeCommand::Flood(flood)) => (flood.load, Mode::Flood { window: flood.window }),
        Some(ModeCommand::Storm(storm)) => {
            let trigger = match storm.trigger {
                TriggerName::Cut => Trigger::Cut,
                TriggerName::Wait => Trigger::Wait,
            };
            (storm.load, Mode::Storm { trigger, policy: storm.policy.into() })
        }
        Some(ModeCommand::Churn(churn)) => {
            if churn.churn_rate <= 0.0 {
                return Err(usage(anyhow!("--churn-rate: more than 0 connections per second are needed")));
            }
            let mut load = churn.load;
            // As many as live at once at that rate, and some more: handshakes take time too.
            let alive =
                (churn.churn_rate * churn.lifetime.as_secs_f64() * 1.5).ceil().clamp(10.0, 100_000.0) as u32;
            load.size.connections = load.size.connections.or(Some(alive));
            (load, Mode::Churn { rate: churn.churn_rate, lifetime: churn.lifetime })
        }
        Some(ModeCommand::Broadcast(broadcast)) => {
            let senders = broadcast.senders.min(broadcast.load.size.connections.unwrap_or(1));
            (broadcast.load, Mode::Broadcast { senders })
        }
        Some(ModeCommand::Ramp(ramp)) if ramp.open_rate <= 0.0 => {
            return Err(usage(anyhow!("--open-rate: more than 0 connections per second are needed")));
        }
        Some(ModeCommand::Ramp(ramp)) => (ramp.load, Mode::Ramp { rate: ramp.open_rate }),
        Some(ModeCommand::Search(search)) => return search::run(search),
        Some(ModeCommand::Scenario(scenario)) => return scenario::run(scenario),
        Some(ModeCommand::Sink(sink)) => return sink::run(sink),
        Some(ModeCommand::Worker) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(LocalSet::new().run_until(undrop_bench::serve_worker()))?;
            // The thread that reads standard input may sit in a read that nothing ends.
            runtime.shutdown_background();
            return Ok(ExitCode::SUCCESS);
        }
    };
    useless::refuse(&mode, &load).map_err(usage)?;
    let plan = load.plan(mode).map_err(usage)?;
    let conditions = conditions(&load.output.ensure)?;
    carry_out(&plan, &load.output, &conditions)
}

fn conditions(texts: &[String]) -> Result<Vec<Condition>, Failure> {
    let parse =
        |text: &String| text.parse().map_err(|error| Failure::new(Code::Usage, anyhow!("--ensure: {error}")));
    texts.iter().map(parse).collect()
}

/// Runs a plan, shows it, reports it.
fn carry_out(plan: &Plan, output: &args::Output, conditions: &[Condition]) -> Result<ExitCode, Failure> {
    runner::enough_files(plan)?;
    let files = outcome::Files::open(output)?;
    let face = live::Face::new(plan, output.quiet, output.no_tui)?;
    let tally = Runner::new()?.run(plan, face)?;
    outcome::report(plan, &tally, output, files, conditions)
}
