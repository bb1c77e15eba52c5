//! What goes wrong in TLS, sorted so that the text alone says what to fix.

use std::io;
use std::path::PathBuf;

use rustls::{AlertDescription, CertificateError};
use undrop_frame::{Ending, LocalFault, TlsFault};

use crate::ending_of;

/// Why there is no TLS connection, or no TLS configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The handshake failed because of the peer or its certificate.
    #[error(transparent)]
    Fault(#[from] TlsFault),
    /// The peer closed the connection during the handshake.
    #[error("the connection ended during the handshake")]
    Closed,
    /// The handshake was not done in time.
    #[error("the handshake did not end in time")]
    Timeout,
    /// The host cannot be a server name.
    #[error("`{0}` is not a host name or address")]
    BadName(String),
    /// A certificate or key could not be read or used.
    #[error("{path}: {what}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Certificates could not be used, or no root certificates were found on this machine.
    #[error("{0}")]
    Configuration(String),
    /// The socket failed.
    #[error(transparent)]
    Io(io::Error),
}

impl TlsError {
    /// Trying again later cannot help: the certificate or the configuration has to change.
    pub fn is_permanent(&self) -> bool {
        !matches!(self, TlsError::Closed | TlsError::Timeout | TlsError::Io(_))
    }

    /// Sorts what the handshake returned. `name`: the name that was asked for.
    pub(super) fn from_handshake(error: io::Error, name: &str) -> TlsError {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => TlsError::from_rustls(error, name),
            None if error.kind() == io::ErrorKind::UnexpectedEof => TlsError::Closed,
            None => TlsError::Io(error),
        }
    }

    /// Returns the failure in the shared vocabulary of endings.
    pub fn ending(&self) -> Ending {
        match self {
            TlsError::Fault(fault) => fault.clone().into(),
            TlsError::Closed => Ending::Fin,
            TlsError::Timeout => Ending::BlackHole,
            TlsError::Io(error) => ending_of(error),
            TlsError::BadName(_) | TlsError::File { .. } | TlsError::Configuration(_) => {
                LocalFault::Configuration(format!("TLS: {self}")).into()
            }
        }
    }

    pub(crate) fn from_rustls(error: &rustls::Error, name: &str) -> TlsError {
        use rustls::Error;
        TlsError::Fault(match error {
            Error::InvalidCertificate(error) => certificate_fault(error, name),
            Error::AlertReceived(AlertDescription::CertificateRequired) => {
                TlsFault::ClientCertificateRequired
            }
            Error::AlertReceived(alert) => TlsFault::Alert(
                alert.as_str().map_or_else(|| format!("alert {}", u8::from(*alert)), str::to_owned),
            ),
            Error::InvalidMessage(_) => TlsFault::NotTls,
            other => TlsFault::Protocol(other.to_string()),
        })
    }
}

fn certificate_fault(error: &CertificateError, name: &str) -> TlsFault {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
        CertificateError::NotValidForName => {
            TlsFault::WrongName { expected: name.to_owned(), presented: Vec::new() }
        }
        CertificateError::NotValidForNameContext { presented, .. } => TlsFault::WrongName {
            expected: name.to_owned(),
            presented: presented.iter().map(|name| dns_name(name)).collect(),
        },
        CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
        CertificateError::Revoked => TlsFault::Revoked,
        CertificateError::BadSignature => TlsFault::Certificate(
            "its signature is not by the trusted issuer of that name (was the CA made anew?)".to_owned(),
        ),
        other => TlsFault::Certificate(other.to_string()),
    }
}

/// `DnsName("example.org")` as `example.org`.
fn dns_name(shown: &str) -> String {
    let inner = shown.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    inner.unwrap_or(shown).to_owned()
}
