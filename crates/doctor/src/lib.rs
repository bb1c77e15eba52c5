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
mod exchange;
mod options;
mod prober;
mod probes;
mod run;
mod socket;
mod stop;
mod watch;

pub use events::{NoListener, RunEvent, RunListener};
pub use options::Options;
pub use run::examine;
pub use stop::{Stop, Stopper, stop};
pub use watch::{WatchEvent, WatchEventKind, post, watch_endpoint};
