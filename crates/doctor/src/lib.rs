//! Finds why a WebSocket drops.
//!
//! *Seeing* and *judging* are apart. [`examine`] does the I/O and returns [`Observations`](undrop_diagnosis::Observations):
//! facts with times. What follows from them is the business of the crate `diagnosis`.
//!
//! | for | start at |
//! |---|---|
//! | what is asked of an endpoint | `probes/`, one file each |
//! | what is watched over time | `lanes/plan.rs` plans, `lanes/lane.rs` watches one connection |

#![forbid(unsafe_code)]

mod caller;
mod clock;
mod events;
mod exchange;
mod lanes;
mod options;
mod probes;
mod run;
mod socket;
mod stop;
mod watch;

pub use events::{Listener, News, Quiet};
pub use options::Options;
pub use run::examine;
pub use stop::{Stop, Stopper, stop};
pub use watch::{Incident, What, keep_watch, post};
