//! The errors of starting and changing a proxy.

use std::io;
use std::net::SocketAddr;

use crate::spec_error::FaultSpecError;
use crate::upstream::UpstreamError;

/// The reason why a proxy cannot be started or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The proxy cannot listen on the address, for example because it is in use.
    #[error("cannot listen on {address}")]
    Listen {
        /// The listen address of the proxy.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The listen address cannot be resolved.
    #[error("cannot listen on `{address}`")]
    Resolve {
        /// The address as it was given.
        address: String,
        /// The error of the resolver.
        source: io::Error,
    },
    /// The listen address is a name without an address.
    #[error("cannot listen on `{0}`, which resolves to no address")]
    NoAddress(String),
    /// The upstream is not a valid address.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// A fault specification is invalid.
    #[error(transparent)]
    Fault(#[from] FaultSpecError),
    /// No preset has the given name.
    #[error(transparent)]
    UnknownPreset(#[from] undrop_infra::UnknownName),
    /// The speed is not a positive number.
    #[error("the speed must be greater than 0, not {0}")]
    Speed(f64),
    /// The name of a fault or of a proxy is already in use.
    #[error("the name `{0}` is already in use")]
    NameTaken(String),
}
