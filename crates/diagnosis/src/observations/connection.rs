//! One connection that was watched until it ended or the run did.

use serde::{Deserialize, Serialize};

use undrop_frame::Ending;

/// The traffic on a watched connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Traffic {
    /// No traffic except the replies to Pings of the server.
    Silent,
    /// TCP keepalive probes of the kernel only.
    TcpKeepalive,
    /// Pings at a fixed interval.
    Ping,
    /// Unsolicited Pongs at a fixed interval.
    Pong,
    /// Messages to which the server replies.
    Data,
    /// Data frames to which the server does not reply.
    OneWay,
    /// Messages from the server only.
    Push,
    /// No traffic for this time, then one probe. Several such connections have increasing idle times.
    IdleProbe {
        /// The idle time before the probe, in seconds.
        quiet_s: f64,
    },
    /// Pings and messages, on connections that are opened at different times.
    Staggered,
    /// No traffic, and Pings of the server are not answered.
    NoPongs,
    /// A message once a minute, as from a background tab.
    HiddenTab,
    /// No reads and no replies for this time, as on a suspended phone, then one probe.
    Suspended {
        /// The duration of the suspension, in seconds.
        for_s: f64,
    },
}

/// A watched connection. Times count from the end of its handshake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchedConnection {
    /// The traffic on the connection.
    pub traffic: Traffic,
    /// The end of its handshake since the start of the run, in seconds.
    pub at_s: f64,
    /// The reason why it could not be opened; the fields below are then empty.
    pub failed: Option<Ending>,
    /// Its age at its end, or when it was last known to be alive, in seconds.
    pub age_s: f64,
    /// The ending; `None` if it was alive at the end of the watch.
    pub end: Option<Ending>,
    /// Its age at the last byte in either direction before the end, without the probe after an idle time.
    pub last_byte_s: f64,
    /// The number of frames that were sent to keep it alive.
    pub sent: u32,
    /// The number of received messages.
    pub received: u32,
    /// The number of received Pongs.
    pub pongs: u32,
    /// The age at which replies stopped although Pings were still answered.
    #[serde(default)]
    pub stalled_s: Option<f64>,
    /// The ages at which the server sent a Ping, the first 64.
    pub server_pings_s: Vec<f64>,
    /// The ages at which a message was received, the first 64.
    pub messages_s: Vec<f64>,
    /// The probe after an idle time.
    pub probe: Option<AliveProbe>,
}

/// A probe that tests whether a connection is alive: a Ping, or a message if Pings are not answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AliveProbe {
    /// The age of the connection when the probe was sent, in seconds.
    pub sent_s: f64,
    /// The time until the reply, in seconds; `None` if no reply was received.
    pub reply_after_s: Option<f64>,
    /// Whether the kernel of the peer acknowledged the probe; `None` if that is not known.
    pub acked: Option<bool>,
}

impl WatchedConnection {
    /// Creates the record of a connection that was just opened.
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

    /// Creates the record of a connection that could not be opened.
    pub fn failed(traffic: Traffic, at_s: f64, end: Ending) -> WatchedConnection {
        WatchedConnection { failed: Some(end), ..WatchedConnection::new(traffic, at_s) }
    }

    /// Returns the time since the last byte when it ended or was last known to be alive, in seconds.
    pub fn quiet_s(&self) -> f64 {
        self.age_s - self.last_byte_s
    }

    /// Returns whether it was opened.
    pub fn opened(&self) -> bool {
        self.failed.is_none()
    }

    /// Returns whether it was opened and did not end.
    pub fn alive(&self) -> bool {
        self.opened() && self.end.is_none()
    }

    /// Returns whether it ended with a FIN, a reset or a Close, so that the time of its end is known. A black hole is only
    /// detected later.
    pub fn ended_visibly(&self) -> bool {
        matches!(self.end, Some(Ending::Close { .. } | Ending::Fin | Ending::Reset)) && !self.probe_failed()
    }

    /// Returns whether it was probed after an idle time, and nothing or only a reset was received.
    pub fn probe_failed(&self) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.reply_after_s.is_none())
            && matches!(self.end, Some(Ending::BlackHole | Ending::Reset))
    }
}

impl Traffic {
    /// Returns the name for reports.
    pub fn name(&self) -> String {
        match self {
            Traffic::Silent => "silent".to_owned(),
            Traffic::TcpKeepalive => "TCP keepalive only".to_owned(),
            Traffic::Ping => "ping".to_owned(),
            Traffic::Pong => "unsolicited pong".to_owned(),
            Traffic::Data => "data with reply".to_owned(),
            Traffic::OneWay => "data without reply".to_owned(),
            Traffic::Push => "server push".to_owned(),
            Traffic::IdleProbe { quiet_s } => format!("idle {quiet_s:.0} s, then probe"),
            Traffic::Staggered => "staggered, busy".to_owned(),
            Traffic::NoPongs => "Pongs withheld".to_owned(),
            Traffic::HiddenTab => "hidden tab".to_owned(),
            Traffic::Suspended { for_s } => format!("suspended for {for_s:.0} s"),
        }
    }

    /// Returns whether no data is sent that a proxy could count as activity.
    pub fn is_quiet(&self) -> bool {
        matches!(self, Traffic::Silent | Traffic::TcpKeepalive | Traffic::IdleProbe { .. })
    }

    /// Returns whether data is sent all the time, so that no idle timeout should end the connection.
    pub fn is_busy(&self) -> bool {
        matches!(self, Traffic::Ping | Traffic::Pong | Traffic::Data | Traffic::OneWay | Traffic::Staggered)
    }
}
