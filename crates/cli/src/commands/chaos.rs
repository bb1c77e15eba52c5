//! `undrop chaos`

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

/// Do to connections what real networks and proxies do.
///
/// A proxy in front of a WebSocket server (or any TCP server) that injects faults: latency, black holes, resets, idle
/// cuts, cuts inside of a frame, lost Pongs, close frames, broken handshakes, reloads and restarts. Presets do what a
/// product does, by its name. Faults come from flags, from a timeline file, or at run time through the API (which speaks
/// toxiproxy's protocol too). The first line of output says where it listens.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Chaos {
    #[command(subcommand)]
    remote: Option<remote::Remote>,
    /// Address to listen on
    #[arg(long, short, value_name = "HOST:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    /// Where to forward to: host:port, or a ws:// URL
    #[arg(long, short, value_name = "UPSTREAM", required_unless_present_any = ["list_presets", "api"])]
    upstream: Option<String>,
    /// Faults of a product, such as alb; may be given several times
    #[arg(long, short, value_name = "NAME")]
    preset: Vec<String>,
    /// A fault, such as 'idle-cut after=5s how=rst'; may be given several times
    #[arg(long, short, value_name = "FAULT")]
    fault: Vec<String>,
    /// Faults over time, from a TOML file
    #[arg(long, value_name = "FILE")]
    timeline: Option<PathBuf>,
    /// Divide every duration of faults, presets and timeline, such as 10x
    #[arg(long, value_name = "FACTOR", default_value = "1x", value_parser = speed)]
    speed: f64,
    /// Seed of everything that is drawn [default: that of the timeline, or a random one, which is shown]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Do again what a log recorded, connection by connection
    #[arg(long, value_name = "LOG", conflicts_with_all = ["timeline", "seed"])]
    replay: Option<PathBuf>,
    /// Write every event to a file, as lines of JSON that --replay reads
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// Print events as lines of JSON
    #[arg(long)]
    json: bool,
    /// Serve the API, to add and remove faults and proxies while it runs
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = remote::API)]
    api: Option<String>,
    /// Show the presets, with what they do and where that is known from, and end
    #[arg(long)]
    list_presets: bool,
}

const EXAMPLES: &str = "\
Examples:
  undrop chaos --upstream 127.0.0.1:9000 --preset alb --speed 10x
  undrop chaos --upstream ws://127.0.0.1:9000 --fault 'cut mid-frame=20 direction=down' --fault 'latency base=80ms jitter=40ms'
  undrop chaos --upstream 127.0.0.1:9000 --api             then: undrop chaos add drop-pongs
  undrop chaos --upstream 127.0.0.1:9000 --timeline day.toml --log-file run.jsonl
  undrop chaos --upstream 127.0.0.1:9000 --replay run.jsonl

Ctrl-C ends it with a summary. All faults and their keys: docs/chaos.md";

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
    let plan = Plan::read(&command).map_err(usage)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let log = command.log_file.as_deref().map(create).transpose().map_err(usage)?;
    let printer = Arc::new(Printer::start(command.json, log));
    let seed = plan.seed;
    let told = printer.clone();
    let control = Arc::new(Control::new(seed, command.speed).observe(move |event| told.show(event)));
    if let Some(proxy) = plan.start(&command, &printer).await? {
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

/// What the command line and its files ask for, judged.
struct Plan {
    upstream: Option<Upstream>,
    listen: SocketAddr,
    faults: Vec<FaultSpec>,
    timeline: Option<Timeline>,
    replay: Option<Replay>,
    seed: u64,
}

impl Plan {
    fn read(command: &Chaos) -> anyhow::Result<Plan> {
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
        Ok(Plan { upstream, listen, faults, timeline, replay, seed })
    }

    async fn start(self, command: &Chaos, printer: &Arc<Printer>) -> Result<Option<Proxy>, Failure> {
        let Some(upstream) = self.upstream else { return Ok(None) };
        let told = printer.clone();
        let mut builder = Proxy::start(upstream)
            .listen(self.listen)
            .speed(command.speed)
            .observe(move |event: &Event| told.show(event));
        for fault in self.faults {
            builder = builder.fault(fault);
        }
        if let Some(timeline) = self.timeline {
            builder = builder.timeline(timeline);
        }
        if let Some(replay) = self.replay {
            builder = builder.replay(replay);
        }
        // A flag wins over the file.
        builder.seed(self.seed).await.map(Some).map_err(usage)
    }
}

async fn api(address: &str, control: &Arc<Control>, printer: &Printer) -> Result<Api, Failure> {
    let address = self::address("--api", address).map_err(usage)?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "the API is open to the network: whoever reaches it can redirect traffic");
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
    full.parse().map_err(|_| anyhow!("{flag}: `{text}` is no address; write 127.0.0.1:9001"))
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
        _ => Err("write a factor above 0, such as 10x".to_owned()),
    }
}

fn usage(error: impl Into<anyhow::Error>) -> Failure {
    Failure::new(Code::Usage, error)
}
