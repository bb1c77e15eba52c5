//! The options of `undrop doctor`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use undrop_doctor::Options;
use undrop_frame::handshake::Headers;
use undrop_text::{duration, size};
use undrop_transport::{DialOptions, Proxies, ProxyChoice, Resolve, tls};
use url::Url;

use super::usage;
use crate::commands::headers;
use crate::exit::{Code, Failure};

/// Find out why a WebSocket drops.
/// Probes every stage (name, TCP, TLS, handshake, messages, compression, sizes, close), then watches connections with
/// different traffic: none, Pings, messages. Reports which timer, limit or fault ends them, where it is, how certain that is,
/// and what to change. Ctrl-C stops the run and reports what is known.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Doctor {
    /// URL with the scheme ws:// or wss://
    #[arg(required_unless_present = "replay")]
    url: Option<String>,
    /// Probe the stages only, for at most 15 s; do not watch connections
    #[arg(long, conflicts_with_all = ["horizon", "expect_alive"])]
    quick: bool,
    /// Time for which connections are watched; timeouts longer than this are not detected
    #[arg(long, value_name = "DURATION", default_value = "130s")]
    horizon: String,
    /// Exit with code 5 if a connection ends before this age; for CI
    #[arg(long, value_name = "DURATION")]
    expect_alive: Option<String>,
    /// Interval at which connections with traffic send something [default: 2s; with --watch 20s]
    #[arg(long, value_name = "DURATION")]
    every: Option<String>,
    /// Keep a few connections open until Ctrl-C, report each that ends, and open it again
    #[arg(long, conflicts_with_all = ["quick", "expect_alive", "horizon", "replay", "control", "via", "direct"])]
    pub(super) watch: bool,
    /// With --watch: append events to this file, one JSON object per line, instead of standard output
    #[arg(long, value_name = "FILE", requires = "watch")]
    pub(super) drop_log: Option<PathBuf>,
    /// With --watch: serve metrics for Prometheus at this address, under /metrics
    #[arg(long, value_name = "HOST:PORT", requires = "watch")]
    pub(super) metrics: Option<SocketAddr>,
    /// With --watch: send each drop as JSON by POST to this http:// or https:// URL
    #[arg(long, value_name = "URL", requires = "watch")]
    pub(super) webhook: Option<Url>,
    /// With --watch: exit with code 5 after this number of drops
    #[arg(long, value_name = "N", requires = "watch")]
    pub(super) fail_after: Option<u64>,
    /// Time after which a reply counts as missing
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    patience: String,
    /// Message that is sent to find out whether messages keep a connection alive
    #[arg(long, value_name = "TEXT", default_value = "undrop doctor")]
    message: String,
    /// Message that makes the server send messages, to find out whether these keep a connection alive
    #[arg(long, value_name = "TEXT")]
    subscribe: Option<String>,
    /// Largest message that is tried; at most 64 KiB for targets on other machines without --i-own-this
    #[arg(long, value_name = "SIZE", default_value = "16MiB")]
    largest: String,
    /// URL of the page that opens the WebSocket, for the Origin and for mixed content
    #[arg(long, value_name = "URL")]
    page: Option<Url>,
    /// URL of the same server on a path that is expected to work, for comparison
    #[arg(long, value_name = "URL")]
    control: Option<String>,
    /// URL of the same server at a hop of the path, in the order from the client to the origin; can be repeated
    #[arg(long, value_name = "NAME=URL")]
    via: Vec<String>,
    /// URL of the origin itself, without intermediaries
    #[arg(long, value_name = "URL")]
    direct: Option<String>,
    /// Use this address for a name; can be repeated
    #[arg(long, value_name = "HOST:PORT:ADDRESS")]
    resolve: Vec<Resolve>,
    /// Offer a subprotocol; can be repeated, the first is preferred
    #[arg(long, short, value_name = "NAME")]
    subprotocol: Vec<String>,
    /// Add a header field to requests; can be repeated
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Trust these certificate authorities (PEM) in addition to those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Continue if the certificate of the server is not acceptable; it is still reported
    #[arg(long)]
    insecure: bool,
    /// Use this forward proxy (http://, https://, socks5://, socks5h://) [default: from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and
    /// NO_PROXY]
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Time limit for a name lookup, a connection and a handshake each
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    timeout: String,
    /// Confirm that the target is yours: enables larger messages and more connections on other machines
    #[arg(long)]
    i_own_this: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Write the report as a self-contained HTML page
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Write the report as Markdown
    #[arg(long, value_name = "FILE")]
    pub(super) document: Option<PathBuf>,
    /// Save the observations, for --replay
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Evaluate a saved run instead of probing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "save"])]
    pub(super) replay: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  undrop doctor wss://example.com/ws                                   two minutes: every common timer
  undrop doctor wss://example.com/ws --quick                           handshake and compliance only
  undrop doctor wss://example.com/ws --direct ws://10.0.0.5:9000/ws    is it the server, or a hop in front of it?
  undrop doctor wss://example.com/ws --horizon 15m --html report.html  longer timers, and a page to share
  undrop doctor wss://example.com/ws --expect-alive 10m --json         in CI: exit code 5 if a connection drops
  undrop doctor wss://example.com/ws --watch --metrics 127.0.0.1:9100  for days: drops as JSON lines, and metrics";

