//! The errors of TLS.

use std::io;
use std::path::PathBuf;

use undrop_frame::{Ending, LocalFault, TlsFault};

use super::fault::tls_fault;
use crate::io_ending::io_ending;

/// The reason why there is no TLS connection or no TLS configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The handshake failed because of the peer or its certificate.
    #[error(transparent)]
    Fault(#[from] TlsFault),
    /// The peer closed the connection during the handshake.
    #[error("the connection ended during the handshake")]
    Closed,
    /// The handshake was not complete within the time limit.
    #[error("the handshake did not complete in time")]
    Timeout,
    /// The host is not a valid server name.
    #[error("`{0}` is not a host name or address")]
    BadName(String),
    /// A certificate or key could not be read or used.
    #[error("{path}: {what}")]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The problem with the file.
        what: String,
    },
    /// Certificates could not be used, or this machine has no root certificates.
    #[error("{0}")]
    Configuration(String),
    /// The socket failed with an I/O error.
    #[error(transparent)]
    Io(io::Error),
}

impl TlsError {
    /// Returns `true` if another attempt cannot succeed before the certificate or the configuration changes.
    pub fn is_permanent(&self) -> bool {
        !matches!(self, TlsError::Closed | TlsError::Timeout | TlsError::Io(_))
    }

    /// Converts an error of the handshake. `name`: the requested name.
    pub(super) fn from_handshake(error: io::Error, name: &str) -> TlsError {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => TlsError::Fault(tls_fault(error, name)),
            None if error.kind() == io::ErrorKind::UnexpectedEof => TlsError::Closed,
            None => TlsError::Io(error),
        }
    }

    /// Returns the failure as an [`Ending`].
    pub fn ending(&self) -> Ending {
        match self {
            TlsError::Fault(fault) => fault.clone().into(),
            TlsError::Closed => Ending::Fin,
            TlsError::Timeout => Ending::BlackHole,
            TlsError::Io(error) => io_ending(error),
            TlsError::BadName(_) | TlsError::File { .. } | TlsError::Configuration(_) => {
                LocalFault::Configuration(format!("TLS: {self}")).into()
            }
        }
    }
}
