//! The evaluation of access logs by `undrop explain --log`.

use std::fs::File;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use undrop_explain::log::Survey;
use undrop_report::{Style, html, json, terminal};

use super::{Explain, colour};
use crate::exit::{Code, Failure};

pub(super) fn run(command: &Explain) -> Result<ExitCode, Failure> {
    let usage = |error: anyhow::Error| Failure::new(Code::Usage, error);
    let mut survey = Survey::new(command.format.as_deref()).context("--format").map_err(usage)?;
    for path in &command.logs {
        let name = path.display().to_string();
        let read = if name == "-" {
            survey.read("standard input", std::io::stdin().lock())
        } else {
            File::open(path).and_then(|file| survey.read(&name, file))
        };
        read.with_context(|| format!("cannot read {name}")).map_err(usage)?;
    }
    let recognised = survey.recognised();
    let report = survey.conclude();
    if let Some(file) = &command.html {
        std::fs::write(file, html(&report)).map_err(|error| usage(anyhow!("{}: {error}", file.display())))?;
    }
    let width = super::page::style().width;
    let text =
        if command.json { json(&report) } else { terminal(&report, &Style { colour: colour(), width }) };
    let mut stdout = std::io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    if !recognised {
        return Err(usage(anyhow!("the format of these logs was not recognised; pass it with --format")));
    }
    Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { Code::Findings.into() })
}
