//! A reverse proxy that adds resumable sessions to any WebSocket backend.
//!
//! The module `accept` takes a connection through its handshake and finds its [`config::Route`]. One of two tasks then
//! owns the connection: a session (`undrop-server`) if the client supports the session protocol, otherwise a `relay`.
//! The gateway connects to the backend before it responds to the client, so the client receives the status, the
//! subprotocol and the refusals of the backend.

mod accept;
mod backend;
pub mod config;
mod embedded;
mod process;
mod relay;
mod serve;

pub use config::{Config, ConfigError};
pub use serve::{Drained, Gateway, StartError};
