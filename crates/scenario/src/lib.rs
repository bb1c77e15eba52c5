//! Load scenarios: the behaviour of virtual users and their arrivals. This crate uses no sockets, no clock and no random source.
//!
//! ```text
//!   file ──▶ load() ──▶ Scenario ─┬─ arrivals(seed)   the start and the flow of each user
//!            (three dialects,     ├─ ensure           conditions on the result
//!             notices)            └─ UserRun::new(…)      the state machine of one user
//! ```
//!
//! A [`Scenario`] is read from one of three dialects: the native format, the Artillery format as its `ws` engine reads it, and the
//! `send`/`expect` form that many guides show. Nothing is ignored silently: a correction or a difference is a [`Notice`], and an
//! unsupported feature is a [`ScenarioError`], both with file and line.
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
//!     // … when `arrival.at` has come, and then whenever an event occurs:
//!     match run.next(Instant::now(), &mut rng) {
//!         UserAction::Connect(connect) => { /* open it; then run.connected(now) or run.closed(now, &ending) */ }
//!         UserAction::Send(message) => { /* send it, then call `next` again */ }
//!         UserAction::Think(until) | UserAction::Expect(until) => { /* call `next` again at `until`, or after run.received(now, &message) */ }
//!         UserAction::Waiting => { /* call `next` again after run.connected() or run.closed() */ }
//!         UserAction::Log(line) => { /* print it, then call `next` again */ }
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
mod keys;
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
