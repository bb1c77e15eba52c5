//! What `undrop bench` is told, and the plan that it makes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use undrop_bench::{Mode, Payload, Plan, Policy, Session, Target, Trust, stamp};
use undrop_text::duration::DurationError;
use undrop_text::number::thousands;
use undrop_text::size;
use url::Url;

use crate::commands::headers;

/// What every mode takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// ws:// or wss:// URL
    #[arg(required = true)]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) size: Size,
    #[command(flatten)]
    pub(crate) message: Message,
    #[command(flatten)]
    pub(crate) target: Connect,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// How much.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct Size {
    /// Connections [default: 1; churn: as its rate and lifetime need; scenario: 100,000 users at once]
    #[arg(long, short = 'c', value_name = "N")]
    pub(crate) connections: Option<u32>,
    /// How long the load is on, from when every connection was tried; in a scenario, how long users may still take when the last
    /// one has arrived [default: 10s; scenario: 10m]
    #[arg(long, short = 'd', value_name = "DURATION", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Messages per second and connection [default: 1]
    #[arg(long, short = 'r', value_name = "N", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Spread the opening of connections over this long [default: as fast as the target takes them]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) ramp: Option<Duration>,
    /// Handshakes under way at once [default: 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) concurrency: Option<u32>,
    /// Worker processes, each with its own limit of open files
    #[arg(long, short = 'w', value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) workers: u32,
    /// Everything random follows from this number
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// What is sent.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct Message {
    /// Size of a message [default: 64]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) size: Option<u64>,
    /// Send binary messages
    #[arg(long)]
    pub(crate) binary: bool,
    /// Send this text instead of messages of our own
    #[arg(long, short = 'm', value_name = "TEXT", conflicts_with_all = ["size", "message_file", "verify"])]
    pub(crate) message: Option<String>,
    /// Send the content of this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["size", "verify"])]
    pub(crate) message_file: Option<PathBuf>,
    /// Number and hash-chain every stream, and report what was lost, doubled, reordered or corrupted
    #[arg(long)]
    pub(crate) verify: bool,
    /// How long to wait for answers after the last message [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) settle: Option<Duration>,
}

/// Where to, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connect {
    /// Ask for resumable sessions
    #[arg(long, value_enum, default_value_t = SessionWish::Off)]
    pub(crate) session: SessionWish,
    /// Open a lost plain connection again [default: it stays lost]
    #[arg(long, value_enum, value_name = "POLICY", num_args = 0..=1, default_missing_value = "full-jitter")]
    pub(crate) reconnect: Option<PolicyName>,
    /// Ping each connection this often [default: never, since it would keep connections alive]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) ping_interval: Option<Duration>,
    /// Silence after which a connection that owes answers counts as a black hole [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) dead_after: Option<Duration>,
    /// Offer a sub-protocol; may be given several times
    #[arg(long, short = 's', value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    /// Add a request header; may be given several times
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// Offer permessage-deflate
    #[arg(long)]
    pub(crate) compress: bool,
    /// Trust these certificate authorities (PEM) besides the system's
    #[arg(long, visible_alias = "tls-ca", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Do not check the server's certificate
    #[arg(long, visible_alias = "tls-insecure")]
    pub(crate) insecure: bool,
    /// Name for SNI and for checking the certificate
    #[arg(long, visible_alias = "tls-server-name", value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// Go through this proxy (http://, https://, socks5://, socks5h://)
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// Connect from these local addresses in turn: one, a list, or ranges such as 127.0.0.1-127.0.0.4 [default: the system's
    /// choice, good for about 28,000 connections]
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
    pub(crate) source_addr: Vec<String>,
    /// Connect to this address instead of what DNS says; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) resolve: Vec<IpAddr>,
    /// Give up on a handshake after this long
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Largest message that is accepted
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size::parse)]
    pub(crate) max_message: u64,
    /// I am allowed to load this public target without the polite limits
    #[arg(long)]
    pub(crate) i_own_this: bool,
}

