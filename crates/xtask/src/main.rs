//! `cargo xtask TASK`: what this repository checks and generates about itself.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{Problem, generate, layering, repository, tidy};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Checks and generates what this repository says about itself.")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Hold the table of who may import whom against every manifest, and keep I/O out of the pure crates.
    Layering,
    /// Check the rules that no compiler checks: file sizes, names, bans, links, unfinished code.
    Tidy,
    /// Write every generated file.
    Generate {
        /// Write nothing; fail when a file differs from what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Run many sessions through cuts, a real nginx and a real gateway, and account for every message.
    Soak(xtask::soak::Soak),
    /// Put the doctor before real proxies with known faults, and compare its verdicts with the truth.
    Lab(xtask::lab::Lab),
}

fn main() -> ExitCode {
    let task = Args::parse().task;
    if let Task::Soak(soak) = &task {
        return match xtask::soak::run(&repository::root(), soak) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => {
                println!("not every message arrived exactly once and in order");
                ExitCode::FAILURE
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::from(2)
            }
        };
    }
    if let Task::Lab(lab) = &task {
        return match xtask::lab::run(&repository::root(), lab) {
            Ok((shown, right)) => {
                print!("{shown}");
                if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::from(2)
            }
        };
    }
    match run(task) {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            for problem in &problems {
                println!("{problem}");
            }
            println!("{} to mend", problems.len());
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
        Task::Tidy => tidy::check(&root),
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
