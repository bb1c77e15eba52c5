//! Scenarios: what virtual users do, and when they arrive. No sockets, no clock, no chance of its own.
//!
//! ```text
//!   file ──▶ load() ──▶ Scenario ─┬─ arrivals(seed)   when each user starts, and with which flow
//!            (three dialects,     ├─ ensure           what must hold at the end
//!             notices)            └─ UserRun::new(…)      one user: a machine that says what to do next
//! ```
//!
//! Three dialects become one [`Scenario`]: our own format, Artillery's as its `ws` engine really reads it, and the `send`/`expect` form
//! that guides show. Nothing is skipped in silence: what was corrected or means something else there is a [`Notice`], what cannot be
//! done is a [`ScenarioError`], both with file and line.
//!
//! The engine drives one [`UserRun`] for each user:
//!
//! ```
//! # use std::{sync::Arc, time::Instant};
//! # use undrop_scenario::{Files, Inputs, UserRun, UserAction, load};
//! # fn example(files: &dyn Files) -> Result<(), Box<dyn std::error::Error>> {
//! let scenario = Arc::new(load("chat.yml".as_ref(), &Inputs::default(), files)?);
//! for arrival in scenario.arrivals(7) {
//!     let mut rng = scenario.rng(7, arrival.user);
//!     let mut run = UserRun::new(&scenario, arrival.flow, arrival.user, &mut rng);
//!     // … when `arrival.at` has come, and then whenever something happened:
//!     match run.next(Instant::now(), &mut rng) {
//!         UserAction::Connect(connect) => { /* dial; then run.connected(now) or run.closed(now, &ending) */ }
//!         UserAction::Send(message) => { /* write it, then ask again */ }
//!         UserAction::Think(until) | UserAction::Expect(until) => { /* ask again at `until`, or after run.received(now, &message) */ }
//!         UserAction::Waiting => { /* ask again after run.connected() or run.closed() */ }
//!         UserAction::Log(line) => { /* print it, ask again */ }
//!         UserAction::Close(code, reason) => { /* send a Close frame; then run.closed(now, &ending) */ }
//!         UserAction::Done => { /* the connection is closed; the user leaves */ }
//!         UserAction::Failed(failure) => { /* count it by failure.kind and failure.line; drop the connection */ }
//!     }
//! }
//! # Ok(()) }
//! ```

mod arrivals;
mod artillery;
mod builder;
mod check;
mod ensure;
mod error;
mod files;
mod load;
mod model;
mod native;
mod path;
mod pattern;
mod payload;
mod program;
mod template;
mod user;
mod variables;
mod yaml;

pub use arrivals::{Arrival, Arrivals};
pub use error::{Notice, ScenarioError};
pub use files::{FileError, Files, NoFiles};
pub use load::{load, parse};
pub use model::{
    ArrivalPattern, ArrivalPhase, Condition, ConnectionOptions, Dialect, Flow, Inputs, Scenario, Spacing,
    Targets,
};
pub use user::{ConnectRequest, Reply, UserAction, UserFailure, UserFailureKind, UserRun};