/// What to do with the result.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Print the report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the report as a page, with charts
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the histograms as an HDR log
    #[arg(long, value_name = "FILE")]
    pub(crate) hdr_log: Option<PathBuf>,
    /// Fail with exit code 6 unless this holds, such as p99<50ms, survival>=99.9%, lost=0; may be given several times
    #[arg(long, value_name = "CONDITION")]
    pub(crate) ensure: Vec<String>,
    /// Show nothing while it runs
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,
    /// Lines instead of the live view on a terminal
    #[arg(long)]
    pub(crate) no_tui: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SessionWish {
    /// Plain WebSocket
    Off,
    /// A session where the server knows it
    Prefer,
    /// A session or nothing
    Require,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyName {
    /// At once, then anything below min(30 s, 1 s · 2^k)
    FullJitter,
    /// 1 s, doubled, at most 30 s, give or take 25 %, 10 tries
    Classic,
    /// Every 100 ms: the herd
    Immediate,
}

impl From<PolicyName> for Policy {
    fn from(name: PolicyName) -> Policy {
        match name {
            PolicyName::FullJitter => Policy::FullJitter,
            PolicyName::Classic => Policy::Classic,
            PolicyName::Immediate => Policy::Immediate,
        }
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, DurationError> {
    undrop_text::duration::parse(text)
}

/// A rate: messages or connections per second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("`{text}` is not a number per second"))?;
    if (0.0..=10_000_000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err(format!("`{text}` is not between 0 and 10,000,000"))
    }
}

/// Messages per second, of all connections: more than any machine sends, so beyond it the rate is a slip of the pen.
pub(crate) const MOST_PER_SECOND: f64 = 5_000_000.0;

/// Shortest load.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);

/// Connections and messages per second that a public target is spared.
const POLITE: (u32, f64) = (100, 1000.0);

impl Load {
    /// The plan of this mode.
    pub(crate) fn plan(&self, mode: Mode) -> anyhow::Result<Plan> {
        let url = self.url.as_deref().unwrap_or_default();
        let size = &self.size;
        let connections = size.connections.unwrap_or(1);
        if connections == 0 {
            bail!("-c: at least one connection is needed");
        }
        let payload = self.message.payload()?;
        if self.message.verify && !matches!(payload, Payload::Stamped { .. }) {
            let least = if self.message.binary { stamp::BINARY } else { stamp::TEXT };
            bail!("--verify: numbers and hashes need --size {least} at least");
        }
        let target = self.target.target(url)?;
        let rate = match mode {
            Mode::Hold | Mode::Ramp { .. } | Mode::Churn { .. } | Mode::Flood { .. } | Mode::Scenario(_) => {
                0.0
            }
            _ => size.rate.unwrap_or(1.0),
        };
        let plan = Plan {
            target,
            mode,
            connections,
            ramp: size.ramp.unwrap_or_default(),
            concurrency: size.concurrency.unwrap_or(200),
            rate,
            duration: size.duration.unwrap_or(Duration::from_secs(10)),
            payload,
            verify: self.message.verify,
            session: match self.target.session {
                SessionWish::Off => Session::Off,
                SessionWish::Prefer => Session::Prefer,
                SessionWish::Require => Session::Require,
            },
            reconnect: self.target.reconnect.map(Policy::from),
            ping: self.target.ping_interval,
            dead_after: self.target.dead_after.unwrap_or(Duration::from_secs(10)),
            settle: self.message.settle.unwrap_or(Duration::from_secs(5)),
            seed: size.seed.unwrap_or_else(|| u64::from(fastrand::u32(..))),
            first: 0,
            epoch_us: 0,
            workers: size.workers.min(connections),
        };
        if plan.duration < SHORTEST {
            bail!("-d: at least 1ms");
        }
        let per_second = plan.rate * f64::from(plan.connections);
        if per_second > MOST_PER_SECOND {
            bail!(
                "-r: {} messages per second in all are more than a machine can send; {} are the most",
                thousands(per_second as u64),
                thousands(MOST_PER_SECOND as u64)
            );
        }
        polite(&plan, self.target.i_own_this)?;
        Ok(plan)
    }
}

impl Message {
    fn payload(&self) -> anyhow::Result<Payload> {
        if let Some(text) = &self.message {
            return Ok(if self.binary {
                Payload::Binary(text.clone().into_bytes())
            } else {
                Payload::Text(text.clone())
            });
        }
        if let Some(file) = &self.message_file {
            let name = file.display();
            let bytes = std::fs::read(file).with_context(|| format!("--message-file: {name}"))?;
            if self.binary {
                return Ok(Payload::Binary(bytes));
            }
            let text = String::from_utf8(bytes)
                .map_err(|_| anyhow!("--message-file: {name} is not UTF-8; send it with --binary"))?;
            return Ok(Payload::Text(text));
        }
        let size = usize::try_from(self.size.unwrap_or(64)).ok().filter(|size| *size <= 1 << 30);
        let size = size.ok_or_else(|| anyhow!("--size: at most 1 GiB"))?;
        Ok(Payload::of_size(size, self.binary))
    }
}

impl Connect {
    pub(crate) fn target(&self, url: &str) -> anyhow::Result<Target> {
        headers::subprotocols(&self.subprotocol)?;
        let headers = headers::headers(&self.header)?;
        let trust = match (&self.ca, self.insecure) {
            (_, true) => Trust::Insecure,
            (Some(file), false) => {
                Trust::NativeAnd(std::fs::read(file).with_context(|| format!("--ca: {}", file.display()))?)
            }
            (None, false) => Trust::Native,
        };
        let port = Url::parse(url).ok().and_then(|url| url.port_or_known_default()).unwrap_or(80);
        Ok(Target {
            url: url.to_owned(),
            headers,
            protocols: self.subprotocol.clone(),
            compress: self.compress,
            trust,
            server_name: self.server_name.clone(),
            source: self.sources()?,
            addresses: self.resolve.iter().map(|address| SocketAddr::new(*address, port)).collect(),
            timeout: self.timeout,
            proxy: self.proxy.clone(),
            max_message: self.max_message,
        })
    }

    /// `a`, `a-b`: every address between, at most 65,536.
    fn sources(&self) -> anyhow::Result<Vec<IpAddr>> {
        let mut all = Vec::new();
        for text in &self.source_addr {
            let wrong =
                || anyhow!("--source-addr: `{text}` is no address and no range such as 127.0.0.1-127.0.0.4");
            match text.split_once('-') {
                None => all.push(text.trim().parse().map_err(|_| wrong())?),
                Some((from, to)) => {
                    let from: Ipv4Addr = from.trim().parse().map_err(|_| wrong())?;
                    let to: Ipv4Addr = to.trim().parse().map_err(|_| wrong())?;
                    let (from, to) = (u32::from(from), u32::from(to));
                    if to < from || to - from >= 1 << 16 {
                        bail!("--source-addr: `{text}` is not a range of 1 to 65,536 addresses");
                    }
                    all.extend((from..=to).map(|address| IpAddr::V4(Ipv4Addr::from(address))));
                }
            }
        }
        Ok(all)
    }
}

/// A target that is not on this machine is loaded with care unless its owner says otherwise.
pub(crate) fn polite(plan: &Plan, owned: bool) -> anyhow::Result<()> {
    if owned || is_loopback(&plan.target) {
        return Ok(());
    }
    let per_second = plan.rate * f64::from(plan.connections);
    let what = match plan.mode {
        Mode::Flood { .. } => "a flood".to_owned(),
        Mode::Storm { .. } => "a storm".to_owned(),
        Mode::Churn { .. } => "connection churn".to_owned(),
        Mode::Ramp { .. } => "a ramp to refusal".to_owned(),
        _ if plan.connections > POLITE.0 => format!("{} connections", plan.connections),
        _ if per_second > POLITE.1 => format!("{per_second:.0} messages per second"),
        _ => return Ok(()),
    };
    bail!(
        "{what} against a target that is not on this machine: the polite limit is {} connections and {} messages per second \
         in all; say --i-own-this if you may",
        POLITE.0,
        POLITE.1
    )
}

fn is_loopback(target: &Target) -> bool {
    if !target.addresses.is_empty() {
        return target.addresses.iter().all(|address| address.ip().is_loopback());
    }
    let Ok(url) = Url::parse(&target.url) else { return true };
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => true,
    }
}
