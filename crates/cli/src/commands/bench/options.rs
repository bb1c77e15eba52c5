//! The options of `undrop bench`, in groups. A mode has the groups that it takes.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::TypedValueParser;
use undrop_bench::{Policy, SessionMode, Trigger};
use undrop_text::duration::DurationError;
use undrop_text::size;

use crate::commands::choice::choice;

/// The required URL of the target.
#[derive(Debug, Clone, Args)]
pub(crate) struct Endpoint {
    /// The ws:// or wss:// URL of the target
    #[arg(required = true)]
    url: Option<String>,
}

impl Endpoint {
    /// Returns the URL. It is present, since it is required; it is optional only for the parser, which fills the options of the
    /// default mode with defaults if there is a subcommand.
    pub(crate) fn url(self) -> String {
        self.url.unwrap_or_default()
    }
}

/// The number of connections.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct ConnectionCount {
    /// Number of connections to open
    #[arg(long, short = 'c', value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
}

/// The duration of the load.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadDuration {
    /// Duration of the load, counted once all connections have been attempted
    #[arg(long, short = 'd', value_name = "DURATION", default_value = "10s", value_parser = load_duration)]
    pub(crate) duration: Duration,
}

/// The rate of messages.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct MessageRate {
    /// Messages per second per connection
    #[arg(long, short = 'r', value_name = "N", default_value_t = 1.0, value_parser = rate)]
    pub(crate) rate: f64,
}

/// The time in which connections are opened.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct RampUp {
    /// Time over which the opening of connections is spread [default: none, as fast as the target accepts them]
    #[arg(long, alias = "ramp", value_name = "DURATION", value_parser = duration)]
    pub(crate) ramp_up: Option<Duration>,
}

/// The limit of concurrent handshakes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct Concurrency {
    /// Maximum number of concurrent handshakes
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) concurrency: u32,
}

/// Options of the load that every mode takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct Workers {
    /// Number of worker processes, each with its own limit of open files
    #[arg(long, short = 'w', value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) workers: u32,
    /// Seed for all randomness [default: a random number, which the report states]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// The content of the messages.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct MessageOptions {
    /// Size of each message
    #[arg(long, value_name = "SIZE", default_value = "64", value_parser = size::parse)]
    pub(crate) size: u64,
    /// Send binary messages instead of text
    #[arg(long)]
    pub(crate) binary: bool,
    /// Send this text instead of generated messages
    #[arg(long, short = 'm', value_name = "TEXT", conflicts_with_all = ["size", "message_file", "verify"])]
    pub(crate) message: Option<String>,
    /// Send the content of this file instead of generated messages
    #[arg(long, value_name = "FILE", conflicts_with_all = ["size", "verify"])]
    pub(crate) message_file: Option<PathBuf>,
    /// Number and hash-chain every stream, and report messages that were lost, duplicated, reordered or corrupted
    #[arg(long)]
    pub(crate) verify: bool,
    /// Maximum time to wait for replies after the last message
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub(crate) settle: Duration,
}

/// Sessions, and the detection of dead connections.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Links {
    /// Request resumable sessions in the handshake
    #[arg(long, value_name = "MODE", default_value = "off", value_parser = session_mode())]
    pub(crate) session: SessionMode,
    /// Interval between Pings on each plain connection [default: no Pings, since they would keep connections alive]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) ping_interval: Option<Duration>,
    /// Duration of silence after which a connection that awaits a reply counts as a black hole
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) dead_after: Duration,
}

/// The behaviour after a loss.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Reconnect {
    /// Reconnect lost plain connections, by default with the policy full-jitter [default: lost connections stay lost]
    #[arg(long, value_name = "POLICY", num_args = 0..=1, default_missing_value = "full-jitter", value_parser = policy())]
    pub(crate) reconnect: Option<Policy>,
}

