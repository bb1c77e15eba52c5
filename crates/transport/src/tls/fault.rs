//! The conversion of errors of rustls.

use rustls::{AlertDescription, CertificateError};
use undrop_frame::TlsFault;

/// Converts an error of rustls. `name`: the requested name.
pub(crate) fn tls_fault(error: &rustls::Error, name: &str) -> TlsFault {
    use rustls::Error;
    match error {
        Error::InvalidCertificate(error) => certificate_fault(error, name),
        Error::AlertReceived(AlertDescription::CertificateRequired) => TlsFault::ClientCertificateRequired,
        Error::AlertReceived(alert) => {
            let code = || format!("alert {}", u8::from(*alert));
            TlsFault::Alert(alert.as_str().map_or_else(code, str::to_owned))
        }
        Error::InvalidMessage(_) => TlsFault::NotTls,
        other => TlsFault::Protocol(other.to_string()),
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

/// Returns `example.org` for `DnsName("example.org")`.
fn dns_name(shown: &str) -> String {
    let inner = shown.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    inner.unwrap_or(shown).to_owned()
}
