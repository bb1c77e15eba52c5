//! `undrop bench`

pub(crate) mod args;
mod live;
mod search;
mod sink;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use undrop_bench::scenario::{self, Inputs};
use undrop_bench::{Mode, Plan, Program, ScenarioSource, SetupError, Snapshot, Tally, Trigger};

use crate::exit::{Code, Failure};
use args::{Load, PolicyName, duration, rate};

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
    raise_file_limit();
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
        Some(ModeCommand::Scenario(scenario)) => return run_scenario(scenario),
        Some(ModeCommand::Sink(sink)) => return sink::run(sink),
        Some(ModeCommand::Worker) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(LocalSet::new().run_until(undrop_bench::serve_worker()))?;
            // The thread that reads standard input may sit in a read that nothing ends.
            runtime.shutdown_background();
            return Ok(ExitCode::SUCCESS);
        }
    };
    let plan = load.plan(mode).map_err(usage)?;
    unused_options(&plan, &load).map_err(usage)?;
    let conditions = conditions(&load.output.ensure)?;
    carry_out(&plan, &load.output, &conditions)
}

fn run_scenario(command: Scenario) -> Result<ExitCode, Failure> {
    let usage = |error: anyhow::Error| Failure::new(Code::Usage, error);
    unused_in_scenario(&command.load).map_err(usage)?;
    let mut variables = std::collections::BTreeMap::new();
    for variable in &command.variables {
        let (name, value) = variable
            .split_once('=')
            .ok_or_else(|| usage(anyhow!("--var: `{variable}` is not NAME=VALUE")))?;
        variables.insert(name.to_owned(), value.to_owned());
    }
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let inputs = Inputs { target: command.load.url.clone(), variables: variables.clone(), environment };
    let read = scenario::load(&command.file, &inputs).map_err(|error| usage(error.into()))?;
    for notice in &read.notices {
        note!("note: {notice}");
    }
    if command.check {
        say!(
            "{}: good; {} flows, {} phases, {:.1} s",
            read.file,
            read.flows.len(),
            read.phases.len(),
            read.duration().as_secs_f64()
        );
        return Ok(ExitCode::SUCCESS);
    }
    let target = command.load.url.clone().or_else(|| read.targets.fixed.first().cloned());
    let target = target.ok_or_else(|| {
        usage(anyhow!(
            "{}: no target that is known before the users run; give a URL behind the file",
            read.file
        ))
    })?;
    let mut load = Load {
        url: Some(target),
        size: command.load.size,
        message: command.load.message,
        target: command.load.target,
        output: command.load.output,
    };
    let connection = &read.connection;
    let wishes = &mut load.target;
    wishes.proxy = wishes.proxy.take().or_else(|| connection.proxy.clone());
    wishes.ca = wishes.ca.take().or_else(|| connection.ca.clone());
    wishes.server_name = wishes.server_name.take().or_else(|| connection.server_name.clone());
    wishes.insecure |= connection.insecure;
    wishes.compress |= connection.compress.unwrap_or(false);
    if let Some(timeout) = connection.handshake_timeout {
        wishes.timeout = timeout;
    }
    let source = ScenarioSource {
        path: command.file.display().to_string(),
        target: command.load.url,
        variables,
        part: 0,
    };
    // -c is the most users at once; without it the engine's own limit is meant.
    load.size.connections = load.size.connections.or(Some(100_000));
    // Users that arrive last still have time to finish.
    load.size.duration = read.duration() + load.size.duration.max(Duration::from_secs(600));
    let owned = load.target.i_own_this;
    load.target.i_own_this = true;
    let plan = load.plan(Mode::Scenario(Box::new(source))).map_err(usage)?;
    for url in &read.targets.fixed {
        let mut peek = plan.clone();
        peek.target.url = url.clone();
        // Enough to tell: counting all arrivals of an absurd rate would take for ever.
        peek.connections = u32::try_from(read.arrivals(plan.seed).take(100_000).count()).unwrap_or(u32::MAX);
        args::polite(&peek, owned).map_err(usage)?;
    }
    let mut all = load.output.ensure.clone();
    all.extend(
        read.ensure.iter().filter(|condition| condition.strict).map(|condition| condition.expression.clone()),
    );
    let conditions = conditions(&all)?;
    carry_out(&plan, &load.output, &conditions)
}

/// An option that a mode has no use for is a misunderstanding, and better said than ignored.
fn unused_options(plan: &Plan, load: &Load) -> anyhow::Result<()> {
    let quiet = matches!(plan.mode, Mode::Hold | Mode::Ramp { .. } | Mode::Churn { .. });
    if load.size.rate.is_some() && (quiet || matches!(plan.mode, Mode::Flood { .. })) {
        anyhow::bail!("-r: this mode sends at no fixed rate; leave it out");
    }
    if plan.verify && quiet {
        anyhow::bail!("--verify: this mode sends nothing that could be verified; leave it out");
    }
    if plan.ping.is_some() && plan.session != undrop_bench::Session::Off {
        anyhow::bail!("--ping-interval: sessions have a heartbeat of their own; use it with --session off");
    }
    Ok(())
}

/// The same for scenarios, where the file says what users do.
fn unused_in_scenario(load: &ScenarioLoad) -> anyhow::Result<()> {
    let unused = [
        ("--session", load.target.session != args::SessionWish::Off),
        ("--reconnect", load.target.reconnect.is_some()),
        ("--ping-interval", load.target.ping_interval.is_some()),
        ("-r", load.size.rate.is_some()),
        ("--verify", load.message.verify),
    ];
    match unused.iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            Err(anyhow!("{flag}: the users of a scenario do what the file says; leave it out"))
        }
        None => Ok(()),
    }
}

