//! `undrop bench scenario`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{anyhow, bail};
use undrop_bench::{Mode, ScenarioSource, load_scenario};
use undrop_scenario::{self as scenario, Inputs};
use undrop_text::number::thousands;

use super::args::{self, Load};
use super::{Scenario, carry_out, conditions, useless};
use crate::exit::{Code, Failure};

/// Users of one run at most.
const MOST_USERS: f64 = 10_000_000.0;
/// How long users may still take after the last one has arrived, unless the command line says otherwise.
const GRACE: Duration = Duration::from_secs(600);

pub(super) fn run(command: Scenario) -> Result<ExitCode, Failure> {
    let usage = |error: anyhow::Error| Failure::new(Code::Usage, error);
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
    let read = load_scenario(&command.file, &inputs).map_err(|error| usage(error.into()))?;
    for notice in &read.notices {
        note!("note: {notice}");
    }
    let users = users(&read).map_err(usage)?;
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
    useless::refuse_in_scenario(&load).map_err(usage)?;
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
    load.size.duration = Some(read.duration() + load.size.duration.unwrap_or(GRACE));
    let owned = load.target.i_own_this;
    load.target.i_own_this = true;
    let plan = load.plan(Mode::Scenario(Box::new(source))).map_err(usage)?;
    for url in &read.targets.fixed {
        let mut peek = plan.clone();
        peek.target.url = url.clone();
        peek.connections = users;
        args::polite(&peek, owned).map_err(usage)?;
    }
    let mut all = load.output.ensure.clone();
    all.extend(
        read.ensure.iter().filter(|condition| condition.strict).map(|condition| condition.expression.clone()),
    );
    let conditions = conditions(&all)?;
    carry_out(&plan, &load.output, &conditions)
}

/// How many users arrive; computed, since a file may ask for more than could be counted.
fn users(read: &scenario::Scenario) -> anyhow::Result<u32> {
    if read.phases.is_empty() {
        return Ok(1);
    }
    let mut all = 0.0;
    for phase in &read.phases {
        all += match phase.load {
            scenario::Load::Rate { duration, from, to, .. } => (from + to) / 2.0 * duration.as_secs_f64(),
            scenario::Load::Count { users, .. } => users as f64,
            scenario::Load::Pause(_) => 0.0,
        };
        if all > MOST_USERS {
            bail!(
                "{}:{}: with this phase {} users arrive, and {} are the most in one run",
                read.file,
                phase.line,
                thousands(all as u64),
                thousands(MOST_USERS as u64)
            );
        }
    }
    Ok(all.ceil() as u32)
}
