//! Probes an endpoint to find out why its WebSockets drop.
//! Observation and evaluation are separate. [`examine`] does the I/O and returns [`Observations`](undrop_diagnosis::Observations):
//! facts with times. The crate `diagnosis` draws the conclusions.
//!
//! | for | start at |
//! |---|---|
//! | the probes of an endpoint | `probes/`, one file each |
//! | the watched connections | `connections/plan.rs` plans them, `connections/watcher.rs` watches one |

#![forbid(unsafe_code)]

mod clock;
mod connections;
mod events;
mod http;
mod options;
mod prober;
mod probes;
mod run;
mod socket;
mod watch;

pub use events::{NoListener, RunEvent, RunListener};
pub use http::post;
pub use options::Options;
pub use run::examine;
pub use tokio_util::sync::CancellationToken;
pub use watch::{WatchEvent, WatchEventKind, watch_endpoint};