fn conditions(texts: &[String]) -> Result<Vec<undrop_bench::ensure::Condition>, Failure> {
    let parse =
        |text: &String| text.parse().map_err(|error| Failure::new(Code::Usage, anyhow!("--ensure: {error}")));
    texts.iter().map(parse).collect()
}

/// Runs a plan, shows it, reports it.
fn carry_out(
    plan: &Plan,
    output: &args::Output,
    conditions: &[undrop_bench::ensure::Condition],
) -> Result<ExitCode, Failure> {
    enough_files(plan)?;
    // A report that cannot be written is better known before the load than after it.
    for (file, flag) in [(&output.html, "--html"), (&output.hdr_log, "--hdr-log")] {
        if let Some(file) = file {
            std::fs::File::create(file)
                .with_context(|| format!("{flag} {}", file.display()))
                .map_err(|error| Failure::new(Code::Usage, error))?;
        }
    }
    let face = live::Face::new(plan, output.quiet, output.no_tui)?;
    let tally = load(plan, face)?;
    report(plan, &tally, output, conditions)
}

/// Runs a plan under a live view; Ctrl-C ends it early, a second one at once.
pub(crate) fn load(plan: &Plan, mut face: live::Face) -> Result<Tally, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let program =
        Program { path: std::env::current_exe()?, arguments: vec!["bench".to_owned(), "worker".to_owned()] };
    let (stop, mut stopped) = mpsc::channel(1);
    face.stop_with(stop.clone());
    let tally = runtime.block_on(LocalSet::new().run_until(async {
        let interrupt = tokio::task::spawn_local(interrupts(stop));
        let tally =
            undrop_bench::run(plan, &program, |snapshot: &Snapshot| face.show(snapshot), &mut stopped).await;
        interrupt.abort();
        tally
    }));
    drop(face);
    runtime.shutdown_background();
    tally.map_err(|error| {
        let code = match error {
            SetupError::Tls(_) => Code::Tls,
            SetupError::Resolve(..) => Code::Handshake,
            _ => Code::Usage,
        };
        Failure::new(code, error)
    })
}

/// The first Ctrl-C or SIGTERM ends the run with a report of what was found; a second one ends it at once.
async fn interrupts(stop: mpsc::Sender<()>) {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    for first in [true, false] {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => if interrupted.is_err() { return },
            _ = terminate.recv() => {}
        }
        if first {
            // Fails only when the run is over anyway.
            let _ = stop.try_send(());
        }
    }
    live::restore();
    std::process::exit(130);
}

/// Prints and writes the report, and chooses the exit code.
fn report(
    plan: &Plan,
    tally: &Tally,
    output: &args::Output,
    conditions: &[undrop_bench::ensure::Condition],
) -> Result<ExitCode, Failure> {
    use undrop_bench::report::{Report, hdr_log, html, text};
    let mut report = Report::new(plan, tally);
    report.check(conditions);
    if output.json {
        say!("{}", serde_json::to_string_pretty(&report).map_err(|error| Failure::new(Code::Usage, error))?);
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        say!("{}", text(&report, colour).trim_end());
    }
    let write = |file: &Option<PathBuf>, flag: &str, content: &dyn Fn() -> String| match file {
        Some(file) => std::fs::write(file, content())
            .with_context(|| format!("{flag} {}", file.display()))
            .map_err(|error| Failure::new(Code::Usage, error)),
        None => Ok(()),
    };
    write(&output.html, "--html", &|| html(&report))?;
    write(&output.hdr_log, "--hdr-log", &|| hdr_log(tally))?;
    Ok(exit_code(plan, tally, &report))
}

fn exit_code(plan: &Plan, tally: &Tally, report: &undrop_bench::report::Report) -> ExitCode {
    if tally.opened == 0 && tally.failed_count() > 0 {
        let tls = tally.failures.values().all(|failures| failures.stage == "tls");
        return if tls { Code::Tls.into() } else { Code::Handshake.into() };
    }
    if !report.is_exactly_once() {
        return Code::Findings.into();
    }
    if report.thresholds.iter().any(|threshold| !threshold.passed) {
        return Code::Threshold.into();
    }
    let judged = report.thresholds.iter().any(|threshold| threshold.metric == "survival");
    let dropped = match plan.mode {
        // Losing connections is what these are for.
        Mode::Storm { .. } | Mode::Ramp { .. } => false,
        // A session that came back was not dropped.
        _ => tally.alive_at_end < tally.opened,
    };
    if dropped && !judged && !tally.interrupted {
        return Code::Dropped.into();
    }
    if !tally.users.failed.is_empty() && report.thresholds.is_empty() {
        return Code::Findings.into();
    }
    let churned = matches!(plan.mode, Mode::Churn { .. }) && tally.attempts * 100 < tally.asked * 99;
    if report.is_slow() || churned {
        return Code::OwnRate.into();
    }
    ExitCode::SUCCESS
}

/// Says what to do when the connections are more than a process may have files.
fn enough_files(plan: &Plan) -> Result<(), Failure> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let needed = plan.files_per_worker();
    let Some(limit) = limit.filter(|limit| *limit < needed) else { return Ok(()) };
    // Users of a scenario come and go; how many are there at once is seen while it runs.
    if matches!(plan.mode, Mode::Scenario(_) | Mode::Churn { .. } | Mode::Ramp { .. }) {
        return Ok(());
    }
    let workers = (needed * u64::from(plan.workers)).div_ceil(limit.saturating_sub(128).max(1));
    Err(Failure::new(
        Code::Usage,
        anyhow!(
            "{} connections need {needed} open files in each of {} processes, and {limit} are allowed: use --workers {workers}",
            plan.connections,
            plan.workers
        ),
    ))
}

/// As many open files as the hard limit allows: each connection is one.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Without it, running out of files is reported as such.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
