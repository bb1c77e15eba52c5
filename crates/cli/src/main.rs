//! The `undrop` program: it parses the command line, runs one command, and maps the result to an exit code.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this crate is the one that prints")]

/// `println!` that ignores a closed pipe; other write errors are reported at exit.
macro_rules! say {
    () => { $crate::output::line(format_args!("")) };
    ($($text:tt)+) => { $crate::output::line(format_args!($($text)+)) };
}

/// `eprintln!` that ignores write errors, such as a closed standard error.
macro_rules! note {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

mod commands;
mod exit;
mod log;
mod output;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::exit::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// WebSockets that do not drop.
#[derive(Debug, Parser)]
#[command(name = "undrop", version, about, long_about = LONG, after_help = EXIT_CODES, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Level of the log on standard error (error, warn, info, debug or trace), or a filter such as
    /// `undrop_gateway=debug` [default: info for the gateway, error for the other commands]
    #[arg(long, global = true, env = "UNDROP_LOG", value_name = "FILTER")]
    log: Option<String>,
}

const LONG: &str = "WebSockets that do not drop: a gateway that adds resumable sessions to any WebSocket backend, \
a client that uses them, and tools to find out why connections drop. In a session, no message is lost or duplicated \
when a connection is lost.";

const EXIT_CODES: &str = "\
Exit codes: 0 success · 1 findings (demo: the undrop client lost a message) · 2 usage or configuration error · \
3 handshake failed · 4 TLS failed · 5 connection dropped early · 6 threshold missed · 7 the tool could not keep its own rate

Examples:
  undrop demo                                            compare a plain client and a session on a bad network
  undrop gateway --upstream ws://127.0.0.1:9000          add sessions to a backend
  undrop connect ws://127.0.0.1:8080/echo                talk to it (unplug the network to see it resume)
  undrop chaos --upstream 127.0.0.1:9000 --preset alb    a proxy that drops connections like an AWS ALB";

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "the program holds one, which it parses once")]
enum Command {
    Bench(commands::bench::Bench),
    Chaos(commands::chaos::Chaos),
    Connect(commands::connect::Connect),
    Demo(commands::demo::Demo),
    Doctor(commands::doctor::Doctor),
    Explain(commands::explain::Explain),
    Gateway(commands::gateway::Gateway),
    #[command(hide = true)]
    Reference(commands::reference::Reference),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The log is the gateway's only output; the other commands have their own output and log errors only.
    let default = if matches!(cli.command, Command::Gateway(_)) { "info" } else { "error" };
    if let Err(error) = log::install(cli.log.as_deref().unwrap_or(default)) {
        return report(&error);
    }
    let outcome = match cli.command {
        Command::Bench(command) => commands::bench::run(command),
        Command::Chaos(command) => commands::chaos::run(command),
        Command::Connect(command) => commands::connect::run(command),
        Command::Demo(command) => commands::demo::run(command),
        Command::Doctor(command) => commands::doctor::run(command),
        Command::Explain(command) => commands::explain::run(command),
        Command::Gateway(command) => commands::gateway::run(command),
        Command::Reference(command) => commands::reference::run(command, Cli::command()),
    };
    let code = outcome.unwrap_or_else(|error| report(&error));
    match output::lost().map(|lost| report(&lost)) {
        // An exit code that reports more than success is kept.
        Some(lost) if code == ExitCode::SUCCESS => lost,
        _ => code,
    }
}

/// Prints an error to standard error and returns its exit code.
fn report(error: &Failure) -> ExitCode {
    if error.is_broken_pipe() {
        return ExitCode::SUCCESS;
    }
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        note!("\x1b[1;31merror:\x1b[0m {error}");
    } else {
        note!("error: {error}");
    }
    error.code()
}
