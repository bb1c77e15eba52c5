//! What goes wrong in TLS, sorted so that the text alone says what to fix.

use std::io;
use std::path::PathBuf;

use rustls::CertificateError;

/// Why there is no TLS connection, or no TLS configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The server's certificate has expired.
    #[error("the certificate has expired")]
    Expired,
    /// The server's certificate is not valid yet; often a wrong clock.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// The certificate belongs to other names.
    #[error("the certificate is not for {expected}{}", names(presented))]
    WrongName {
        /// The name that was asked for.
        expected: String,
        /// The names the certificate is for, where known.
        presented: Vec<String>,
    },
    /// Nobody we trust has signed the certificate: a private CA, a self-signed certificate, a missing intermediate.
    #[error("the certificate's issuer is not trusted")]
    UnknownIssuer,
    /// The certificate was revoked.
    #[error("the certificate was revoked")]
    Revoked,
    /// The certificate is unusable for another reason.
    #[error("the certificate is not acceptable: {0}")]
    Certificate(String),
    /// The peer ended the handshake with an alert.
    #[error("the peer refused the handshake: {0}")]
    Alert(String),
    /// The peer does not speak TLS.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// No common version or cipher suite, or another breach of the protocol.
    #[error("handshake failed: {0}")]
    Protocol(String),
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

fn names(presented: &[String]) -> String {
    if presented.is_empty() { String::new() } else { format!(", but for {}", presented.join(", ")) }
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

    pub(super) fn from_rustls(error: &rustls::Error, name: &str) -> TlsError {
        use rustls::Error;
        match error {
            Error::InvalidCertificate(error) => match error {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsError::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    TlsError::NotYetValid
                }
                CertificateError::NotValidForName => {
                    TlsError::WrongName { expected: name.to_owned(), presented: Vec::new() }
                }
                CertificateError::NotValidForNameContext { presented, .. } => {
                    let plain = |name: &String| dns_name(name);
                    TlsError::WrongName {
                        expected: name.to_owned(),
                        presented: presented.iter().map(plain).collect(),
                    }
                }
                CertificateError::UnknownIssuer => TlsError::UnknownIssuer,
                CertificateError::Revoked => TlsError::Revoked,
                CertificateError::BadSignature => TlsError::Certificate(
                    "its signature is not by the trusted issuer of that name (was the CA made anew?)"
                        .to_owned(),
                ),
                other => TlsError::Certificate(other.to_string()),
            },
            Error::AlertReceived(alert) => TlsError::Alert(
                alert.as_str().map_or_else(|| format!("alert {}", u8::from(*alert)), str::to_owned),
            ),
            Error::InvalidMessage(_) => TlsError::NotTls,
            other => TlsError::Protocol(other.to_string()),
        }
    }
}

/// `DnsName("example.org")` as `example.org`.
fn dns_name(shown: &str) -> String {
    let inner = shown.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    inner.unwrap_or(shown).to_owned()
}
