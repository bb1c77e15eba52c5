//! The `undrop` program: parses the command line, runs one command, and turns its outcome into an exit code.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this crate is the one that prints")]

/// `println!` that does not mind when nobody reads any more; other failures are told at the end.
macro_rules! say {
    () => { $crate::output::line(format_args!("")) };
    ($($text:tt)+) => { $crate::output::line(format_args!($($text)+)) };
}

/// `eprintln!` that does not mind when standard error is closed or full.
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
    /// What is logged to standard error: error, warn, info, debug, trace, or a filter such as `undrop_gateway=debug`
    /// [default: info for the gateway, error for the others]
    #[arg(long, global = true, env = "UNDROP_LOG", value_name = "FILTER")]
    log: Option<String>,
}

const LONG: &str = "WebSockets that do not drop: a gateway that puts resumable sessions in front of any WebSocket \
backend, and a client that uses them. No message is lost or doubled, whatever happens to the connection.";

const EXIT_CODES: &str = "\
Exit codes: 0 good · 1 findings (demo: undrop lost a message) · 2 usage or configuration · 3 handshake · 4 TLS · \
5 dropped early · 6 threshold missed · 7 the tool could not keep its own rate

Examples:
  undrop demo                                            see what is lost without undrop, and with it
  undrop gateway --upstream ws://127.0.0.1:9000          put sessions in front of a backend
  undrop connect ws://127.0.0.1:8080/echo                talk to it, and cut the cable
  undrop chaos --upstream 127.0.0.1:9000 --preset alb    a proxy that ends connections as that product does";

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, parsed once")]
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
    // The gateway's log is its face; the others have one of their own and log only what goes wrong.
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
        // A worse verdict stays what it is.
        Some(lost) if code == ExitCode::SUCCESS => lost,
        _ => code,
    }
}

/// One sentence on standard error, and the code that its cause has.
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
