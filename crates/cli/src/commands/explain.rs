//! The command `undrop explain`.

mod logs;
mod page;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;
use serde::Serialize;
use undrop_diagnosis::CHECKS;
use undrop_explain::{Explanation, LONGEST_QUERY, Lookup, explain};
use undrop_text::printable;

use crate::exit::{Code, Failure};

/// Explain a code, a flag, a response or an error line, or find in access logs why WebSockets drop
/// Queries: a close code, an HTTP status or a pasted response head, termination flags of HAProxy, response flags of Envoy, a line
/// of the nginx error log, a console message of a browser, an error of a library, or the id of a check of `undrop doctor`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// Query; several words need no quotes. `-` reads the query from standard input
    #[arg(value_name = "QUERY", required_unless_present_any = ["file", "logs"], conflicts_with_all = ["file", "logs"])]
    query: Vec<String>,
    /// Read the query, such as a response head, from a file
    #[arg(long, value_name = "FILE", conflicts_with = "logs")]
    file: Option<PathBuf>,
    /// Access logs to evaluate, plain or gzip; `-` is standard input
    #[arg(id = "logs", long = "log", value_name = "FILE", num_args = 1..)]
    logs: Vec<PathBuf>,
    /// Format of the logs, as in the configuration of the product [default: detected for each log]
    #[arg(long, value_name = "LOG_FORMAT", requires = "logs")]
    format: Option<String>,
    /// Write the report as a self-contained HTML page
    #[arg(long, value_name = "FILE", requires = "logs")]
    html: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Replaces the global option --log, which has another meaning here.
    #[arg(id = "log", long = "log-filter", env = "UNDROP_LOG", value_name = "FILTER", hide = true)]
    _filter: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  undrop explain 1006                                      a close code
  undrop explain HTTP 502                                  an answer to the handshake
  curl -si https://example.com/ws | undrop explain -       … and who gave it
  undrop explain cD--                                      HAProxy's termination state
  undrop explain UT,DC                                     Envoy's response flags
  undrop explain '110: Connection timed out'               a line of an error log or a console
  undrop explain --log /var/log/nginx/access.log*          why did the sessions in these logs end?
  zcat old.gz | undrop explain --log - --format '%h %t \"%r\" %>s %D'

Logs: nginx and Apache (combined, common, with a request time behind), HAProxy (httplog, tcplog), Envoy and Istio (default, JSON),
AWS ALB, Caddy (JSON), nginx JSON. What each must have: docs/explain.md

Exit codes: 0 explained, or nothing wrong in the log · 1 findings in a log · 2 not known, or cannot be read";

pub(crate) fn run(command: Explain) -> Result<ExitCode, Failure> {
    if !command.logs.is_empty() {
        return logs::run(&command);
    }
    let query = command.text().map_err(|error| Failure::new(Code::Usage, error))?;
    let query = query.trim();
    if let Some(check) = CHECKS.iter().find(|check| check.id == query) {
        return documented(&command, check.id, check.doc);
    }
    match explain(query) {
        Lookup::Known(found) => {
            if command.json {
                print_json(&Document { version: 1, query, explanations: &found })?;
            } else {
                say!("{}", page::pages(&found, &page::style()).trim_end());
            }
            Ok(ExitCode::SUCCESS)
        }
        Lookup::Unknown { mut nearest } => {
            let like = |id: &str| query.len() > 3 && (id.contains(query) || query.contains(id));
            nearest.extend(CHECKS.iter().filter(|check| like(check.id)).map(|check| check.id.to_owned()));
            Err(Failure::new(Code::Usage, unknown(query, &nearest)))
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    query: &'a str,
    explanations: &'a [Explanation],
}

#[derive(Serialize)]
struct Check<'a> {
    version: u32,
    query: &'a str,
    documentation: &'a str,
}

impl Explain {
    fn text(&self) -> anyhow::Result<String> {
        let mut bytes = Vec::new();
        if let Some(file) = &self.file {
            let name = || format!("cannot read {}", file.display());
            File::open(file)
                .with_context(name)?
                .take(LONGEST_QUERY as u64)
                .read_to_end(&mut bytes)
                .with_context(name)?;
        } else if self.query == ["-"] {
            std::io::stdin()
                .take(LONGEST_QUERY as u64)
                .read_to_end(&mut bytes)
                .context("cannot read standard input")?;
        } else {
            return Ok(self.query.join(" "));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Returns the documentation of a check.
fn documented(command: &Explain, id: &str, documentation: &str) -> Result<ExitCode, Failure> {
    if command.json {
        print_json(&Check { version: 1, query: id, documentation })?;
    } else {
        say!("{}", documentation.trim());
    }
    Ok(ExitCode::SUCCESS)
}

fn print_json(document: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document).map_err(|error| Failure::new(Code::Usage, error))?;
    say!("{text}");
    Ok(())
}

fn unknown(query: &str, nearest: &[String]) -> anyhow::Error {
    let shown = printable::excerpt(query);
    let mut text = format!("`{shown}` is unknown");
    if nearest.is_empty() {
        text.push_str("; it may be defined by the application");
    } else {
        text.push_str("; did you mean");
        for (i, id) in nearest.iter().enumerate() {
            let _ = write!(text, "{} `{id}`", if i == 0 { "" } else { "," });
        }
        text.push('?');
    }
    anyhow!(text)
}

/// Returns whether standard output is a terminal that supports colours.
fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
