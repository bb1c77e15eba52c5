//! The command `undrop chaos`: runs a proxy, or changes one that is running.

mod lines;
mod presets;
mod printer;
mod remote;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use undrop_chaos::api::{Api, Control};
use undrop_chaos::{Chaos as Proxy, Error, Event, FaultSpec, Replay, Timeline, Upstream};

use crate::exit::{Code, Failure};

use printer::Printer;

/// Run a proxy that injects the faults of real networks and proxies
///
/// The proxy runs in front of a WebSocket server (or any TCP server) and injects faults: latency, black holes, resets, idle
/// timeouts, cuts inside a frame, dropped Pongs, Close frames, failed handshakes, reloads and restarts. A preset contains the
/// faults of one product. Faults come from flags, from a timeline file, or at run time from the API, which also supports the
/// protocol of toxiproxy. The first line of output is the address on which the proxy listens.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Chaos {
    #[command(subcommand)]
    remote: Option<remote::Remote>,
    /// Address to listen on
    #[arg(long, short, value_name = "HOST:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    /// Server to forward connections to: host:port, or a ws:// URL
    #[arg(long, short, value_name = "UPSTREAM", required_unless_present_any = ["list_presets", "api"])]
    upstream: Option<String>,
    /// Preset with the faults of a product, such as alb; may be given several times
    #[arg(long, short, value_name = "NAME")]
    preset: Vec<String>,
    /// Fault to inject, such as 'idle-cut after=5s how=rst'; may be given several times
    #[arg(long, short, value_name = "FAULT")]
    fault: Vec<String>,
    /// TOML file with faults that are added and removed over time
    #[arg(long, value_name = "FILE")]
    timeline: Option<PathBuf>,
    /// Factor by which every duration in faults, presets and the timeline is divided, such as 10x
    #[arg(long, value_name = "FACTOR", default_value = "1x", value_parser = speed)]
    speed: f64,
    /// Seed of all random draws [default: the seed of the timeline, or a random one, which is shown]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Log to replay, connection by connection
    #[arg(long, value_name = "LOG", conflicts_with_all = ["timeline", "seed"])]
    replay: Option<PathBuf>,
    /// File for the log: every event as a line of JSON, which --replay reads
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// Print events as lines of JSON
    #[arg(long)]
    json: bool,
    /// Serve the API, which adds and removes faults and proxies at run time [default address: 127.0.0.1:8474]
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = remote::API)]
    api: Option<String>,
    /// Show the presets with their faults and sources, and exit
    #[arg(long)]
    list_presets: bool,
}

const EXAMPLES: &str = "\
Examples:
  undrop chaos --upstream 127.0.0.1:9000 --preset alb --speed 10x
  undrop chaos --upstream ws://127.0.0.1:9000 --fault 'cut mid-frame=20 direction=down' --fault 'latency base=80ms jitter=40ms'
  undrop chaos --upstream 127.0.0.1:9000 --api             (then: undrop chaos add drop-pongs)
  undrop chaos --upstream 127.0.0.1:9000 --timeline day.toml --log-file run.jsonl
  undrop chaos --upstream 127.0.0.1:9000 --replay run.jsonl

Ctrl-C ends the proxy with a summary. All faults and their parameters: docs/reference/faults.md";

