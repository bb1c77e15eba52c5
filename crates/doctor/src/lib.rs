//! Finds why a WebSocket drops.
//!
//! *Seeing* and *judging* are apart. [`examine`] does the I/O and returns [`Observations`](undrop_diagnosis::Observations):
//! facts with times. What follows from them is the business of the crate `diagnosis`.
//!
//! | for | start at |
//! |---|---|
//! | what is asked of an endpoint | `probes/`, one file each |
//! | what is watched over time | `connections/plan.rs` plans, `connections/connection.rs` watches one connection |

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
