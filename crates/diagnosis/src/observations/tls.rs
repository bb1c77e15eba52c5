//! Observations of TLS handshakes.

use serde::{Deserialize, Serialize};

/// The supported versions and protocols, and the certificates.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsResult {
    /// One handshake for each offer.
    pub trials: Vec<TlsAttempt>,
    /// The certificates in the order in which they were sent, the server's own first.
    pub chain: Vec<Certificate>,
    /// The reason why the chain is not accepted; `None` if it is.
    pub distrust: Option<TlsFailure>,
}

/// The result of a handshake with one offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TlsAttempt {
    /// The only version that was offered; `None` for 1.2 and 1.3.
    pub only: Option<String>,
    /// The protocols that were offered in ALPN.
    pub offered: Vec<String>,
    /// The version that was negotiated.
    pub version: Option<String>,
    /// The cipher suite that was negotiated.
    pub cipher: Option<String>,
    /// The protocol that ALPN selected.
    pub alpn: Option<String>,
    /// The reason why the handshake failed.
    pub failed: Option<TlsFailure>,
    /// The duration in seconds.
    pub took_s: f64,
}

/// A failure of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFailure {
    /// The kind of failure.
    pub kind: TlsFailureKind,
    /// The message of the error.
    pub text: String,
}

/// The kind of a TLS failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFailureKind {
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is for other names.
    WrongName,
    /// The certificate is not signed by a trusted authority.
    UnknownIssuer,
    /// The certificate is unusable for another reason.
    Certificate,
    /// The peer refused the handshake with an alert.
    Alert,
    /// The peer does not speak TLS.
    NotTls,
    /// There is no common version or cipher suite, or the protocol was violated.
    Protocol,
    /// The connection ended during the handshake.
    Ended,
    /// The handshake did not complete in time.
    Timeout,
    /// The cause is on this machine.
    Local,
}

/// A certificate of the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// The subject of the certificate.
    pub subject: String,
    /// The issuer of the certificate.
    pub issuer: String,
    /// The names and addresses in the certificate.
    pub names: Vec<String>,
    /// The start of the validity, in seconds since 1970.
    pub not_before_unix_s: i64,
    /// The end of the validity, in seconds since 1970.
    pub not_after_unix_s: i64,
    /// Whether it is marked as a certificate authority.
    pub authority: bool,
}

impl TlsResult {
    /// Returns whether any handshake succeeded.
    pub fn speaks(&self) -> bool {
        self.trials.iter().any(|trial| trial.failed.is_none())
    }

    /// Returns the handshake in which only this version was offered.
    pub fn only(&self, version: &str) -> Option<&TlsAttempt> {
        self.trials.iter().find(|trial| trial.only.as_deref() == Some(version))
    }
}
