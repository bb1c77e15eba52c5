//! `undrop bench search`: the highest rate within a latency limit.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use undrop_bench::report::LoadReport;
use undrop_bench::{Mode, Plan};

use super::args::{MOST_PER_SECOND, SHORTEST};
use super::runner::{self, Runner};
use super::{Search, live, useless};
use crate::exit::{Code, Failure};

/// Rates tried at most.
const TRIES: u32 = 24;
/// The search ends when the bracket is this narrow.
const CLOSE: f64 = 0.05;

/// One rate that was tried.
#[derive(Debug, serde::Serialize)]
struct Try {
    /// Messages per second, all connections together.
    rate: f64,
    achieved: f64,
    p99_ms: Option<f64>,
    alive: u64,
    good: bool,
    interrupted: bool,
}

#[derive(Debug, serde::Serialize)]
struct Found {
    mode: &'static str,
    connections: u32,
    limit_p99_ms: f64,
    /// Highest rate that was good; `None`: not even the first one was.
    highest: Option<f64>,
    tries: Vec<Try>,
}

pub(crate) fn run(search: Search) -> Result<ExitCode, Failure> {
    let usage = |error: anyhow::Error| Failure::new(Code::Usage, error);
    if search.p99.is_zero() {
        return Err(usage(anyhow!("--p99: more than nothing is needed")));
    }
    if search.step < SHORTEST {
        return Err(usage(anyhow!("--step: at least 1ms")));
    }
    let output = &search.load.output;
    useless::refuse_in_search(&search.load).map_err(usage)?;
    let mut plan = search.load.plan(Mode::Run).map_err(usage)?;
    super::args::polite(
        &Plan { mode: Mode::Flood { window: 1 }, ..plan.clone() },
        search.load.target.i_own_this,
    )
    .map_err(usage)?;
    runner::enough_files(&plan)?;
    plan.duration = search.step;
    let limit_p99_ms = search.p99.as_secs_f64() * 1e3;
    let mut found = Found {
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
    for _ in 0..TRIES {
        let tried = attempt(&mut runner, &mut plan, rate, search.p99)?;
        if !output.json && !output.quiet {
            let p99 = tried.p99_ms.map_or_else(|| "—".to_owned(), |p99| format!("{p99:.2} ms"));
            let verdict = match (tried.interrupted, tried.good, tried.p99_ms) {
                (true, ..) => "ended early",
                (_, true, _) => "good",
                (.., None) => "no answer",
                _ => "too much",
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
            None if rate * 2.0 > MOST_PER_SECOND => break,
            None => rate * 2.0,
            Some(high) if high - low <= high * CLOSE => break,
            // Nothing was good so far: well below the first rate there is no point in going on.
            Some(high) if low == 0.0 && high < first / 1000.0 => break,
            Some(high) if low == 0.0 => high / 4.0,
            Some(high) => (low + high) / 2.0,
        };
    }
    if output.json {
        say!("{}", serde_json::to_string_pretty(&found).map_err(|error| Failure::new(Code::Usage, error))?);
    } else if let Some(highest) = found.highest {
        say!(
            "\n{highest:.0} messages per second over {} connections, with p99 within {limit_p99_ms} ms",
            plan.connections
        );
    } else {
        let measured = found.tries.iter().any(|tried| tried.p99_ms.is_some());
        let interrupted = found.tries.last().is_some_and(|tried| tried.interrupted);
        say!("\n{}", match (interrupted, measured) {
            (true, _) => "ended early, before any rate was good".to_owned(),
            (_, false) => "nothing was measured: no answer came that belongs to a message. A search needs a server that echoes, or -m \
                           with a text that it answers"
                .to_owned(),
            _ => format!(
                "no rate was good: p99 was over {limit_p99_ms} ms even at the lowest one, or the rate was not kept, or connections were \
                 lost"
            ),
        });
    }
    Ok(if found.highest.is_some() { ExitCode::SUCCESS } else { Code::Threshold.into() })
}

fn attempt(runner: &mut Runner, plan: &mut Plan, rate: f64, p99: Duration) -> Result<Try, Failure> {
    plan.rate = rate / f64::from(plan.connections);
    let tally = runner.run(plan, live::Face::silent(plan))?;
    if tally.opened == 0 {
        let why = tally.failures.values().next().map(|failures| failures.example.clone()).unwrap_or_default();
        return Err(Failure::new(Code::Handshake, anyhow!("no connection could be opened: {why}")));
    }
    let report = LoadReport::new(plan, &tally);
    let measured = tally.corrected.quantile(0.99);
    let good = measured.is_some_and(|measured| measured <= p99)
        && !report.is_slow()
        && report.is_exactly_once()
        && tally.alive_at_end == tally.opened;
    Ok(Try {
        rate,
        achieved: tally.sent as f64 / tally.sending.as_secs_f64().max(1e-9),
        p99_ms: measured.map(|measured| measured.as_secs_f64() * 1e3),
        alive: tally.alive_at_end,
        good: good && !tally.interrupted,
        interrupted: tally.interrupted,
    })
}
