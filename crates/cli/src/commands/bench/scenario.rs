//! The command `undrop bench scenario`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Args;
use undrop_bench::{Mode, ScenarioSource, load_scenario};
use undrop_scenario::{ArrivalPattern, Inputs, Scenario};
use undrop_text::number::thousands;

use super::options::{ConnectOptions, ReportOptions, Workers, load_duration};
use super::settings::{Settings, check_polite};
use super::{conditions, execute};
use crate::exit::{Code, Failure};

/// The maximum number of users of one run.
const MAX_USERS: f64 = 10_000_000.0;
/// The default time that users have to finish after the last one has arrived.
const DEFAULT_GRACE: Duration = Duration::from_secs(600);
/// The default maximum number of simultaneous users.
const DEFAULT_MAX_ACTIVE: u32 = 100_000;

#[derive(Debug, Args)]
pub(crate) struct ScenarioCommand {
    /// YAML file in the native format or in that of Artillery
    file: PathBuf,
    /// URL (ws:// or wss://) that replaces the target of the file
    url: Option<String>,
    /// Set a variable; can be given several times
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<String>,
    /// Print a summary of the file without starting any user
    #[arg(long)]
    check: bool,
    /// Maximum number of simultaneous users [default: 100,000]
    #[arg(long, short = 'c', value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    connections: Option<u32>,
    /// Time that users have to finish after the last one has arrived [default: 10m]
    #[arg(long, short = 'd', value_name = "DURATION", value_parser = load_duration, help_heading = "Load")]
    duration: Option<Duration>,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    connect: ConnectOptions,
    #[command(flatten)]
    report: ReportOptions,
}

pub(super) fn run(command: ScenarioCommand) -> Result<ExitCode, Failure> {
    let usage = |error: anyhow::Error| Failure::new(Code::Usage, error);
    let variables = variables(&command.variables).map_err(usage)?;
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let inputs = Inputs { target: command.url.clone(), variables: variables.clone(), environment };
    let scenario = load_scenario(&command.file, &inputs).map_err(|error| usage(error.into()))?;
    for notice in &scenario.notices {
        note!("note: {notice}");
    }
    let users = count_users(&scenario).map_err(usage)?;
    if command.check {
        say!(
            "{}: valid; {} flows, {} phases, {:.1} s",
            scenario.file,
            scenario.flows.len(),
            scenario.phases.len(),
            scenario.duration().as_secs_f64()
        );
        return Ok(ExitCode::SUCCESS);
    }
    let target = command.url.clone().or_else(|| scenario.targets.fixed.first().cloned());
    let target = target.ok_or_else(|| {
        usage(anyhow!("{}: every target depends on variables; add a URL after the file name", scenario.file))
    })?;
    let mut connect = command.connect;
    apply_file_options(&mut connect, &scenario);
    let confirmed = connect.i_own_this;
    // The limit for targets on other machines is checked below, for every target of the file.
    connect.i_own_this = true;
    let settings = Settings::new(
        target,
        command.connections.unwrap_or(DEFAULT_MAX_ACTIVE),
        scenario.duration() + command.duration.unwrap_or(DEFAULT_GRACE),
        command.workers,
        connect,
    );
    let source =
        ScenarioSource { path: command.file.display().to_string(), target: command.url, variables, part: 0 };
    let plan = settings.plan(Mode::Scenario(Box::new(source))).map_err(usage)?;
    for url in &scenario.targets.fixed {
        let mut single = plan.clone();
        single.target.url = url.clone();
        single.connections = users;
        check_polite(&single, confirmed).map_err(usage)?;
    }
    let mut expressions = command.report.ensure.clone();
    let strict = scenario.ensure.iter().filter(|condition| condition.strict);
    expressions.extend(strict.map(|condition| condition.expression.clone()));
    let conditions = conditions(&expressions)?;
    execute(&plan, &command.report, &conditions)
}

fn variables(texts: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    for text in texts {
        let (name, value) =
            text.split_once('=').ok_or_else(|| anyhow!("--var: `{text}` is not NAME=VALUE"))?;
        variables.insert(name.to_owned(), value.to_owned());
    }
    Ok(variables)
}

/// Applies the connection options of the file. Options of the command line have precedence.
fn apply_file_options(options: &mut ConnectOptions, scenario: &Scenario) {
    let file = &scenario.connection;
    options.proxy = options.proxy.take().or_else(|| file.proxy.clone());
    options.ca = options.ca.take().or_else(|| file.ca.clone());
    options.server_name = options.server_name.take().or_else(|| file.server_name.clone());
    options.insecure |= file.insecure;
    options.compress |= file.compress.unwrap_or(false);
    if let Some(timeout) = file.handshake_timeout {
        options.timeout = timeout;
    }
}

/// Returns the number of users that arrive. It is computed, since a file may ask for more than could be iterated.
fn count_users(scenario: &Scenario) -> anyhow::Result<u32> {
    if scenario.phases.is_empty() {
        return Ok(1);
    }
    let mut all = 0.0;
    for phase in &scenario.phases {
        all += match phase.load {
            ArrivalPattern::Rate { duration, from, to, .. } => (from + to) / 2.0 * duration.as_secs_f64(),
            ArrivalPattern::Count { users, .. } => users as f64,
            ArrivalPattern::Pause(_) => 0.0,
        };
        if all > MAX_USERS {
            bail!(
                "{}:{}: with this phase {} users arrive; the maximum for one run is {}",
                scenario.file,
                phase.line,
                thousands(all as u64),
                thousands(MAX_USERS as u64)
            );
        }
    }
    Ok(all.ceil() as u32)
}