/// The time limit of --quick for the stages of an endpoint.
const QUICK_IN_ALL: Duration = Duration::from_secs(14);

/// The time limit of --quick for a single reply.
const QUICK: Duration = Duration::from_secs(2);

impl Doctor {
    /// Returns the URL and the validated options.
    pub(super) fn options(&self) -> Result<(Url, Options), Failure> {
        let text = self.url.as_deref().unwrap_or_default();
        let url = websocket_url("the URL", text)?;
        let duration = |name: &str, text: &str| {
            duration::parse(text).map_err(|error| usage(anyhow!("--{name}: {error}")))
        };
        let expect_alive =
            self.expect_alive.as_deref().map(|text| duration("expect-alive", text)).transpose()?;
        let mut horizon = duration("horizon", &self.horizon)?;
        if let Some(expected) = expect_alive {
            horizon = horizon.max(expected + Duration::from_secs(1));
        }
        let mut timeout = duration("timeout", &self.timeout)?;
        let mut patience = duration("patience", &self.patience)?;
        let every = self.every.as_deref().unwrap_or(if self.watch { "20s" } else { "2s" });
        let every = duration("every", every)?;
        for (name, value) in [("timeout", timeout), ("patience", patience), ("every", every)] {
            if value.is_zero() {
                return Err(usage(anyhow!("--{name}: must be longer than 0")));
            }
        }
        if self.quick {
            horizon = Duration::ZERO;
            (timeout, patience) = (timeout.min(QUICK), patience.min(QUICK));
        }
        headers::subprotocols(&self.subprotocol).map_err(usage)?;
        let trust = self.trust()?;
        let optional = |name: &str, url: &Option<String>| {
            url.as_deref().map(|text| websocket_url(name, text)).transpose()
        };
        let options = Options {
            dial: self.dial(&trust, timeout)?,
            trust,
            headers: self.headers()?,
            protocols: self.subprotocol.clone(),
            timeout,
            horizon,
            stages_within: if self.quick { QUICK_IN_ALL } else { Options::default().stages_within },
            every,
            patience,
            expect_alive,
            message: self.message.clone(),
            subscribe: self.subscribe.clone(),
            largest: size::parse(&self.largest).map_err(|error| usage(anyhow!("--largest: {error}")))?,
            page: self.page.clone(),
            control: optional("--control", &self.control)?,
            via: self.via.iter().map(|text| via(text)).collect::<Result<_, _>>()?,
            direct: optional("--direct", &self.direct)?,
            own: self.i_own_this,
        };
        Ok((url, options))
    }

    fn trust(&self) -> Result<tls::Trust, Failure> {
        match &self.ca {
            Some(file) => {
                let pem = std::fs::read(file).map_err(|e| usage(anyhow!("--ca: {}: {e}", file.display())))?;
                Ok(tls::Trust::NativeAnd(pem))
            }
            None => Ok(tls::Trust::Native),
        }
    }

    fn dial(&self, trust: &tls::Trust, timeout: Duration) -> Result<DialOptions, Failure> {
        let proxy = match &self.proxy {
            Some(url) => ProxyChoice::Fixed(url.parse().map_err(|e| usage(anyhow!("--proxy: {e}")))?),
            None => ProxyChoice::Environment(
                Proxies::from_env(|name| std::env::var(name).ok())
                    .map_err(|e| usage(anyhow!("proxy variables of the environment: {e}")))?,
            ),
        };
        let used = if self.insecure { &tls::Trust::Insecure } else { trust };
        let tls = match tls::ClientTls::new(used) {
            Ok(tls) => Some(tls),
            // A machine without root certificates can still probe endpoints without TLS.
            Err(_) if self.ca.is_none() => None,
            Err(error) => return Err(Failure::new(Code::Tls, error)),
        };
        Ok(DialOptions {
            connect_timeout: timeout,
            handshake_timeout: timeout,
            tls,
            proxy,
            resolve: self.resolve.clone(),
            ..DialOptions::default()
        })
    }

    fn headers(&self) -> Result<Headers, Failure> {
        let mut headers = Headers::new();
        for (name, value) in headers::headers(&self.header).map_err(usage)? {
            headers.append(&name, value);
        }
        Ok(headers)
    }
}

fn via(text: &str) -> Result<(String, Url), Failure> {
    let (name, url) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty() && !name.contains("://"))
        .ok_or_else(|| usage(anyhow!("--via: `{text}` is not NAME=URL")))?;
    Ok((name.to_owned(), websocket_url("--via", url)?))
}

fn websocket_url(what: &str, text: &str) -> Result<Url, Failure> {
    let wrong = |why: String| usage(anyhow!("{what}: `{text}`: {why}"));
    let url: Url =
        text.parse().map_err(|error| wrong(format!("{error}; write ws://HOST/PATH or wss://HOST/PATH")))?;
    match url.scheme() {
        "ws" | "wss" => Ok(url),
        "http" | "https" => {
            let other = text.replacen("http", "ws", 1);
            Err(wrong(format!("the scheme must be ws or wss; did you mean {other}?")))
        }
        other => Err(wrong(format!("the scheme must be ws or wss, not `{other}`"))),
    }
}
