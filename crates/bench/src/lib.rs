//! Load for WebSockets that shows how connections end, and proves that no message is lost or doubled.
//!
//! A [`Plan`] says what to do, a worker does it and counts in a [`Tally`], a report is made of both. `undrop bench` is the
//! command line of this crate.

mod clock;
mod connection;
mod engine;
mod metrics;
mod plan;
pub mod report;
mod scenario_files;
mod sink;

pub use connection::handshake::SetupError;
pub use connection::{proof, stamp};
pub use engine::coordinator::{Program, run, serve_worker};
pub use metrics::histogram::Times;
pub use metrics::tally::{EndingRecord, Failures, Phase, RECORDS, Slot, Snapshot, Tally, Timeline, Users};
pub use plan::{Mode, Payload, Plan, Policy, ScenarioSource, Session, Target, Trigger, Trust};
pub use scenario_files::load_scenario;
pub use sink::{Fault, Sabotage, Sink, SinkCounts, SinkOptions, SinkWatch};
