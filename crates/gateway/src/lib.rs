//! A reverse proxy that gives any WebSocket backend resumable sessions.
//!
//! A connection goes through [`config::Route`] and handshake in `accept`, and ends up in one of two tasks: a session
//! (`undrop-server`) when its client speaks the session protocol, a `relay` when it does not. The backend is dialled
//! before the client is answered, so that status, sub-protocol and refusals are the backend's own.

mod accept;
mod backend;
pub mod config;
mod embedded;
mod process;
mod relay;
mod serve;

pub use config::{Config, ConfigError};
pub use serve::{Drained, Gateway, StartError};
