//! TLS with rustls, whose types do not appear in the API of this crate.

mod client;
mod error;
pub(crate) mod fault;
mod inspect;
mod server;

pub use crate::stream::TlsStream;
pub use client::{ClientTls, Trust, connect};
pub use error::TlsError;
pub use inspect::{Inspect, Inspection, Versions, inspect};
pub use server::{ServerTls, accept, server_config};

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// Returns the crypto provider. It is passed explicitly, so a process-wide default of another crate has no effect.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
