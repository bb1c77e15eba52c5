//! What a run does, ready to use: whoever builds a [`Plan`] has judged every option already.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::connection::stamp;

/// A whole run, or the share of it that one worker has. Travels to worker processes as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Where to connect to.
    pub target: Target,
    /// What the connections do.
    pub mode: Mode,
    /// Connections, or the most of them at once where the mode opens them as it goes.
    pub connections: u32,
    /// The first connection is opened at once, the last one this much later, the others evenly between.
    pub ramp: Duration,
    /// Handshakes under way at once, at most.
    pub concurrency: u32,
    /// Messages per second and connection; 0: none.
    pub rate: f64,
    /// From the moment when every connection was tried until no more is sent.
    pub duration: Duration,
    /// What is sent.
    pub payload: Payload,
    /// Number and hash-chain every stream, and check what comes.
    pub verify: bool,
    /// Plain links or sessions.
    pub session: Session,
    /// What a plain connection does when it was lost; `None`: it stays lost, which is what a survival curve shows.
    pub reconnect: Option<Policy>,
    /// Pings on each connection, this far apart; `None`: none, since a Ping would keep a connection alive that an idle
    /// timer should cut.
    pub ping: Option<Duration>,
    /// Silence after which a connection that owes answers counts as a black hole.
    pub dead_after: Duration,
    /// Longest wait for answers after the last message.
    pub settle: Duration,
    /// Everything random follows from it.
    pub seed: u64,
    /// Number of the first connection of this worker.
    pub first: u32,
    /// Zero of all times in messages, microseconds since 1970: the same for all workers.
    pub epoch_us: u64,
    /// Workers of the whole run.
    pub workers: u32,
}

/// Where to connect to, and as whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// `ws://` or `wss://` URL.
    pub url: String,
    /// Request headers.
    pub headers: Vec<(String, String)>,
    /// Sub-protocols offered; the first has preference.
    pub protocols: Vec<String>,
    /// Offer permessage-deflate.
    pub compress: bool,
    /// Whose certificates are trusted.
    pub trust: Trust,
    /// Name for SNI and for checking the certificate, instead of the URL's host.
    pub server_name: Option<String>,
    /// Local addresses to connect from, in turn; empty: the system's choice. Each gives about 28,000 connections to one
    /// address of the target (the ephemeral ports of Linux).
    pub source: Vec<IpAddr>,
    /// Addresses of the target; empty: from DNS, looked up once for the run.
    pub addresses: Vec<SocketAddr>,
    /// For names, TCP, TLS and upgrade, each.
    pub timeout: Duration,
    /// URL of a forward proxy.
    pub proxy: Option<String>,
    /// Largest message that is accepted, bytes.
    pub max_message: u64,
}

/// Whose certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trust {
    /// The system's authorities.
    Native,
    /// Those and the ones in this PEM text.
    NativeAnd(Vec<u8>),
    /// Nobody's are checked.
    Insecure,
}

/// What the connections do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Mode {
    /// Send at a fixed schedule, whatever comes back (an open workload).
    Run,
    /// Keep so many messages under way on each connection (a closed workload).
    Flood {
        /// Messages sent and not answered yet, per connection; 0: never wait for answers.
        window: u32,
    },
    /// Stay open and quiet.
    Hold,
    /// Lose all connections at one instant and measure how they come back.
    Storm {
        /// Who cuts.
        trigger: Trigger,
        /// When they come back.
        policy: Policy,
    },
    /// Open connections at a rate, close each after a while.
    Churn {
        /// New connections per second.
        rate: f64,
        /// How long each lives.
        lifetime: Duration,
    },
    /// Some send, all receive.
    Broadcast {
        /// How many of the connections send.
        senders: u32,
    },
    /// Open connections until the target refuses, then hold what is open.
    Ramp {
        /// New connections per second.
        rate: f64,
    },
    /// Virtual users that arrive as a scenario file says, and do what it says.
    Scenario(Box<ScenarioSource>),
}

/// A scenario file, read anew by every worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioSource {
    /// Its path.
    pub path: String,
    /// A URL in place of the file's target.
    pub target: Option<String>,
    /// Variables in place of the file's.
    pub variables: BTreeMap<String, String>,
    /// Which of the arrivals are this worker's: every `workers`-th, from this one on.
    pub part: u32,
}

/// Who cuts the connections of a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trigger {
    /// We do, all at once, without a word.
    Cut,
    /// Something else does during the run: a restart, a drain, a fault.
    Wait,
}

/// When to try again after a link was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// At once (up to 300 ms), then anything below min(30 s, 1 s · 2^k), without end.
    FullJitter,
    /// 1 s, doubled, at most 30 s, give or take 25 %, 10 tries.
    Classic,
    /// At once, again and again 100 ms apart: the herd that the others avoid.
    Immediate,
}

/// Plain links or sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Session {
    /// Plain WebSocket.
    Off,
    /// A session where the server knows it.
    Prefer,
    /// A session or nothing.
    Require,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// Messages of this many bytes that carry number, times and hashes ([`stamp::TEXT`] bytes at least, or
    /// [`stamp::BINARY`] when binary).
    Stamped {
        /// Bytes of a message.
        size: usize,
        /// Binary or text.
        binary: bool,
    },
    /// Always the same text.
    Text(String),
    /// Always the same bytes.
    Binary(Vec<u8>),
}

impl Payload {
    /// Messages of `size` bytes; with stamps where they fit, else plain filler.
    pub fn of_size(size: usize, binary: bool) -> Payload {
        let least = if binary { stamp::BINARY } else { stamp::TEXT };
        match (size >= least, binary) {
            (true, _) => Payload::Stamped { size, binary },
            (false, true) => Payload::Binary(vec![b'u'; size]),
            (false, false) => Payload::Text("u".repeat(size)),
        }
    }

    /// Bytes of one message.
    pub fn size(&self) -> usize {
        match self {
            Payload::Stamped { size, .. } => *size,
            Payload::Text(text) => text.len(),
            Payload::Binary(bytes) => bytes.len(),
        }
    }
}

impl Plan {
    /// The shares of `workers` workers: connections dealt evenly, numbers without a hole.
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

    /// Open files that the largest worker needs.
    pub fn files_per_worker(&self) -> u64 {
        let cuts =
            matches!(self.mode, Mode::Storm { trigger: Trigger::Cut, .. }) && self.session != Session::Off;
        let each = if cuts { 2 } else { 1 };
        u64::from(self.connections.div_ceil(self.workers.max(1))) * each + 64
    }

    /// Whether latency can be corrected for coordinated omission: messages have a time they should have been sent at.
    pub fn is_open_workload(&self) -> bool {
        matches!(self.mode, Mode::Run | Mode::Storm { .. } | Mode::Broadcast { .. }) && self.rate > 0.0
    }
}
