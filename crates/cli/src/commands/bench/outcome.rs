//! The results of a run: the report on standard output, files, and the exit code.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use undrop_bench::report::conditions::Condition;
use undrop_bench::report::{LoadReport, hdr_log, html, text};
use undrop_bench::{ConnectStage, Mode, Plan, Tally};
use undrop_report::Style;

use super::options::ReportOptions;
use crate::exit::{Code, Failure};

/// The width of the report in columns. It does not depend on the terminal, so reports of different runs can be compared.
const WIDTH: usize = 80;

/// The ratio of connections that may fail to open without deciding the exit code.
const UNOPENED: f64 = 0.01;

/// The files that are written at the end. They are opened before the first connection, so that errors are reported early.
pub(super) struct Files {
    html: Option<File>,
    hdr_log: Option<File>,
}

impl Files {
    pub(super) fn open(options: &ReportOptions) -> Result<Files, Failure> {
        let open = |path: Option<&Path>, flag: &str| match path {
            // The existing content is kept until there is a report.
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
            html: open(options.html.as_deref(), "--html")?,
            hdr_log: open(options.hdr_log.as_deref(), "--hdr-log")?,
        })
    }
}

/// Prints and writes the report, and chooses the exit code.
pub(super) fn report(
    plan: &Plan,
    tally: &Tally,
    options: &ReportOptions,
    files: Files,
    conditions: &[Condition],
) -> Result<ExitCode, Failure> {
    let mut report = LoadReport::new(plan, tally);
    report.check(conditions);
    if options.verbosity.json {
        say!("{}", serde_json::to_string_pretty(&report).map_err(|error| Failure::new(Code::Usage, error))?);
    } else {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        say!("{}", text(&report, &Style { colour, width: WIDTH }).trim_end());
    }
    let code = exit_code(plan, tally, &report);
    let written = [
        (files.html.map(|file| replace(file, &html(&report))), "--html", &options.html),
        (files.hdr_log.map(|file| replace(file, &hdr_log(tally))), "--hdr-log", &options.hdr_log),
    ];
    let mut lost = false;
    for (written, flag, path) in written {
        if let (Some(Err(error)), Some(path)) = (written, path) {
            note!("error: {flag} {}: {error}", path.display());
            lost = true;
        }
    }
    // A worse exit code is kept.
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
    let unopened_code = || {
        let tls = tally
            .failures
            .iter()
            .all(|failures| failures.kind.as_ref().is_some_and(|kind| kind.stage == ConnectStage::Tls));
        if tls { Code::Tls } else { Code::Handshake }
    };
    let has_condition = |metric: &str| report.thresholds.iter().any(|threshold| threshold.metric == metric);
    if tally.opened == 0 && tally.failed_count() > 0 {
        return unopened_code().into();
    }
    if !report.is_exactly_once() {
        return Code::Findings.into();
    }
    if report.thresholds.iter().any(|threshold| !threshold.passed) {
        return Code::Threshold.into();
    }
    if report.unopened() > UNOPENED && !has_condition("opened") {
        return unopened_code().into();
    }
    let dropped = match plan.mode {
        // These modes lose connections on purpose.
        Mode::Storm { .. } | Mode::Ramp { .. } => false,
        // A session that was resumed was not dropped.
        _ => tally.alive_at_end < tally.opened,
    };
    if dropped && !has_condition("survival") && !tally.interrupted {
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
