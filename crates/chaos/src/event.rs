//! What happens on a proxy, to be shown, logged and replayed.

use serde::{Deserialize, Serialize};

use crate::proxy::Counts;
use crate::spec::{Direction, Spec};

/// One line of a log. Times and ages are seconds since the start of the proxy and since the opening of the connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The proxy has started.
    Listening {
        /// Name of the proxy.
        proxy: String,
        /// Where it listens.
        address: String,
        /// Where it forwards to.
        upstream: String,
        /// The seed of everything it draws.
        seed: u64,
    },
    /// Faults were added.
    FaultAdded {
        /// Name of the proxy.
        proxy: String,
        /// When.
        time: f64,
        /// Their name.
        fault: String,
        /// The faults, with their durations already at the proxy's speed.
        faults: Vec<Spec>,
    },
    /// Faults were taken away.
    FaultRemoved {
        /// Name of the proxy.
        proxy: String,
        /// When.
        time: f64,
        /// Their name.
        fault: String,
    },
    /// The listener was closed: connections are refused.
    Refusing {
        /// Name of the proxy.
        proxy: String,
        /// When.
        time: f64,
    },
    /// The listener is open again.
    Accepting {
        /// Name of the proxy.
        proxy: String,
        /// When.
        time: f64,
    },
    /// A connection was accepted.
    Opened {
        /// Name of the proxy.
        proxy: String,
        /// When.
        time: f64,
        /// Its number, from 1.
        connection: u64,
        /// The client's address.
        peer: String,
    },
    /// A fault was injected.
    Injected {
        /// Name of the proxy.
        proxy: String,
        /// When.
        time: f64,
        /// Into which connection.
        connection: u64,
        /// Name of the fault.
        fault: String,
        /// Its kind.
        kind: String,
        /// In which direction.
        direction: Direction,
        /// Bytes that had passed in that direction (from the client, for both).
        offset: u64,
        /// Age of the connection.
        age: f64,
        /// What was done, in words.
        what: String,
        /// The fault that does the same to this connection …
        replay: Spec,
        /// … put on it at this age …
        from: f64,
        /// … with what it draws.
        seed: u64,
    },
    /// Something that is no fault and worth a line.
    Note {
        /// Name of the proxy.
        proxy: String,
        /// When.
        time: f64,
        /// On which connection.
        connection: u64,
        /// What.
        note: String,
    },
    /// A connection is over.
    Closed {
        /// Name of the proxy.
        proxy: String,
        /// When.
        time: f64,
        /// Which.
        connection: u64,
        /// Its age.
        age: f64,
        /// Bytes from the client that were passed on.
        up: u64,
        /// Bytes from the upstream that were passed on.
        down: u64,
        /// Who ended it: `client`, `upstream`, `fault`, `proxy`.
        by: String,
    },
    /// What was counted when the proxy ended.
    Summary {
        /// Name of the proxy.
        proxy: String,
        /// When.
        time: f64,
        /// The counts.
        counts: Counts,
    },
    /// An event that this version does not know.
    #[serde(other)]
    Other,
}

/// Who is told of events. Called from the tasks of connections: it must not block for long.
pub(crate) type Observer = std::sync::Arc<dyn Fn(&Event) + Send + Sync>;
