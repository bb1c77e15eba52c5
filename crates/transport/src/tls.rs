//! TLS by rustls. The only module that names its types; they stay behind the wrappers here.

mod client;
mod error;
mod inspect;
mod server;
mod stream;

pub use client::{ClientTls, Trust, connect};
pub use error::TlsError;
pub use inspect::{Inspect, Inspection, Versions, inspect};
pub use server::{ServerTls, accept, server_config};
pub use stream::TlsStream;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The one provider of cryptography, named rather than looked up, so that no other crate's choice matters.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
