//! `undrop bench search`: the highest rate within a latency limit.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use undrop_bench::report::LoadReport;
use undrop_bench::{Mode, Plan};

use super::live;
use super::modes::Search;
use super::runner::{self, Runner};
use super::settings::{MAX_MESSAGES_PER_SECOND, check_polite};
use crate::exit::{Code, Failure};

/// The maximum number of rates to try.
const MAX_TRIES: u32 = 24;
/// The relative difference between the lowest bad and the highest good rate at which the search ends.
const PRECISION: f64 = 0.05;

/// The result at one rate.
#[derive(Debug, serde::Serialize)]
struct RateResult {
    /// The number of messages per second of all connections together.
    rate: f64,
    achieved: f64,
    p99_ms: Option<f64>,
    alive: u64,
    good: bool,
    interrupted: bool,
}

/// The result of the search, as printed by `--json`.
#[derive(Debug, serde::Serialize)]
struct SearchResult {
    mode: &'static str,
    connections: u32,
    limit_p99_ms: f64,
    /// The highest good rate; `None` if no rate was good.
    highest: Option<f64>,
    tries: Vec<RateResult>,
}

pub(super) fn run(search: &Search) -> Result<ExitCode, Failure> {
    let usage = |error: anyhow::Error| Failure::new(Code::Usage, error);
    let output = &search.verbosity;
    let settings = search.settings();
    let mut plan = settings.plan(Mode::Run).map_err(usage)?;
    // A search raises the rate without a limit, so it is as impolite as a flood.
    let flood = Plan { mode: Mode::Flood { window: 1 }, ..plan.clone() };
    check_polite(&flood, settings.connect.i_own_this).map_err(usage)?;
    runner::check_file_limit(&plan)?;
    let limit_p99_ms = search.p99.as_secs_f64() * 1e3;
    let mut found = SearchResult {
        mode: "search",
        connections: plan.connections,
        limit_p99_ms,
        highest: None,
        tries: Vec::new(),
    };
    let mut runner = Runner::new()?;
    if !output.json && !output.quiet {
        say!("{:>14}  {:>14}  {:>10}", "asked/s", "achieved/s", "p99");
    }
    let (mut low, mut high): (f64, Option<f64>) = (0.0, None);
    let mut rate = plan.rate.max(0.001) * f64::from(plan.connections);
    let first = rate;
    for _ in 0..MAX_TRIES {
        let tried = attempt(&mut runner, &mut plan, rate, search.p99)?;
        if !output.json && !output.quiet {
            let p99 = tried.p99_ms.map_or_else(|| "—".to_owned(), |p99| format!("{p99:.2} ms"));
            let verdict = match (tried.interrupted, tried.good, tried.p99_ms) {
                (true, ..) => "ended early",
                (_, true, _) => "good",
                (.., None) => "no reply",
                _ => "too high",
            };
            say!("{:>14.0}  {:>14.0}  {p99:>10}  {verdict}", tried.rate, tried.achieved);
        }
        if tried.good {
            low = rate;
            found.highest = Some(rate);
        } else {
            high = Some(rate);
        }
        let interrupted = tried.interrupted;
        found.tries.push(tried);
        if interrupted {
            break;
        }
        rate = match high {
            None if rate * 2.0 > MAX_MESSAGES_PER_SECOND => break,
            None => rate * 2.0,
            Some(high) if high - low <= high * PRECISION => break,
            // No rate was good so far, and rates far below the first one are not worth trying.
            Some(high) if low == 0.0 && high < first / 1000.0 => break,
            Some(high) if low == 0.0 => high / 4.0,
            Some(high) => (low + high) / 2.0,
        };
    }
    if output.json {
        say!("{}", serde_json::to_string_pretty(&found).map_err(|error| Failure::new(Code::Usage, error))?);
    } else if let Some(highest) = found.highest {
        say!(
            "\n{highest:.0} messages per second over {} connections, with a p99 of at most {limit_p99_ms} ms",
            plan.connections
        );
    } else {
        let measured = found.tries.iter().any(|tried| tried.p99_ms.is_some());
        let interrupted = found.tries.last().is_some_and(|tried| tried.interrupted);
        say!("\n{}", match (interrupted, measured) {
            (true, _) => "ended early, before any rate was good".to_owned(),
            (_, false) => "no latency could be measured, since no reply could be assigned to a message; a search needs a server that \
                           echoes, or -m with a text that it replies to"
                .to_owned(),
            _ => format!(
                "no rate was good: even at the lowest one, p99 exceeded {limit_p99_ms} ms, the rate was not kept, or connections were lost"
            ),
        });
    }
    Ok(if found.highest.is_some() { ExitCode::SUCCESS } else { Code::Threshold.into() })
}

fn attempt(runner: &mut Runner, plan: &mut Plan, rate: f64, p99: Duration) -> Result<RateResult, Failure> {
    plan.rate = rate / f64::from(plan.connections);
    let tally = runner.run(plan, live::Progress::silent())?;
    if tally.opened == 0 {
        let why = tally.failures.first().map(|failures| failures.example.clone()).unwrap_or_default();
        return Err(Failure::new(Code::Handshake, anyhow!("no connection could be opened: {why}")));
    }
    let report = LoadReport::new(plan, &tally);
    let measured = tally.corrected.quantile(0.99);
    let good = measured.is_some_and(|measured| measured <= p99)
        && !report.is_slow()
        && report.is_exactly_once()
        && tally.alive_at_end == tally.opened;
    Ok(RateResult {
        rate,
        achieved: tally.sent as f64 / tally.sending.as_secs_f64().max(1e-9),
        p99_ms: measured.map(|measured| measured.as_secs_f64() * 1e3),
        alive: tally.alive_at_end,
        good: good && !tally.interrupted,
        interrupted: tally.interrupted,
    })
}
