//! What a TLS handshake showed.

use serde::{Deserialize, Serialize};

/// TLS: what is spoken, and with which certificate.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsResult {
    /// One handshake for each offer.
    pub trials: Vec<TlsAttempt>,
    /// The certificates as sent, the server's own first.
    pub chain: Vec<Certificate>,
    /// Why the chain would not be accepted; `None`: it would.
    pub distrust: Option<TlsFailure>,
}

/// A handshake with one offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TlsAttempt {
    /// The only version that was offered; `None`: all that are known here (1.2 and 1.3).
    pub only: Option<String>,
    /// The protocols that were offered by ALPN.
    pub offered: Vec<String>,
    /// The version that was settled.
    pub version: Option<String>,
    /// The cipher suite that was settled.
    pub cipher: Option<String>,
    /// The protocol that was settled by ALPN.
    pub alpn: Option<String>,
    /// Why there was no handshake.
    pub failed: Option<TlsFailure>,
    /// How long it took.
    pub took_s: f64,
}

/// Something wrong with TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFailure {
    /// What sort.
    pub kind: TlsFailureKind,
    /// In words.
    pub text: String,
}

/// What sort of thing is wrong with TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFailureKind {
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is for other names.
    WrongName,
    /// Nobody trusted has signed the certificate.
    UnknownIssuer,
    /// The certificate is unusable for another reason.
    Certificate,
    /// The peer refused by an alert.
    Alert,
    /// The peer does not speak TLS.
    NotTls,
    /// No common ground.
    Protocol,
    /// The connection ended.
    Ended,
    /// No answer in time.
    Timeout,
    /// This machine is at fault.
    Local,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Whom it is for.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The names and addresses it is for.
    pub names: Vec<String>,
    /// Not valid before, seconds since 1970.
    pub not_before_unix_s: i64,
    /// Not valid after, seconds since 1970.
    pub not_after_unix_s: i64,
    /// It is marked as a certificate authority.
    pub authority: bool,
}

impl TlsResult {
    /// A handshake worked with some offer.
    pub fn speaks(&self) -> bool {
        self.trials.iter().any(|trial| trial.failed.is_none())
    }

    /// The handshake with exactly this version offered.
    pub fn only(&self, version: &str) -> Option<&TlsAttempt> {
        self.trials.iter().find(|trial| trial.only.as_deref() == Some(version))
    }
}
