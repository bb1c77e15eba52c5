//! The command `undrop doctor`.

mod arguments;
mod progress;
mod watch;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use undrop_diagnosis::{Conclusion, Observations, diagnose};
use undrop_doctor::{CancellationToken, examine};
use undrop_report::{Report, Style, html, json, markdown, terminal};

pub(crate) use arguments::Doctor;
use progress::ProgressView;

use crate::exit::{Code, Failure};

pub(crate) fn run(command: Doctor) -> Result<ExitCode, Failure> {
    let seen = match &command.replay {
        Some(file) => load(file)?,
        None => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let seen = if command.watch {
                runtime.block_on(watch::watch(&command))?
            } else {
                runtime.block_on(look(&command))?
            };
            // A name lookup may still block its thread.
            runtime.shutdown_background();
            seen
        }
    };
    let report = diagnose(&seen);
    // The report is printed first, so that a file that cannot be written does not lose the result of a long run.
    show(&command, &report)?;
    if let Some(file) = &command.save {
        let mut text = serde_json::to_string(&seen).context("cannot save the run").map_err(usage)?;
        text.push('\n');
        write(file, &text)?;
    }
    if let Some(file) = &command.html {
        write(file, &html(&report))?;
    }
    if let Some(file) = &command.document {
        write(file, &markdown(&report))?;
    }
    let dropped = || {
        seen.endpoints
            .iter()
            .flat_map(|endpoint| &endpoint.connections)
            .any(|connection| connection.end.is_some())
    };
    if command.watch && dropped() {
        return Ok(Code::Dropped.into());
    }
    Ok(match Conclusion::of(&seen, &report) {
        Conclusion::Good => ExitCode::SUCCESS,
        Conclusion::Findings => Code::Findings.into(),
        Conclusion::Handshake => Code::Handshake.into(),
        Conclusion::Tls => Code::Tls.into(),
        Conclusion::DroppedEarly => Code::Dropped.into(),
    })
}

fn usage(error: anyhow::Error) -> Failure {
    Failure::new(Code::Usage, error)
}

/// Probes the endpoint until the run is complete or Ctrl-C stops it.
async fn look(command: &Doctor) -> Result<Observations, Failure> {
    let (url, options) = command.options()?;
    let stop = CancellationToken::new();
    let progress = ProgressView::new();
    let examining = examine(&url, &options, &stop, &progress);
    let mut examining = std::pin::pin!(examining);
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            seen = &mut examining => {
                progress.close();
                return Ok(seen);
            }
            _ = ticks.tick() => progress.draw(),
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                stop.cancel();
            }
        }
    }
}

/// The maximum size of a saved run in bytes; runs of a day take a few MiB.
const LARGEST_RUN: u64 = 64 << 20;

fn load(file: &Path) -> Result<Observations, Failure> {
    let mut text = String::new();
    File::open(file)
        .and_then(|opened| opened.take(LARGEST_RUN + 1).read_to_string(&mut text))
        .map_err(|error| usage(anyhow!("--replay: {}: {error}", file.display())))?;
    if text.len() as u64 > LARGEST_RUN {
        return Err(usage(anyhow!(
            "--replay: {}: larger than 64 MiB, the limit for a saved run",
            file.display()
        )));
    }
    Observations::from_json(&text).map_err(|error| usage(anyhow!("--replay: {}: {error}", file.display())))
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| usage(anyhow!("{}: {error}", file.display())))
}

fn show(command: &Doctor, report: &Report) -> Result<(), Failure> {
    use std::io::{IsTerminal, Write};
    let mut stdout = std::io::stdout();
    let text = if command.json {
        json(report)
    } else {
        let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let width = if stdout.is_terminal() { progress::width().min(110) } else { 80 };
        terminal(report, &Style { colour, width })
    };
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}
