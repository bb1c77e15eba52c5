//! `simulate`: many schedules of the network simulator, or one of them with a log.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use undrop_session::mutate::BrokenRule;
use undrop_testkit::sim::{self, Harness, Report};

const HELP: &str = "simulate [--schedules N] [--seed N] [--trace] [--threads N] [--broken RULE]

Without --seed: N schedules (default 200000), from seed 0 on.
With --seed: that schedule, and those after it when --schedules is given.
--broken RULE runs machines that break one rule of the protocol, to see a failure:
start-from-rx, ack-on-receipt, skip-count or no-dedupe.";

/// The rule of this name.
fn rule(name: &str) -> Option<BrokenRule> {
    match name {
        "start-from-rx" => Some(BrokenRule::StartFromRx),
        "ack-on-receipt" => Some(BrokenRule::AckOnReceipt),
        "skip-count" => Some(BrokenRule::SkipCount),
        "no-dedupe" => Some(BrokenRule::NoDedupe),
        _ => None,
    }
}

struct Arguments {
    schedules: Option<u64>,
    seed: Option<u64>,
    trace: bool,
    threads: usize,
    broken: Option<BrokenRule>,
}

fn arguments() -> Result<Arguments, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut read = Arguments { schedules: None, seed: None, trace: false, threads, broken: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--broken" {
            let name = words.next().unwrap_or_default();
            let broken = rule(&name).ok_or_else(|| format!("--broken: unknown rule \"{name}\"\n\n{HELP}"))?;
            read.broken = Some(broken);
            continue;
        }
        let mut number = || {
            let value = words.next().ok_or(format!("{word} needs a number"))?;
            value.parse::<u64>().map_err(|_| format!("{word} needs a number, not {value}"))
        };
        match word.as_str() {
            "--schedules" => read.schedules = Some(number()?),
            "--seed" => read.seed = Some(number()?),
            "--threads" => read.threads = number()?.clamp(1, 256) as usize,
            "--trace" => read.trace = true,
            _ => return Err(HELP.to_owned()),
        }
    }
    Ok(read)
}

fn main() -> ExitCode {
    let read = match arguments() {
        Ok(read) => read,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let first = read.seed.unwrap_or(0);
    let count = read.schedules.unwrap_or(if read.seed.is_some() { 1 } else { 200_000 });
    let harness = Harness { trace: read.trace, broken: read.broken, ..Harness::default() };
    let (next, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    #[allow(clippy::disallowed_methods)]
    let began = Instant::now();
    let mut total = Report::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..read.threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut sum = Report::default();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= count {
                            return sum;
                        }
                        match sim::run_with(first + index, harness) {
                            Ok(report) => add(&mut sum, &report),
                            Err(failure) => {
                                failed.fetch_add(1, Ordering::Relaxed);
                                eprintln!("{failure}");
                            }
                        }
                    }
                })
            })
            .collect();
        for worker in workers {
            match worker.join() {
                Ok(sum) => add(&mut total, &sum),
                Err(_) => {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    });
    let failed = failed.load(Ordering::Relaxed);
    println!(
        "{} of {count} schedules kept their promise, seeds {first} to {}, in {:.1} s",
        count - failed.min(count),
        first + count.saturating_sub(1),
        began.elapsed().as_secs_f64()
    );
    println!(
        "{} messages delivered over {} links ({} resumes, {} moves between owners, {} stated losses of \
         a session); {:.0} h of virtual time",
        total.delivered,
        total.attempts,
        total.resumes,
        total.moves,
        total.losses,
        total.virtual_time.as_secs_f64() / 3600.0
    );
    ExitCode::from(u8::from(failed > 0))
}

fn add(sum: &mut Report, one: &Report) {
    sum.steps += one.steps;
    sum.attempts += one.attempts;
    sum.resumes += one.resumes;
    sum.losses += one.losses;
    sum.moves += one.moves;
    sum.delivered += one.delivered;
    sum.virtual_time += one.virtual_time;
}
