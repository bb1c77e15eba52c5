//! Probes: each tests one aspect of an endpoint and returns observations without conclusions.

mod close;
mod compression;
mod connect;
mod conversation;
mod dns;
mod extended_connect;
mod handshake;
mod local;
mod message;
mod size;
mod tls;

pub(crate) use close::close;
pub(crate) use compression::compression;
pub(crate) use connect::connect;
pub(crate) use conversation::conversation;
pub(crate) use dns::dns;
pub(crate) use handshake::{handshake, variants};
pub(crate) use local::local;
pub(crate) use size::size;
pub(crate) use tls::tls;