/// Options of every connection.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectOptions {
    /// Subprotocol to offer; can be given several times, in order of preference
    #[arg(long, short = 's', value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    /// Request header to add; can be given several times
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// Offer permessage-deflate compression in the handshake
    #[arg(long)]
    pub(crate) compress: bool,
    /// PEM file with certificate authorities to trust in addition to those of the system
    #[arg(long, visible_alias = "tls-ca", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Do not verify the certificate of the server
    #[arg(long, visible_alias = "tls-insecure")]
    pub(crate) insecure: bool,
    /// Name for SNI and certificate verification [default: the host of the URL]
    #[arg(long, visible_alias = "tls-server-name", value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// URL of a forward proxy (http://, https://, socks5:// or socks5h://)
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// Local addresses to connect from, in turn: addresses, or ranges such as 127.0.0.1-127.0.0.4, separated by commas. Each
    /// allows about 28,000 connections [default: chosen by the system]
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
    pub(crate) source_addr: Vec<String>,
    /// Address to connect to instead of those that DNS returns; can be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) resolve: Vec<IpAddr>,
    /// Timeout for each phase of a handshake: name resolution, TCP, TLS, upgrade
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Maximum size of a received message
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size::parse)]
    pub(crate) max_message: u64,
    /// Confirm that you are allowed to load this target beyond the limits for targets on other machines: 100 connections and
    /// 1,000 messages per second
    #[arg(long)]
    pub(crate) i_own_this: bool,
}

/// The output of every mode.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Verbosity {
    /// Print the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Print no progress during the run
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,
}

/// The output of modes with one report.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct ReportOptions {
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    /// Write the report to this file as an HTML page with charts
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the latency histograms to this file as an HDR log
    #[arg(long, value_name = "FILE")]
    pub(crate) hdr_log: Option<PathBuf>,
    /// Exit with code 6 unless this condition holds, such as p99<50ms, survival>=99.9% or lost=0; can be given several times
    #[arg(long, value_name = "CONDITION")]
    pub(crate) ensure: Vec<String>,
    /// Print progress as lines instead of the live view on a terminal
    #[arg(long)]
    pub(crate) no_tui: bool,
}

/// The shortest duration of a load.
const MIN_DURATION: Duration = Duration::from_millis(1);

pub(crate) fn duration(text: &str) -> Result<Duration, DurationError> {
    undrop_text::duration::parse(text)
}

/// Parses the duration of a load.
pub(crate) fn load_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text).map_err(|error| error.to_string())?;
    if duration < MIN_DURATION { Err("must be at least 1ms".to_owned()) } else { Ok(duration) }
}

/// Parses a duration that must not be zero.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("must be more than 0".to_owned()) } else { Ok(duration) }
}

/// Parses a number of messages or connections per second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("`{text}` is not a number per second"))?;
    if (0.0..=10_000_000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err(format!("`{text}` is not between 0 and 10,000,000"))
    }
}

/// Parses a number of connections per second, which must not be zero.
pub(crate) fn positive_rate(text: &str) -> Result<f64, String> {
    let rate = rate(text)?;
    if rate > 0.0 { Ok(rate) } else { Err("must be more than 0".to_owned()) }
}

fn session_mode() -> impl TypedValueParser<Value = SessionMode> {
    choice(
        &[
            ("off", "Plain WebSocket connections"),
            ("prefer", "A session if the server supports them, otherwise a plain connection"),
            ("require", "A session; it is a failure if the server does not support them"),
        ],
        SessionMode::by_name,
    )
}

pub(crate) fn policy() -> impl TypedValueParser<Value = Policy> {
    choice(
        &[
            ("full-jitter", "Within 300 ms, then random delays below min(30 s, 1 s · 2^k)"),
            ("classic", "After 1 s, doubled each time up to 30 s, ±25 %, at most 10 attempts"),
            ("immediate", "At once, then every 100 ms without backoff (thundering herd)"),
        ],
        Policy::by_name,
    )
}

pub(crate) fn trigger() -> impl TypedValueParser<Value = Trigger> {
    choice(
        &[
            ("cut", "The load cuts them, one second after all connections are open"),
            ("wait", "Something else does: restart or drain the target during the run"),
        ],
        Trigger::by_name,
    )
}
