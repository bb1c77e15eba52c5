//! A load generator for WebSockets that shows how connections end, and proves that no message is lost or duplicated.
//!
//! A [`Plan`] states what to do, workers carry it out and count in a [`Tally`], and a [`report::LoadReport`] is made of both.
//! `undrop bench` is the command line of this crate.

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
pub use engine::coordinator::run;
pub use engine::message::WorkerFailure;
pub use engine::process::{WorkerProgram, serve_worker};
pub use metrics::failure::{FailureCount, FailureKind, KindCounts, MAX_FAILURE_KINDS};
pub use metrics::histogram::Times;
pub use metrics::snapshot::{RunPhase, Snapshot};
pub use metrics::tally::{EndingRecord, RECORDS, Tally, UserCounts};
pub use metrics::timeline::{Interval, Timeline};
pub use plan::{Mode, Payload, Plan, Policy, ScenarioSource, Target, Trigger, Trust};
pub use scenario_files::load_scenario;
pub use sink::{Fault, Sabotage, Sink, SinkCounts, SinkOptions, SinkWatch};
pub use undrop_session::SessionMode;
pub use undrop_transport::ConnectStage;
