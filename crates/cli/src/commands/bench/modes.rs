//! The modes of `undrop bench`, each with the options that it takes.

use std::time::Duration;

use clap::Args;
use undrop_bench::{Mode, Policy, Trigger};

use super::options::{
    Concurrency, ConnectOptions, ConnectionCount, Endpoint, Links, LoadDuration, MessageOptions, MessageRate,
    RampUp, Reconnect, ReportOptions, Workers, load_duration, policy, positive_duration, positive_rate,
    trigger,
};
use super::settings::Settings;

/// A mode with its settings and its output.
pub(super) type Prepared = (Mode, Settings, ReportOptions);

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    count: ConnectionCount,
    #[command(flatten)]
    duration: LoadDuration,
    #[command(flatten)]
    rate: MessageRate,
    #[command(flatten)]
    ramp_up: RampUp,
    #[command(flatten)]
    concurrency: Concurrency,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    messages: MessageOptions,
    #[command(flatten)]
    links: Links,
    #[command(flatten)]
    reconnect: Reconnect,
    #[command(flatten)]
    connect: ConnectOptions,
    #[command(flatten)]
    report: ReportOptions,
}

impl Run {
    pub(super) fn prepare(self) -> Prepared {
        let Run { endpoint, count, duration, rate, ramp_up, concurrency, workers, messages, links, .. } =
            self;
        let settings = Settings {
            rate: rate.rate,
            ramp_up: ramp_up.ramp_up,
            concurrency: concurrency.concurrency,
            messages: Some(messages),
            links: Some(links),
            reconnect: self.reconnect.reconnect,
            ..Settings::new(endpoint.url(), count.connections, duration.duration, workers, self.connect)
        };
        (Mode::Run, settings, self.report)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Flood {
    #[command(flatten)]
    endpoint: Endpoint,
    /// Number of unanswered messages on each connection; 0 never waits for replies
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Load")]
    window: u32,
    #[command(flatten)]
    count: ConnectionCount,
    #[command(flatten)]
    duration: LoadDuration,
    #[command(flatten)]
    ramp_up: RampUp,
    #[command(flatten)]
    concurrency: Concurrency,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    messages: MessageOptions,
    #[command(flatten)]
    links: Links,
    #[command(flatten)]
    reconnect: Reconnect,
    #[command(flatten)]
    connect: ConnectOptions,
    #[command(flatten)]
    report: ReportOptions,
}

impl Flood {
    pub(super) fn prepare(self) -> Prepared {
        let Flood {
            endpoint, window, count, duration, ramp_up, concurrency, workers, messages, links, ..
        } = self;
        let settings = Settings {
            ramp_up: ramp_up.ramp_up,
            concurrency: concurrency.concurrency,
            messages: Some(messages),
            links: Some(links),
            reconnect: self.reconnect.reconnect,
            ..Settings::new(endpoint.url(), count.connections, duration.duration, workers, self.connect)
        };
        (Mode::Flood { window }, settings, self.report)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Hold {
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    count: ConnectionCount,
    #[command(flatten)]
    duration: LoadDuration,
    #[command(flatten)]
    ramp_up: RampUp,
    #[command(flatten)]
    concurrency: Concurrency,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    links: Links,
    #[command(flatten)]
    reconnect: Reconnect,
    #[command(flatten)]
    connect: ConnectOptions,
    #[command(flatten)]
    report: ReportOptions,
}

impl Hold {
    pub(super) fn prepare(self) -> Prepared {
        let settings = Settings {
            ramp_up: self.ramp_up.ramp_up,
            concurrency: self.concurrency.concurrency,
            links: Some(self.links),
            reconnect: self.reconnect.reconnect,
            ..Settings::new(
                self.endpoint.url(),
                self.count.connections,
                self.duration.duration,
                self.workers,
                self.connect,
            )
        };
        (Mode::Hold, settings, self.report)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Storm {
    #[command(flatten)]
    endpoint: Endpoint,
    /// Cause of the losses
    #[arg(long, value_name = "CAUSE", default_value = "cut", value_parser = trigger(), help_heading = "Load")]
    trigger: Trigger,
    /// Delays between the attempts of lost connections to reconnect
    #[arg(long, value_name = "POLICY", default_value = "full-jitter", value_parser = policy(), help_heading = "Load")]
    policy: Policy,
    #[command(flatten)]
    count: ConnectionCount,
    #[command(flatten)]
    duration: LoadDuration,
    #[command(flatten)]
    rate: MessageRate,
    #[command(flatten)]
    ramp_up: RampUp,
    #[command(flatten)]
    concurrency: Concurrency,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    messages: MessageOptions,
    #[command(flatten)]
    links: Links,
    #[command(flatten)]
    connect: ConnectOptions,
    #[command(flatten)]
    report: ReportOptions,
}

impl Storm {
    pub(super) fn prepare(self) -> Prepared {
        let Storm { endpoint, trigger, policy, count, duration, rate, ramp_up, concurrency, workers, .. } =
            self;
        let settings = Settings {
            rate: rate.rate,
            ramp_up: ramp_up.ramp_up,
            concurrency: concurrency.concurrency,
            messages: Some(self.messages),
            links: Some(self.links),
            ..Settings::new(endpoint.url(), count.connections, duration.duration, workers, self.connect)
        };
        (Mode::Storm { trigger, policy }, settings, self.report)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Churn {
    #[command(flatten)]
    endpoint: Endpoint,
    /// New connections per second
    #[arg(long, value_name = "N", default_value_t = 100.0, value_parser = positive_rate, help_heading = "Load")]
    churn_rate: f64,
    /// Lifetime of each connection
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = super::options::duration, help_heading = "Load")]
    lifetime: Duration,
    /// Maximum number of open connections [default: 1.5 times rate × lifetime, at least 10 and at most 100,000]
    #[arg(long, short = 'c', value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    connections: Option<u32>,
    #[command(flatten)]
    duration: LoadDuration,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    links: Links,
    #[command(flatten)]
    connect: ConnectOptions,
    #[command(flatten)]
    report: ReportOptions,
}

impl Churn {
    pub(super) fn prepare(self) -> Prepared {
        // As many as are open at once at that rate, and some more, since handshakes take time.
        let enough =
            (self.churn_rate * self.lifetime.as_secs_f64() * 1.5).ceil().clamp(10.0, 100_000.0) as u32;
        let connections = self.connections.unwrap_or(enough);
        let settings = Settings {
            links: Some(self.links),
            ..Settings::new(
                self.endpoint.url(),
                connections,
                self.duration.duration,
                self.workers,
                self.connect,
            )
        };
        (Mode::Churn { rate: self.churn_rate, lifetime: self.lifetime }, settings, self.report)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Broadcast {
    #[command(flatten)]
    endpoint: Endpoint,
    /// Number of connections that send
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Load")]
    senders: u32,
    #[command(flatten)]
    count: ConnectionCount,
    #[command(flatten)]
    duration: LoadDuration,
    #[command(flatten)]
    rate: MessageRate,
    #[command(flatten)]
    ramp_up: RampUp,
    #[command(flatten)]
    concurrency: Concurrency,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    messages: MessageOptions,
    #[command(flatten)]
    links: Links,
    #[command(flatten)]
    reconnect: Reconnect,
    #[command(flatten)]
    connect: ConnectOptions,
    #[command(flatten)]
    report: ReportOptions,
}

impl Broadcast {
    pub(super) fn prepare(self) -> Prepared {
        let Broadcast { endpoint, senders, count, duration, rate, ramp_up, concurrency, workers, .. } = self;
        let settings = Settings {
            rate: rate.rate,
            ramp_up: ramp_up.ramp_up,
            concurrency: concurrency.concurrency,
            messages: Some(self.messages),
            links: Some(self.links),
            reconnect: self.reconnect.reconnect,
            ..Settings::new(endpoint.url(), count.connections, duration.duration, workers, self.connect)
        };
        (Mode::Broadcast { senders: senders.min(count.connections) }, settings, self.report)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Ramp {
    #[command(flatten)]
    endpoint: Endpoint,
    /// New connections per second, up to the number of connections
    #[arg(long, value_name = "N", default_value_t = 200.0, value_parser = positive_rate, help_heading = "Load")]
    open_rate: f64,
    #[command(flatten)]
    count: ConnectionCount,
    #[command(flatten)]
    duration: LoadDuration,
    #[command(flatten)]
    concurrency: Concurrency,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    links: Links,
    #[command(flatten)]
    reconnect: Reconnect,
    #[command(flatten)]
    connect: ConnectOptions,
    #[command(flatten)]
    report: ReportOptions,
}

impl Ramp {
    pub(super) fn prepare(self) -> Prepared {
        let settings = Settings {
            concurrency: self.concurrency.concurrency,
            links: Some(self.links),
            reconnect: self.reconnect.reconnect,
            ..Settings::new(
                self.endpoint.url(),
                self.count.connections,
                self.duration.duration,
                self.workers,
                self.connect,
            )
        };
        (Mode::Ramp { rate: self.open_rate }, settings, self.report)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Search {
    #[command(flatten)]
    endpoint: Endpoint,
    /// Limit for the latency of 99 % of the replies
    #[arg(long, value_name = "DURATION", default_value = "50ms", value_parser = positive_duration, help_heading = "Load")]
    pub(super) p99: Duration,
    /// Duration of the run at each rate
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = load_duration, help_heading = "Load")]
    step: Duration,
    #[command(flatten)]
    count: ConnectionCount,
    #[command(flatten)]
    rate: MessageRate,
    #[command(flatten)]
    ramp_up: RampUp,
    #[command(flatten)]
    concurrency: Concurrency,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    messages: MessageOptions,
    #[command(flatten)]
    links: Links,
    #[command(flatten)]
    reconnect: Reconnect,
    #[command(flatten)]
    connect: ConnectOptions,
    #[command(flatten)]
    pub(super) verbosity: super::options::Verbosity,
}

impl Search {
    pub(super) fn settings(&self) -> Settings {
        Settings {
            rate: self.rate.rate,
            ramp_up: self.ramp_up.ramp_up,
            concurrency: self.concurrency.concurrency,
            messages: Some(self.messages.clone()),
            links: Some(self.links.clone()),
            reconnect: self.reconnect.reconnect,
            ..Settings::new(
                self.endpoint.clone().url(),
                self.count.connections,
                self.step,
                self.workers.clone(),
                self.connect.clone(),
            )
        }
    }
}
