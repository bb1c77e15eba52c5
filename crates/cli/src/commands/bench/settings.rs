//! The options of a mode as one value, and the plan that they make.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use undrop_bench::{Mode, Payload, Plan, Policy, SessionMode, Target, Trust, stamp};
use undrop_text::number::thousands;
use url::Url;

use super::options::{ConnectOptions, Links, MessageOptions, Workers};
use crate::commands::headers;

/// The maximum number of messages per second of all connections together, which is more than any machine can send.
pub(crate) const MAX_MESSAGES_PER_SECOND: f64 = 5_000_000.0;

/// The maximum size of a message.
const MAX_SIZE: u64 = 1 << 30;

/// The numbers of connections and of messages per second for targets on other machines, without `--i-own-this`.
const POLITE: (u32, f64) = (100, 1000.0);

/// Everything that a mode was asked for. Groups of options that a mode does not have are left at their defaults.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) url: String,
    pub(crate) connections: u32,
    pub(crate) duration: Duration,
    pub(crate) rate: f64,
    pub(crate) ramp_up: Option<Duration>,
    pub(crate) concurrency: u32,
    pub(crate) workers: Workers,
    pub(crate) messages: Option<MessageOptions>,
    pub(crate) links: Option<Links>,
    pub(crate) reconnect: Option<Policy>,
    pub(crate) connect: ConnectOptions,
}

impl Settings {
    /// Returns settings without messages on plain connections.
    pub(crate) fn new(
        url: String,
        connections: u32,
        duration: Duration,
        workers: Workers,
        connect: ConnectOptions,
    ) -> Settings {
        Settings {
            url,
            connections,
            duration,
            rate: 0.0,
            ramp_up: None,
            concurrency: 200,
            workers,
            messages: None,
            links: None,
            reconnect: None,
            connect,
        }
    }

    /// Returns the plan for a mode.
    ///
    /// # Errors
    /// An option has an invalid value, or the target is on another machine and the load is not polite.
    pub(crate) fn plan(&self, mode: Mode) -> anyhow::Result<Plan> {
        let (payload, verify, settle) = match &self.messages {
            Some(messages) => (payload(messages)?, messages.verify, messages.settle),
            None => (Payload::of_size(64, false), false, Duration::from_secs(5)),
        };
        let (session, ping, dead_after) = match &self.links {
            Some(links) => (links.session, links.ping_interval, links.dead_after),
            None => (SessionMode::Off, None, Duration::from_secs(10)),
        };
        if ping.is_some() && session != SessionMode::Off {
            bail!(
                "--ping-interval cannot be used with --session {}: a session has its own heartbeat",
                session.name()
            );
        }
        let plan = Plan {
            target: target(&self.connect, &self.url)?,
            mode,
            connections: self.connections,
            ramp_up: self.ramp_up.unwrap_or_default(),
            concurrency: self.concurrency,
            rate: self.rate,
            duration: self.duration,
            payload,
            verify,
            session,
            reconnect: self.reconnect,
            ping,
            dead_after,
            settle,
            seed: self.workers.seed.unwrap_or_else(|| u64::from(fastrand::u32(..))),
            first: 0,
            epoch_us: 0,
            workers: self.workers.workers.min(self.connections),
        };
        let per_second = plan.rate * f64::from(plan.connections);
        if per_second > MAX_MESSAGES_PER_SECOND {
            bail!(
                "-r: {} messages per second in all are more than a machine can send; the maximum is {}",
                thousands(per_second as u64),
                thousands(MAX_MESSAGES_PER_SECOND as u64)
            );
        }
        check_polite(&plan, self.connect.i_own_this)?;
        Ok(plan)
    }
}

fn payload(options: &MessageOptions) -> anyhow::Result<Payload> {
    if let Some(text) = &options.message {
        return Ok(match options.binary {
            true => Payload::Binary(text.clone().into_bytes()),
            false => Payload::Text(text.clone()),
        });
    }
    if let Some(file) = &options.message_file {
        let name = file.display();
        let bytes = std::fs::read(file).with_context(|| format!("--message-file: {name}"))?;
        if options.binary {
            return Ok(Payload::Binary(bytes));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| anyhow!("--message-file: {name} is not UTF-8; send it with --binary"))?;
        return Ok(Payload::Text(text));
    }
    if options.size > MAX_SIZE {
        bail!("--size: the maximum is 1 GiB");
    }
    let size = usize::try_from(options.size)?;
    let payload = Payload::of_size(size, options.binary);
    if options.verify && !matches!(payload, Payload::Stamped { .. }) {
        let least = if options.binary { stamp::BINARY } else { stamp::TEXT };
        bail!("--verify requires --size {least} or more, for numbers and hashes");
    }
    Ok(payload)
}

fn target(options: &ConnectOptions, url: &str) -> anyhow::Result<Target> {
    headers::subprotocols(&options.subprotocol)?;
    let headers = headers::headers(&options.header)?;
    let trust = match (&options.ca, options.insecure) {
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
        protocols: options.subprotocol.clone(),
        compress: options.compress,
        trust,
        server_name: options.server_name.clone(),
        source: source_addresses(&options.source_addr)?,
        addresses: options.resolve.iter().map(|address| SocketAddr::new(*address, port)).collect(),
        timeout: options.timeout,
        proxy: options.proxy.clone(),
        max_message: options.max_message,
    })
}

/// Parses addresses and ranges of at most 65,536 addresses.
fn source_addresses(texts: &[String]) -> anyhow::Result<Vec<IpAddr>> {
    let mut all = Vec::new();
    for text in texts {
        let invalid = || {
            anyhow!("--source-addr: `{text}` is neither an address nor a range such as 127.0.0.1-127.0.0.4")
        };
        match text.split_once('-') {
            None => all.push(text.trim().parse().map_err(|_| invalid())?),
            Some((from, to)) => {
                let from: Ipv4Addr = from.trim().parse().map_err(|_| invalid())?;
                let to: Ipv4Addr = to.trim().parse().map_err(|_| invalid())?;
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

/// Checks that a target on another machine is loaded within polite limits, unless its owner has confirmed the load.
pub(crate) fn check_polite(plan: &Plan, confirmed: bool) -> anyhow::Result<()> {
    if confirmed || is_loopback(&plan.target) {
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
        "the target is on another machine, and {what} exceeds the polite limit of {} connections and {} messages per second in all; \
         add --i-own-this if you are allowed to load it",
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
