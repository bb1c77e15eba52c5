//! What a run leaves behind: the report on standard output, files, and the exit code.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use undrop_bench::report::conditions::Condition;
use undrop_bench::report::{LoadReport, hdr_log, html, text};
use undrop_bench::{Mode, Plan, Tally};
use undrop_report::Style;

use super::args::Output;
use crate::exit::{Code, Failure};

/// Part of the connections that may fail to open before that is the verdict.
const UNOPENED: f64 = 0.01;

/// The width of the report in columns. It does not depend on the terminal, so reports of different runs can be compared.
const WIDTH: usize = 80;

/// Files that are written at the end, opened before the first connection: a report that has no place is better known then.
pub(super) struct Files {
    html: Option<File>,
    hdr_log: Option<File>,
}

impl Files {
    pub(super) fn open(output: &Output) -> Result<Files, Failure> {
        let open = |path: Option<&Path>, flag: &str| match path {
            // What is there stays until there is something better.
            Some(path) => OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .with_context(|| format!("{flag} {}", path.display()))
                .map_err(|error| Failure::new(Code::Usage, error))
                .map(Some),
            None => Ok(None),
        };
        Ok(Files {
            html: open(output.html.as_deref(), "--html")?,
            hdr_log: open(output.hdr_log.as_deref(), "--hdr-log")?,
        })
    }
}

/// Prints and writes the report, and chooses the exit code.
pub(super) fn report(
    plan: &Plan,
    tally: &Tally,
    output: &Output,
    files: Files,
    conditions: &[Condition],
) -> Result<ExitCode, Failure> {
    let mut report = LoadReport::new(plan, tally);
    report.check(conditions);
    if output.json {
        say!("{}", serde_json::to_string_pretty(&report).map_err(|error| Failure::new(Code::Usage, error))?);
    } else {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        say!("{}", text(&report, &Style { colour, width: WIDTH }).trim_end());
    }
    let code = exit_code(plan, tally, &report);
    let written = [
        (files.html.map(|file| replace(file, &html(&report))), "--html", &output.html),
        (files.hdr_log.map(|file| replace(file, &hdr_log(tally))), "--hdr-log", &output.hdr_log),
    ];
    let mut lost = false;
    for (written, flag, path) in written {
        if let (Some(Err(error)), Some(path)) = (written, path) {
            note!("error: {flag} {}: {error}", path.display());
            lost = true;
        }
    }
    // A worse verdict stays what it is.
    Ok(if lost && code == ExitCode::SUCCESS { Code::Usage.into() } else { code })
}

fn replace(mut file: File, content: &str) -> io::Result<()> {
    // A pipe or a device has no length.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(content.as_bytes())?;
    file.flush()
}

fn exit_code(plan: &Plan, tally: &Tally, report: &LoadReport) -> ExitCode {
    let not_opened = || {
        let tls = tally.failures.values().all(|failures| failures.stage == "tls");
        if tls { Code::Tls } else { Code::Handshake }
    };
    let judged = |metric: &str| report.thresholds.iter().any(|threshold| threshold.metric == metric);
    if tally.opened == 0 && tally.failed_count() > 0 {
        return not_opened().into();
    }
    if !report.is_exactly_once() {
        return Code::Findings.into();
    }
    if report.thresholds.iter().any(|threshold| !threshold.passed) {
        return Code::Threshold.into();
    }
    if report.unopened() > UNOPENED && !judged("opened") {
        return not_opened().into();
    }
    let dropped = match plan.mode {
        // Losing connections is what these are for.
        Mode::Storm { .. } | Mode::Ramp { .. } => false,
        // A session that came back was not dropped.
        _ => tally.alive_at_end < tally.opened,
    };
    if dropped && !judged("survival") && !tally.interrupted {
        return Code::Dropped.into();
    }
    if !tally.users.failed.is_empty() && report.thresholds.is_empty() {
        return Code::Findings.into();
    }
    if report.is_slow() {
        return Code::OwnRate.into();
    }
    ExitCode::SUCCESS
}
