//! Finds why a WebSocket drops.
//!
//! *Seeing* and *judging* are apart. [`examine`] does the I/O and returns [`Observations`]: facts with times. [`diagnose`] is
//! a pure function of these: the same observations always give the same report, so a saved run can be judged again
//! anywhere.
//!
//! | for | start at |
//! |---|---|
//! | what is asked of an endpoint | `probes/`, one file each |
//! | what is watched over time | `lanes.rs` plans, `lane.rs` watches one connection |
//! | what is concluded | `checks/`, one file each: id, documentation, a pure function, tests on literal observations |

#![forbid(unsafe_code)]

mod analysis;
mod caller;
mod checks;
mod clock;
mod diagnosis;
mod examine;
mod exchange;
pub mod explain;
mod lane;
mod lanes;
mod news;
pub mod observations;
mod options;
mod probes;
mod sentinel;
mod stop;
mod wire;

pub use checks::{CHECKS, Check};
pub use diagnosis::{Conclusion, diagnose};
pub use examine::examine;
pub use news::{Listener, News, Quiet};
pub use observations::Observations;
pub use options::Options;
pub use sentinel::{Incident, What, keep_watch, post};
pub use stop::{Stop, Stopper, stop};
