//! Load for WebSockets that shows how connections end, and proves that no message is lost or doubled.
//!
//! A [`Plan`] says what to do, a worker does it and counts in a [`Tally`], a report is made of both. `undrop bench` is the
//! command line of this crate.

mod clock;
mod connection;
pub mod ensure;
mod histogram;
mod open;
mod plan;
pub mod proof;
pub mod report;
mod run;
mod scenario_files;
mod shared;
mod sink;
pub mod stamp;
mod tally;
mod ticker;
mod usage;
mod users;
mod wire;
mod worker;

pub use histogram::Times;
pub use open::SetupError;
pub use plan::{Mode, Payload, Plan, Policy, ScenarioSource, Session, Target, Trigger, Trust};
pub use run::{Program, run, serve_worker};
pub use scenario_files::load_scenario;
pub use sink::{Fault, Sabotage, Sink, SinkCounts, SinkOptions, SinkWatch};
pub use tally::{EndingRecord, Failures, Phase, RECORDS, Slot, Snapshot, Tally, Timeline, Users};
