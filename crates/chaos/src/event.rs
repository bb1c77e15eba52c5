//! The events of a proxy, for display, logs and replay.

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::direction::Direction;
use crate::spec::FaultSpec;

/// An event of a proxy: one line of a log. Times are in seconds since the start of the proxy, ages in seconds since the
/// opening of the connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The proxy has started.
    Listening {
        /// The name of the proxy.
        proxy: String,
        /// The address on which the proxy listens.
        address: String,
        /// The address to which it forwards.
        upstream: String,
        /// The seed of all random draws.
        seed: u64,
    },
    /// Faults were added to the proxy.
    FaultAdded {
        /// The name of the proxy.
        proxy: String,
        /// The time of the event.
        time: f64,
        /// The name of the faults.
        fault: String,
        /// The faults, with their durations already divided by the speed of the proxy.
        faults: Vec<FaultSpec>,
    },
    /// Faults were removed from the proxy.
    FaultRemoved {
        /// The name of the proxy.
        proxy: String,
        /// The time of the event.
        time: f64,
        /// The name of the faults.
        fault: String,
    },
    /// The listener was closed: connections are refused.
    Refusing {
        /// The name of the proxy.
        proxy: String,
        /// The time of the event.
        time: f64,
    },
    /// The listener is open again.
    Accepting {
        /// The name of the proxy.
        proxy: String,
        /// The time of the event.
        time: f64,
    },
    /// A connection was accepted.
    Opened {
        /// The name of the proxy.
        proxy: String,
        /// The time of the event.
        time: f64,
        /// The number of the connection, counted from 1.
        connection: u64,
        /// The address of the client.
        peer: String,
    },
    /// A fault was injected.
    Injected {
        /// The name of the proxy.
        proxy: String,
        /// The time of the event.
        time: f64,
        /// The number of the connection.
        connection: u64,
        /// The name of the fault.
        fault: String,
        /// The kind of the fault.
        kind: String,
        /// The direction in which it was injected.
        direction: Direction,
        /// The number of bytes forwarded before in that direction (from the client, for both directions).
        offset: u64,
        /// The age of the connection.
        age: f64,
        /// A description of the effect.
        what: String,
        /// A fault that has the same effect on this connection if it is added at the age `from` and uses the seed
        /// `seed`.
        replay: FaultSpec,
        /// The age of the connection at which `replay` must be added.
        from: f64,
        /// The seed of the random draws of `replay`.
        seed: u64,
    },
    /// A remark about a connection that is not a fault.
    Note {
        /// The name of the proxy.
        proxy: String,
        /// The time of the event.
        time: f64,
        /// The number of the connection.
        connection: u64,
        /// The text of the remark.
        note: String,
    },
    /// A connection was closed.
    Closed {
        /// The name of the proxy.
        proxy: String,
        /// The time of the event.
        time: f64,
        /// The number of the connection.
        connection: u64,
        /// The age of the connection.
        age: f64,
        /// The number of bytes forwarded from the client.
        up: u64,
        /// The number of bytes forwarded from the upstream.
        down: u64,
        /// The party that ended the connection: `client`, `upstream`, `fault` or `proxy`.
        by: String,
    },
    /// The counters at the end of the proxy.
    Summary {
        /// The name of the proxy.
        proxy: String,
        /// The time of the event.
        time: f64,
        /// The counters since the start of the proxy.
        counts: Counts,
    },
    /// An event of a kind that this version does not know.
    #[serde(other)]
    Other,
}

/// A function that is called with every event, from the tasks of the connections: it must not block.
pub(crate) type Observer = std::sync::Arc<dyn Fn(&Event) + Send + Sync>;
