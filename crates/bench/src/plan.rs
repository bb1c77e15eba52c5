//! The plan of a run. All options are validated before a [`Plan`] is built.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use undrop_session::{Backoff, SessionMode};

use crate::connection::stamp;

/// The plan of a whole run, or the share of one worker. It is sent to worker processes as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The server to connect to.
    pub target: Target,
    /// The behaviour of the connections.
    pub mode: Mode,
    /// The number of connections, or the maximum number of open ones if the mode opens them during the run.
    pub connections: u32,
    /// The time between the opening of the first and the last connection; the others are opened evenly in between.
    pub ramp_up: Duration,
    /// The maximum number of concurrent handshakes.
    pub concurrency: u32,
    /// The number of messages per second per connection; 0 for none.
    pub rate: f64,
    /// The duration of the load, counted once all connections have been attempted.
    pub duration: Duration,
    /// The content of the messages.
    pub payload: Payload,
    /// Whether every stream is numbered and hash-chained, and verified on receipt.
    pub verify: bool,
    /// Whether connections use resumable sessions.
    pub session: SessionMode,
    /// The policy by which a lost plain connection reconnects; `None` if it does not, which is needed to measure survival.
    pub reconnect: Option<Policy>,
    /// The interval between Pings on each connection; `None` for no Pings, since they would keep a connection alive that an idle
    /// timeout should close.
    pub ping: Option<Duration>,
    /// The duration of silence after which a connection that awaits a reply counts as a black hole.
    pub dead_after: Duration,
    /// The maximum time to wait for replies after the last message.
    pub settle: Duration,
    /// The seed for all randomness.
    pub seed: u64,
    /// The number of the first connection of this worker.
    pub first: u32,
    /// The epoch of all times in messages, in microseconds since 1970; the same for all workers.
    pub epoch_us: u64,
    /// The number of workers of the whole run.
    pub workers: u32,
}

/// The server to connect to, and the options of each connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The `ws://` or `wss://` URL.
    pub url: String,
    /// Additional headers of the request.
    pub headers: Vec<(String, String)>,
    /// The subprotocols to offer, in order of preference.
    pub protocols: Vec<String>,
    /// Whether to offer permessage-deflate.
    pub compress: bool,
    /// The certificates to trust.
    pub trust: Trust,
    /// The name for SNI and certificate verification; `None` for the host of the URL.
    pub server_name: Option<String>,
    /// The local addresses to connect from, in turn; empty to let the system choose. Each allows about 28,000 connections to one
    /// address of the target (the ephemeral ports of Linux).
    pub source: Vec<IpAddr>,
    /// The addresses of the target; empty to resolve its name once per run.
    pub addresses: Vec<SocketAddr>,
    /// The timeout for each of name resolution, TCP, TLS and the upgrade.
    pub timeout: Duration,
    /// The URL of a forward proxy.
    pub proxy: Option<String>,
    /// The maximum size of a received message in bytes.
    pub max_message: u64,
}

/// The certificates that are trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trust {
    /// The certificate authorities of the system.
    Native,
    /// Those of the system, and the ones in this PEM text.
    NativeAnd(Vec<u8>),
    /// Any certificate: the connection is encrypted, but the server is not authenticated.
    Insecure,
}

/// The behaviour of the connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Mode {
    /// Send on a fixed schedule, independent of replies (an open workload).
    Run,
    /// Keep a number of unanswered messages on each connection (a closed workload).
    Flood {
        /// The number of unanswered messages per connection; 0 to never wait for replies.
        window: u32,
    },
    /// Stay open without sending.
    Hold,
    /// Lose all connections at one instant, and measure how they reconnect.
    Storm {
        /// The cause of the losses.
        trigger: Trigger,
        /// The delays between attempts to reconnect.
        policy: Policy,
    },
    /// Open connections at a rate, and close each after a fixed lifetime.
    Churn {
        /// The number of new connections per second.
        rate: f64,
        /// The lifetime of each connection.
        lifetime: Duration,
    },
    /// Some connections send, all receive.
    Broadcast {
        /// The number of connections that send.
        senders: u32,
    },
    /// Open connections until the target refuses some, then hold the open ones.
    Ramp {
        /// The number of new connections per second.
        rate: f64,
    },
    /// Virtual users that arrive and act according to a scenario file.
    Scenario(Box<ScenarioSource>),
}

/// A scenario file. Every worker reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioSource {
    /// The path of the file.
    pub path: String,
    /// A URL that replaces the target of the file.
    pub target: Option<String>,
    /// Variables that replace those of the file.
    pub variables: BTreeMap<String, String>,
    /// The number of the worker: it starts every `workers`-th user, from this one on.
    pub part: u32,
}

