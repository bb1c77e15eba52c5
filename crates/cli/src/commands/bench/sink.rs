//! The command `undrop bench sink`.

use std::net::SocketAddr;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use undrop_bench::{Fault, Sabotage, Sink as Server, SinkCounts, SinkOptions};
use undrop_text::size;

use crate::commands::bench::options::duration;
use crate::exit::{Code, Failure};

/// Run a backend that verifies what it receives, for --verify
///
/// It verifies the numbered streams of a run and replies to every message with a message from a second numbered stream, so each
/// direction is proven separately. Other messages are echoed. On SIGINT or SIGTERM it prints its findings and exits.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_override_self = true)]
pub(crate) struct Sink {
    /// Address to listen on; port 0 selects a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Return all messages unchanged
    #[arg(long, conflicts_with = "broadcast")]
    echo: bool,
    /// Send every message to all connections
    #[arg(long)]
    broadcast: bool,
    /// Make every Nth reply faulty (lose, double, swap or corrupt), to test the verification
    #[arg(long, hide = true, value_name = "FAULT=N", value_parser = sabotage)]
    sabotage: Option<Sabotage>,
    /// Close every connection at this age, without a Close frame [default: never]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    lifetime: Option<Duration>,
    /// Maximum size of a received message
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size::parse)]
    max_message: u64,
    /// Number of processes that share the port, each with its own limit of open files. With several, a stream must stay on one
    /// connection
    #[arg(long, short = 'w', value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    workers: u32,
}

const EXAMPLES: &str = "\
Examples:
  undrop bench sink --listen 127.0.0.1:9000
  undrop bench run -c 100 -r 100 --verify ws://127.0.0.1:9000";

fn sabotage(text: &str) -> Result<Sabotage, String> {
    let wrong = || format!("`{text}` is not lose=N, double=N, swap=N or corrupt=N");
    let (how, every) = text.split_once('=').ok_or_else(wrong)?;
    let how = match how {
        "lose" => Fault::Lose,
        "double" => Fault::Double,
        "swap" => Fault::Swap,
        "corrupt" => Fault::Corrupt,
        _ => return Err(wrong()),
    };
    match every.parse() {
        Ok(every) if every > 0 => Ok(Sabotage { how, every }),
        _ => Err(wrong()),
    }
}

pub(crate) fn run(command: Sink) -> Result<ExitCode, Failure> {
    super::runner::raise_file_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(command))
}

async fn serve(command: Sink) -> Result<ExitCode, Failure> {
    let options = SinkOptions {
        listen: command.listen,
        reuse_port: command.workers > 1 || std::env::var_os(SIBLING).is_some(),
        max_message: command.max_message,
        echo: command.echo,
        broadcast: command.broadcast,
        sabotage: command.sabotage,
        lifetime: command.lifetime,
    };
    let usage = |error: anyhow::Error| Failure::new(Code::Usage, error);
    let sink =
        Server::bind(options).with_context(|| format!("--listen {}", command.listen)).map_err(usage)?;
    let address = sink.address()?;
    let mut siblings = Vec::new();
    for _ in 1..command.workers {
        siblings.push(sibling(address).map_err(usage)?);
    }
    // Siblings share the output of the first process, which alone prints the address.
    if std::env::var_os(SIBLING).is_none() {
        say!("listening on ws://{address}");
    }
    let watch = sink.watch();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut served = std::pin::pin!(sink.serve());
    tokio::select! {
        served = &mut served => served?,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    for mut sibling in siblings {
        // Fails if the sibling has already exited.
        let _ = sibling.start_kill();
        let _ = sibling.wait().await;
    }
    let SinkCounts { connections, messages, up, missing, .. } = watch.counts();
    let more = if command.workers > 1 { " (this process alone)" } else { "" };
    say!(
        "{connections} connections, {messages} messages{more}; numbered streams: {} received, {missing} missing, {} doubled, {} \
         reordered, {} corrupted",
        up.received,
        up.doubled,
        up.reordered,
        up.corrupted
    );
    let clean = missing == 0 && up.doubled == 0 && up.reordered == 0 && up.corrupted == 0;
    Ok(if clean { ExitCode::SUCCESS } else { Code::Findings.into() })
}

/// The environment variable that marks a process that shares the port of its parent.
const SIBLING: &str = "UNDROP_BENCH_SINK_SIBLING";

fn sibling(address: SocketAddr) -> anyhow::Result<tokio::process::Child> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // The same options, with the actual address and without sibling processes.
    arguments.extend(["--listen".to_owned(), address.to_string(), "--workers".to_owned(), "1".to_owned()]);
    let program =
        std::env::current_exe().map_err(|error| anyhow!("cannot find the own executable: {error}"))?;
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).env(SIBLING, "1").stdin(Stdio::null()).kill_on_drop(true);
    command.spawn().context("a worker process cannot be started")
}
