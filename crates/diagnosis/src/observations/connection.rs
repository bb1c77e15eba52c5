//! One connection that was watched until it ended or the run did.

use serde::{Deserialize, Serialize};

use undrop_frame::Ending;

/// What a watched connection does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Traffic {
    /// Nothing, apart from Pongs that the server asks for.
    Silent,
    /// Nothing but TCP keepalive probes of the kernel.
    TcpKeepalive,
    /// Pings.
    Ping,
    /// Pongs that nobody asked for.
    Pong,
    /// Messages that the server replies to.
    Data,
    /// Data frames that the server does not reply to.
    OneWay,
    /// Nothing, while the server sends messages.
    Push,
    /// Nothing for this long, then one question: a tooth of the comb.
    IdleProbe {
        /// How long it is quiet.
        quiet_s: f64,
    },
    /// Everything that could keep it: one of a fleet that was opened at different times.
    Staggered,
    /// Leaves the server's Pings unanswered.
    NoPongs,
    /// A heartbeat once a minute, as from a tab in the background.
    HiddenTab,
    /// Reads and answers nothing for this long, as a phone that sleeps, then asks.
    Suspended {
        /// How long.
        for_s: f64,
    },
}

/// One watched connection. Times count from when its handshake was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchedConnection {
    /// What it did.
    pub traffic: Traffic,
    /// When its handshake was done, since the start of the run.
    pub at_s: f64,
    /// Why it could not be opened; everything below is then empty.
    pub failed: Option<Ending>,
    /// Its age at its end, or when it was last known to be alive.
    pub age_s: f64,
    /// How it ended; `None`: it was alive.
    pub end: Option<Ending>,
    /// The age at the last byte in either direction before the end; the questions at the end of a quiet time do not count.
    pub last_byte_s: f64,
    /// Frames that were sent to keep it.
    pub sent: u32,
    /// Messages that came.
    pub received: u32,
    /// Pongs that came.
    pub pongs: u32,
    /// Replies stopped at this age although the connection went on to answer Pings.
    #[serde(default)]
    pub stalled_s: Option<f64>,
    /// Ages at which the server sent a Ping, the first 64.
    pub server_pings_s: Vec<f64>,
    /// Ages at which a message came, the first 64.
    pub messages_s: Vec<f64>,
    /// The question at the end of a quiet time.
    pub probe: Option<AliveProbe>,
}

/// A Ping, or a message where Pings are not answered, that asks a quiet connection whether it is still there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AliveProbe {
    /// The age at which it was asked.
    pub sent_s: f64,
    /// How long the answer took; `None`: none came.
    pub reply_after_s: Option<f64>,
    /// The kernel at the other end acknowledged the question; `None` when that is not known.
    pub acked: Option<bool>,
}

impl WatchedConnection {
    /// One that was just opened.
    pub fn new(traffic: Traffic, at_s: f64) -> WatchedConnection {
        WatchedConnection {
            traffic,
            at_s,
            failed: None,
            age_s: 0.0,
            end: None,
            last_byte_s: 0.0,
            sent: 0,
            received: 0,
            pongs: 0,
            stalled_s: None,
            server_pings_s: Vec::new(),
            messages_s: Vec::new(),
            probe: None,
        }
    }

    /// One that could not be opened.
    pub fn failed(traffic: Traffic, at_s: f64, end: Ending) -> WatchedConnection {
        WatchedConnection { failed: Some(end), ..WatchedConnection::new(traffic, at_s) }
    }

    /// How long it had been quiet when it ended, or was last known to be alive.
    pub fn quiet_s(&self) -> f64 {
        self.age_s - self.last_byte_s
    }

    /// It was opened.
    pub fn opened(&self) -> bool {
        self.failed.is_none()
    }

    /// It was opened and did not end.
    pub fn alive(&self) -> bool {
        self.opened() && self.end.is_none()
    }

    /// It ended with a FIN, a reset or a Close: the end itself was seen, at its time. A black hole is only found out
    /// later.
    pub fn ended_visibly(&self) -> bool {
        matches!(self.end, Some(Ending::Close { .. } | Ending::Fin | Ending::Reset)) && !self.probe_failed()
    }

    /// It asked at the end of a quiet time, and nothing or only a reset came.
    pub fn probe_failed(&self) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.reply_after_s.is_none())
            && matches!(self.end, Some(Ending::BlackHole | Ending::Reset))
    }
}

impl Traffic {
    /// As people call it.
    pub fn name(&self) -> String {
        match self {
            Traffic::Silent => "silent".to_owned(),
            Traffic::TcpKeepalive => "TCP keepalive only".to_owned(),
            Traffic::Ping => "ping".to_owned(),
            Traffic::Pong => "unsolicited pong".to_owned(),
            Traffic::Data => "data with reply".to_owned(),
            Traffic::OneWay => "data without reply".to_owned(),
            Traffic::Push => "server push".to_owned(),
            Traffic::IdleProbe { quiet_s } => format!("quiet {quiet_s:.0} s, then ask"),
            Traffic::Staggered => "fleet, kept busy".to_owned(),
            Traffic::NoPongs => "pongs withheld".to_owned(),
            Traffic::HiddenTab => "hidden tab".to_owned(),
            Traffic::Suspended { for_s } => format!("asleep for {for_s:.0} s"),
        }
    }

    /// It sends nothing by itself that a proxy could take for activity.
    pub fn is_quiet(&self) -> bool {
        matches!(self, Traffic::Silent | Traffic::TcpKeepalive | Traffic::IdleProbe { .. })
    }

    /// It sends all along, so that no idle timer should end it.
    pub fn is_busy(&self) -> bool {
        matches!(self, Traffic::Ping | Traffic::Pong | Traffic::Data | Traffic::OneWay | Traffic::Staggered)
    }
}
