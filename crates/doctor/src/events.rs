//! Events that a run reports while it goes on.

use undrop_diagnosis::observations::Traffic;
use undrop_frame::Ending;

/// Receives the events of a run. The calls come from one thread, in order, and should return soon.
pub trait RunListener {
    /// Receives an event of the run.
    fn on_event(&self, event: RunEvent<'_>);
}

/// An event of a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RunEvent<'a> {
    /// A stage starts at an endpoint.
    Stage {
        /// The name of the endpoint's role.
        endpoint: &'a str,
        /// The name of the stage.
        stage: &'static str,
    },
    /// A stage is complete.
    Done {
        /// The name of the stage.
        stage: &'static str,
        /// The outcome in a few words.
        outcome: &'a str,
        /// Whether the stage succeeded.
        good: bool,
    },
    /// The run starts to watch connections.
    Watching {
        /// The number of connections.
        connections: usize,
        /// The time for which they are watched, in seconds.
        until_s: f64,
    },
    /// A watched connection was opened.
    Opened {
        /// The number of the connection within the run.
        connection: usize,
        /// The traffic on the connection.
        traffic: &'a Traffic,
    },
    /// A probe was sent on an idle connection, and its result is known.
    Probed {
        /// The number of the connection within the run.
        connection: usize,
        /// Whether a reply arrived in time.
        answered: bool,
    },
    /// A watched connection ended.
    Ended {
        /// The number of the connection within the run.
        connection: usize,
        /// The age of the connection, in seconds.
        age_s: f64,
        /// The ending of the connection.
        end: &'a Ending,
    },
    /// A watched connection was alive at the end of its time.
    Released {
        /// The number of the connection within the run.
        connection: usize,
    },
    /// A connection could not be opened.
    Failed {
        /// The number of the connection within the run.
        connection: usize,
        /// The traffic that the connection would have carried.
        traffic: &'a Traffic,
        /// The reason for the failure.
        end: &'a Ending,
    },
}

/// A listener that ignores every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoListener;

impl RunListener for NoListener {
    fn on_event(&self, _event: RunEvent<'_>) {}
}