pub(crate) fn run(command: Chaos) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Some(remote) = command.remote {
        return runtime.block_on(remote::run(remote));
    }
    if command.list_presets {
        presets::list(command.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    runtime.block_on(serve(command))
}

async fn serve(command: Chaos) -> Result<ExitCode, Failure> {
    let settings = ProxySettings::read(&command).map_err(usage)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let log = command.log_file.as_deref().map(create).transpose().map_err(usage)?;
    let printer = Arc::new(Printer::start(command.json, log));
    let seed = settings.seed;
    let observer = printer.clone();
    let control = Arc::new(Control::new(seed, command.speed).observe(move |event| observer.show(event)));
    if let Some(proxy) = settings.start(&command, &printer).await? {
        control.insert(proxy).map_err(usage)?;
    }
    let _api = match &command.api {
        Some(address) => Some(api(address, &control, &printer).await?),
        None => None,
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    for event in control.each(Proxy::summary) {
        printer.show(&event);
    }
    printer.finish();
    Ok(ExitCode::SUCCESS)
}

/// The validated settings of the proxy, from the command line and its files.
struct ProxySettings {
    upstream: Option<Upstream>,
    listen: SocketAddr,
    faults: Vec<FaultSpec>,
    timeline: Option<Timeline>,
    replay: Option<Replay>,
    seed: u64,
}

impl ProxySettings {
    fn read(command: &Chaos) -> anyhow::Result<ProxySettings> {
        let upstream = command.upstream.as_deref().map(str::parse).transpose().context("--upstream")?;
        let listen = address("--listen", &command.listen)?;
        let mut faults = Vec::new();
        for name in &command.preset {
            faults.extend(undrop_chaos::preset::faults(name).context("--preset")?);
        }
        for fault in &command.fault {
            faults.push(fault.parse::<FaultSpec>().context("--fault")?);
        }
        let timeline = match &command.timeline {
            Some(file) => Some(read(file)?.parse::<Timeline>().with_context(|| file.display().to_string())?),
            None => None,
        };
        let replay = match &command.replay {
            Some(file) => Some(Replay::read(&read(file)?).with_context(|| file.display().to_string())?),
            None => None,
        };
        let recorded = timeline.as_ref().and_then(|timeline| timeline.seed);
        let recorded = recorded.or(replay.as_ref().and_then(Replay::seed));
        let seed = command.seed.or(recorded).unwrap_or_else(|| fastrand::u64(..1_000_000));
        Ok(ProxySettings { upstream, listen, faults, timeline, replay, seed })
    }

    async fn start(self, command: &Chaos, printer: &Arc<Printer>) -> Result<Option<Proxy>, Failure> {
        let Some(upstream) = self.upstream else { return Ok(None) };
        let observer = printer.clone();
        let mut builder = Proxy::start(upstream)
            .listen(self.listen)
            .speed(command.speed)
            .observe(move |event: &Event| observer.show(event));
        for fault in self.faults {
            builder = builder.fault(fault);
        }
        if let Some(timeline) = self.timeline {
            builder = builder.timeline(timeline);
        }
        if let Some(replay) = self.replay {
            builder = builder.replay(replay);
        }
        // The flag takes precedence over the seed of a file.
        builder.seed(self.seed).await.map(Some).map_err(usage)
    }
}

async fn api(address: &str, control: &Arc<Control>, printer: &Printer) -> Result<Api, Failure> {
    let address = self::address("--api", address).map_err(usage)?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "the API is open to the network: any program that can reach it can redirect traffic");
    }
    let api = Api::start(address, control.clone()).await;
    let api = api.map_err(|error| usage(Error::Listen { address, source: error }))?;
    printer.line(
        &format!("api http://{}", api.address()),
        &format!("{{\"event\":\"api\",\"address\":\"{}\"}}", api.address()),
    );
    Ok(api)
}

fn address(flag: &str, text: &str) -> anyhow::Result<SocketAddr> {
    let full = if text.starts_with(':') {
        format!("127.0.0.1{text}")
    } else {
        text.replace("localhost:", "127.0.0.1:")
    };
    full.parse().map_err(|_| {
        anyhow!("{flag}: `{text}` is not a valid address; write an address such as 127.0.0.1:9001")
    })
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn create(file: &Path) -> anyhow::Result<std::fs::File> {
    std::fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))
}

fn speed(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix(['x', 'X']).unwrap_or(text).parse::<f64>();
    match number {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("the factor must be greater than 0, such as 10x".to_owned()),
    }
}

fn usage(error: impl Into<anyhow::Error>) -> Failure {
    Failure::new(Code::Usage, error)
}
