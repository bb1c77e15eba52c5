//! The engine: a coordinator, its workers, and the schedule of each worker.

mod connections;
pub(crate) mod coordinator;
mod counters;
pub(crate) mod environment;
pub(crate) mod message;
pub(crate) mod process;
mod schedule;
pub(crate) mod send_times;
mod storm;
mod ticker;
mod usage;
mod virtual_users;
mod worker;
