//! The command `undrop gateway`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use undrop_gateway::config::file::{ConfigFile, TlsTable};
use undrop_gateway::{Config, Gateway as Running, config};
use undrop_store::MemoryStore;
use undrop_text::duration;

use crate::exit::{Code, Failure};

/// Add resumable sessions to a WebSocket backend.
///
/// Clients that support the session protocol get a session that survives the loss of their connections. All other
/// clients are passed through, with heartbeats. Without an upstream, the gateway serves an embedded backend at /echo and
/// /broadcast.
///
/// SIGTERM or Ctrl-C starts a drain: the gateway asks every client to reconnect elsewhere and exits when they have left.
/// A second signal ends it immediately. SIGHUP reloads the certificate files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Gateway {
    /// Address to listen on; can be repeated [default: 127.0.0.1:8080]
    #[arg(long, short, value_name = "HOST:PORT")]
    listen: Vec<String>,
    /// Backend for all paths that have no route; the path of the client is appended to the path of this URL
    /// [default: the embedded backend]
    #[arg(long, short, value_name = "URL")]
    upstream: Option<String>,
    /// TOML file with the full configuration; options on the command line take precedence
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Number of worker threads [default: one per core]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Certificate chain in PEM format; enables wss://
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<String>,
    /// Private key of the certificate in PEM format
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<String>,
    /// Idle time after which the gateway sends a heartbeat to a client [default: 25s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    heartbeat: Option<Duration>,
    /// Time for which a session is kept after its client disconnected [default: 120s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    ttl: Option<Duration>,
    /// Maximum time from SIGTERM to the exit; connections that remain are closed [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    drain: Option<Duration>,
    /// Pass every client through, including clients that ask for a session
    #[arg(long)]
    no_sessions: bool,
    /// Name of this process in session ids: 1 to 64 letters, digits, `-` and `_` [default: random]
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Check the configuration and exit
    #[arg(long)]
    check: bool,
}

const EXAMPLES: &str = "\
Examples:
  undrop gateway                                                   try it with the embedded backend at ws://127.0.0.1:8080/echo
  undrop gateway --listen :443 --tls-cert c.pem --tls-key k.pem --upstream ws://127.0.0.1:9000
  undrop gateway --config gateway.toml --check";

pub(crate) fn run(command: Gateway) -> Result<ExitCode, Failure> {
    let check = command.check;
    let node = match &command.node {
        Some(node) => node.clone(),
        None => format!("n{:012x}", fastrand::u64(..) >> 16),
    };
    let config = configuration(command).map_err(|error| Failure::new(Code::Usage, error))?;
    if check {
        say!("the configuration is valid ({} routes)", config.routes.len());
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(config, &node))
}

fn configuration(command: Gateway) -> anyhow::Result<Config> {
    let mut raw = match &command.config {
        Some(file) => config::read(file)?,
        None => ConfigFile::default(),
    };
    if !command.listen.is_empty() {
        raw.listen = Some(command.listen);
    }
    raw.upstream = command.upstream.or(raw.upstream);
    raw.workers = command.workers.or(raw.workers);
    if let (Some(certificate), Some(key)) = (command.tls_cert, command.tls_key) {
        raw.tls = Some(TlsTable { certificate, key });
    }
    raw.session.heartbeat = command.heartbeat.or(raw.session.heartbeat);
    raw.session.ttl = command.ttl.or(raw.session.ttl);
    raw.drain.deadline = command.drain.or(raw.drain.deadline);
    if command.no_sessions {
        raw.session.enabled = Some(false);
    }
    let named = command.config.map(|file| format!("{}", file.display()));
    let config = Config::try_from(raw);
    match named {
        Some(file) => config.with_context(|| file),
        None => Ok(config?),
    }
}

async fn serve(config: Config, node: &str) -> Result<ExitCode, Failure> {
    let scheme = if config.tls.is_some() { "wss" } else { "ws" };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let gateway = Running::start(config, Arc::new(MemoryStore::new()), node)
        .map_err(|error| Failure::new(Code::Usage, error))?;
    if gateway.embedded().is_some() {
        tracing::info!("no upstream is configured: serving the embedded backend at /echo and /broadcast");
    }
    let names: Vec<String> =
        gateway.addresses().iter().map(|address| format!("{scheme}://{address}")).collect();
    say!("listening on {}", names.join(" "));
    loop {
        tokio::select! {
            _ = hangup.recv() => match gateway.reload_tls() {
                Ok(()) => tracing::info!("certificates reloaded"),
                Err(error) => tracing::error!(%error, "cannot reload the certificates; the previous ones remain in use"),
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    tracing::info!(sessions = gateway.sessions(), "draining; a second signal ends the process immediately");
    tokio::select! {
        drained = gateway.drain() => {
            tracing::info!(before = drained.before, closed = drained.closed, "drained");
            Ok(ExitCode::SUCCESS)
        }
        _ = terminate.recv() => Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::SUCCESS),
    }
}