/// The cause of the losses in a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// The load cuts all links at once, without Close frames.
    Cut,
    /// Something else does during the run: a restart, a drain, a fault.
    Wait,
}

/// The delays between the attempts to reconnect after a link was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// First a random delay of up to 300 ms, then random delays below min(30 s, 1 s · 2^k), without a limit of attempts.
    FullJitter,
    /// 1 s, doubled each time up to 30 s, ±25 %, at most 10 attempts.
    Classic,
    /// At once, then every 100 ms, without backoff: the thundering herd.
    Immediate,
}

impl Policy {
    /// All policies, in the order of the help.
    pub const ALL: [Policy; 3] = [Policy::FullJitter, Policy::Classic, Policy::Immediate];

    /// Returns the policy with this name.
    pub fn by_name(name: &str) -> Option<Policy> {
        Policy::ALL.into_iter().find(|policy| policy.name() == name)
    }

    /// Returns the name of the policy, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Policy::FullJitter => "full-jitter",
            Policy::Classic => "classic",
            Policy::Immediate => "immediate",
        }
    }

    /// Returns the delays of the policy.
    pub(crate) fn backoff(self) -> Backoff {
        match self {
            Policy::FullJitter => Backoff::full_jitter(),
            Policy::Classic => Backoff::classic(),
            Policy::Immediate => {
                Backoff::full_jitter().with_range(Duration::from_millis(100), Duration::from_millis(100))
            }
        }
    }
}

impl Trigger {
    /// All triggers, in the order of the help.
    pub const ALL: [Trigger; 2] = [Trigger::Cut, Trigger::Wait];

    /// Returns the trigger with this name.
    pub fn by_name(name: &str) -> Option<Trigger> {
        Trigger::ALL.into_iter().find(|trigger| trigger.name() == name)
    }

    /// Returns the name of the trigger, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Trigger::Cut => "cut",
            Trigger::Wait => "wait",
        }
    }
}

/// The content of the messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// Messages with a stamp (number, times and hashes) and filler. Their size is at least [`stamp::TEXT`], or
    /// [`stamp::BINARY`] if binary.
    Stamped {
        /// The size of a message in bytes.
        size: usize,
        /// Whether the messages are binary.
        binary: bool,
    },
    /// The same text message each time.
    Text(String),
    /// The same binary message each time.
    Binary(Vec<u8>),
}

impl Payload {
    /// Returns the content for messages of `size` bytes: with stamps if they fit, otherwise filler only.
    pub fn of_size(size: usize, binary: bool) -> Payload {
        let least = if binary { stamp::BINARY } else { stamp::TEXT };
        match (size >= least, binary) {
            (true, _) => Payload::Stamped { size, binary },
            (false, true) => Payload::Binary(vec![b'u'; size]),
            (false, false) => Payload::Text("u".repeat(size)),
        }
    }

    /// Returns the size of one message in bytes.
    pub fn size(&self) -> usize {
        match self {
            Payload::Stamped { size, .. } => *size,
            Payload::Text(text) => text.len(),
            Payload::Binary(bytes) => bytes.len(),
        }
    }
}

impl Plan {
    /// Returns the shares of `workers` workers. Connections are divided evenly and numbered consecutively.
    pub fn split(&self, workers: u32) -> Vec<Plan> {
        let workers = workers.max(1);
        let mut first = self.first;
        (0..workers)
            .map(|worker| {
                let share = |all: u32| all / workers + u32::from(worker < all % workers);
                let mut plan = Plan { workers, first, ..self.clone() };
                plan.connections = share(self.connections);
                plan.concurrency = share(self.concurrency).max(1);
                match &mut plan.mode {
                    Mode::Broadcast { senders } => *senders = share(*senders),
                    Mode::Churn { rate, .. } | Mode::Ramp { rate } => *rate /= f64::from(workers),
                    Mode::Scenario(source) => source.part = worker,
                    Mode::Run | Mode::Flood { .. } | Mode::Hold | Mode::Storm { .. } => {}
                }
                first += plan.connections;
                plan
            })
            .collect()
    }

    /// Returns the number of open files that the largest worker needs.
    pub fn files_per_worker(&self) -> u64 {
        let cuts = matches!(self.mode, Mode::Storm { trigger: Trigger::Cut, .. })
            && self.session != SessionMode::Off;
        let each = if cuts { 2 } else { 1 };
        u64::from(self.connections.div_ceil(self.workers.max(1))) * each + 64
    }

    /// Returns whether messages have an intended time, so that latency can be corrected for coordinated omission.
    pub fn is_open_workload(&self) -> bool {
        matches!(self.mode, Mode::Run | Mode::Storm { .. } | Mode::Broadcast { .. }) && self.rate > 0.0
    }
}
