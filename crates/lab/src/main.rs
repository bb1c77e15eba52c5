//! Long runs with real proxies: `cargo xtask soak` and `cargo xtask lab` build and run this program.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod lab;
mod soak;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Long runs with real proxies.")]
struct LabArgs {
    #[command(subcommand)]
    run: LongRun,
}

#[derive(Subcommand)]
enum LongRun {
    /// Run many sessions through cuts, a real nginx and a real gateway, and account for every message.
    Soak(soak::Soak),
    /// Run the doctor against real proxies with known faults, and compare its verdicts with the truth.
    Lab(lab::Lab),
}

fn main() -> ExitCode {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).unwrap_or(here);
    let result = match LabArgs::parse().run {
        LongRun::Soak(options) => soak::run(root, &options).inspect(|complete| {
            if !complete {
                println!("not every message arrived exactly once and in order");
            }
        }),
        LongRun::Lab(options) => lab::run(root, &options).map(|(table, right)| {
            print!("{table}");
            right
        }),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
