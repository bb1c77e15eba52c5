//! `cargo xtask TASK`: what this repository checks and generates about itself.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};
use xtask::{Problem, generate, layering, metrics, repository, tidy};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Checks and generates what this repository says about itself.")]
struct XtaskArgs {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Hold the table of who may import whom against every manifest, and keep I/O out of the pure crates.
    Layering,
    /// Check the rules that no compiler checks: file sizes, names, bans, links, words, doc comments, import cycles, type names.
    Tidy {
        /// List the places that break the rules on words, doc comments, import cycles and type names by crate, and succeed
        #[arg(long)]
        report: bool,
        /// The repository to look at [default: this one]
        #[arg(long)]
        root: Option<PathBuf>,
    },
    /// Print figures of the code base: sizes of files and functions, import cycles, type names, words.
    Metrics {
        /// The repository to measure [default: this one]
        root: Option<PathBuf>,
    },
    /// Write every generated file.
    Generate {
        /// Write nothing; fail when a file differs from what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Run many sessions through cuts, a real nginx and a real gateway, and account for every message.
    #[command(disable_help_flag = true)]
    Soak(PassedArguments),
    /// Run the doctor against real proxies with known faults, and compare its verdicts with the truth.
    #[command(disable_help_flag = true)]
    Lab(PassedArguments),
}

/// Arguments that are passed on to the crate `lab`.
#[derive(clap::Args)]
struct PassedArguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds and runs the crate `lab`, which this program does not depend on: it needs the client, the doctor and a runtime, and
/// the checks should compile in seconds.
fn lab(run: &str, PassedArguments { arguments }: &PassedArguments) -> ExitCode {
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--package", "undrop-lab", "--", run])
        .args(arguments)
        .current_dir(repository::root())
        .status();
    match status {
        Ok(status) => {
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::from(2), ExitCode::from)
        }
        Err(error) => {
            eprintln!("error: cannot run cargo: {error}");
            ExitCode::from(2)
        }
    }
}

fn main() -> ExitCode {
    let task = XtaskArgs::parse().task;
    match &task {
        Task::Soak(arguments) => return lab("soak", arguments),
        Task::Lab(arguments) => return lab("lab", arguments),
        _ => {}
    }
    match run(task) {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            for problem in &problems {
                println!("{problem}");
            }
            println!("{} to fix", problems.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(task: Task) -> anyhow::Result<Vec<Problem>> {
    let root = repository::root();
    match task {
        Task::Layering => layering::check(&root),
        Task::Tidy { report: false, root: other } => tidy::check(&other.unwrap_or(root)),
        Task::Tidy { report: true, root: other } => {
            print!("{}", tidy::report(&other.unwrap_or(root))?);
            Ok(Vec::new())
        }
        Task::Metrics { root: other } => {
            print!("{}", metrics::page(&other.unwrap_or(root))?);
            Ok(Vec::new())
        }
        Task::Generate { check: true } => generate::check(&root),
        Task::Soak(_) | Task::Lab(_) => Ok(Vec::new()),
        Task::Generate { check: false } => {
            for path in generate::write(&root)? {
                println!("wrote {path}");
            }
            Ok(Vec::new())
        }
    }
}
