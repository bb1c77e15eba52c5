//! Echo backend and load generator in one thread; `run` drives it with one command per line on standard input:
//!
//! ```text
//! listen                                                              → {"listening":"127.0.0.1:PORT"}
//! cell target=ADDR mode=plain|session size=64 connections=100 window=64 warmup=0.3 seconds=1 pids=1,2
//! hold target=ADDR mode=plain|session connections=9000 settle=3 pids=1,2
//! ```
//!
//! `cell` measures messages per second, times, and what the processes `pids` used; `hold` measures what they keep per
//! connection: after the handshakes, and again when every connection has had one message of 1 KiB. Each answer is one line of JSON; a
//! cell in which an echo is missing, damaged or out of order answers `{"error":…}`.

mod client;
mod driver;
mod histogram;
mod proc;

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::{Duration, Instant};

use client::Cell;
use driver::Driver;
use gateway_load::{backend, frame};
use histogram::Histogram;

fn main() -> io::Result<()> {
    let mut driver = Driver::new()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        let command = words.next().unwrap_or_default();
        let options: Options = Options(words.filter_map(|word| word.split_once('=')).collect());
        let answer = match command {
            "listen" => driver
                .listen()
                .map(|at| format!("{{\"listening\":\"{at}\"}}"))
                .map_err(|error| error.to_string()),
            "cell" => cell(&mut driver, &options),
            "hold" => hold(&mut driver, &options),
            other => Err(format!("no such command: {other}")),
        };
        let answer = answer.unwrap_or_else(|error| format!("{{\"error\":{error:?}}}"));
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

struct Options<'a>(HashMap<&'a str, &'a str>);

impl Options<'_> {
    fn get<T: FromStr>(&self, name: &str) -> Result<T, String> {
        let value = self.0.get(name).ok_or_else(|| format!("{name} is missing"))?;
        value.parse().map_err(|_| format!("{name}={value} is not understood"))
    }

    fn seconds(&self, name: &str) -> Result<Duration, String> {
        Duration::try_from_secs_f64(self.get(name)?).map_err(|error| format!("{name}: {error}"))
    }

    fn session(&self) -> Result<bool, String> {
        match self.get::<String>("mode")?.as_str() {
            "plain" => Ok(false),
            "session" => Ok(true),
            other => Err(format!("mode={other} is neither plain nor session")),
        }
    }

    fn pids(&self) -> Vec<u32> {
        self.0
            .get("pids")
            .into_iter()
            .flat_map(|list| list.split(','))
            .filter_map(|pid| pid.parse().ok())
            .collect()
    }
}

fn cell(driver: &mut Driver, options: &Options) -> Result<String, String> {
    let target: SocketAddr = options.get("target")?;
    let (size, connections, window) =
        (options.get("size")?, options.get("connections")?, options.get("window")?);
    let (warmup, length) = (options.seconds("warmup")?, options.seconds("seconds")?);
    let pids = options.pids();
    let mut cell = Cell::new(&target.to_string(), options.session()?, size, window);
    let result = (|| {
        driver.open(&mut cell, target, connections)?;
        let start = Instant::now();
        driver.fill(&mut cell, u64::MAX);
        driver.run(&mut cell, start, warmup, true)?;
        (cell.done, cell.times) = (0, Histogram::default());
        let (cpu, begin) = (proc::cpu(&pids), Instant::now());
        driver.run(&mut cell, start, length, true)?;
        let (cpu, taken) = (proc::cpu(&pids) - cpu, begin.elapsed());
        let (done, resident) = (cell.done, proc::resident(&pids));
        let (p50, p99) = (cell.times.quantile(0.50), cell.times.quantile(0.99));
        cell.stopping = true;
        driver.settle(&mut cell, start, Duration::from_secs(10))?;
        let rate = done as f64 / taken.as_secs_f64();
        let (cpu, p50, p99) = (cpu.as_secs_f64(), p50 as f64 / 1000.0, p99 as f64 / 1000.0);
        Ok(format!(
            "{{\"messages\":{done},\"per_second\":{rate:.0},\"cpu_seconds\":{cpu:.2},\"p50_us\":{p50:.1},\"p99_us\":{p99:.1},\"resident\":{resident}}}"
        ))
    })();
    cell.stopping = true;
    driver.close(&mut cell);
    result
}

fn hold(driver: &mut Driver, options: &Options) -> Result<String, String> {
    let target: SocketAddr = options.get("target")?;
    let connections: usize = options.get("connections")?;
    let settle = options.seconds("settle")?;
    let pids = options.pids();
    let mut cell = Cell::new(&target.to_string(), options.session()?, 1024, 1);
    let before = proc::private(&pids);
    let per_connection = |now: u64| (now as f64 - before as f64) / connections as f64;
    let result = (|| {
        driver.open(&mut cell, target, connections)?;
        let start = Instant::now();
        driver.run(&mut cell, start, settle, false)?;
        let idle = per_connection(proc::private(&pids));
        driver.fill(&mut cell, 1);
        driver.settle(&mut cell, start, Duration::from_secs(30))?;
        driver.run(&mut cell, start, settle, false)?;
        let used = per_connection(proc::private(&pids));
        Ok(format!("{{\"before\":{before},\"idle\":{idle:.0},\"used\":{used:.0}}}"))
    })();
    cell.stopping = true;
    driver.close(&mut cell);
    result
}
