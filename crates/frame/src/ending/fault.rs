//! The typed reasons of an [`Ending`](super::Ending).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::FrameError;
use crate::handshake::HandshakeError;

/// A violation of a protocol by the peer or by an intermediary.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProtocolFault {
    /// The peer violated the frame format (RFC 6455 §5, RFC 7692).
    #[error("{0}")]
    Frame(FrameError),
    /// The peer violated the session protocol; the text describes the violation.
    #[error("{0}")]
    Session(String),
    /// The peer is reachable, but did not reply to a Close frame in time (RFC 6455 §7.1.2).
    #[error("Close was not answered")]
    CloseUnanswered,
    /// The response to the opening handshake refuses the upgrade or breaks its rules (RFC 6455 §4).
    #[error("{0}")]
    Handshake(HandshakeError),
    /// The response to the opening handshake cannot be read as an HTTP head.
    #[error("{fault}")]
    Head {
        /// The reason why it cannot be read.
        fault: HeadFault,
        /// The first bytes of the response.
        start: Vec<u8>,
    },
    /// The TLS connection failed.
    #[error("TLS: {0}")]
    Tls(TlsFault),
    /// The forward proxy refused the connection or violated its protocol.
    #[error("proxy: {0}")]
    Proxy(ProxyFault),
    /// The peer violated HTTP/2; the text describes the violation.
    #[error("HTTP/2: {0}")]
    Http2(String),
    /// The peer sent data that a lower layer cannot read; the text is that layer's message.
    #[error("{0}")]
    InvalidData(String),
}

/// The reason why a response cannot be read as an HTTP head.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HeadFault {
    /// The bytes are not HTTP/1.1, or the head exceeds a limit.
    #[error("{0}")]
    NotHttp(HandshakeError),
    /// The head started to arrive and was not complete in time.
    #[error("timed out before the response head was complete")]
    Incomplete,
    /// The connection ended in the middle of the head.
    #[error("the connection ended within the head of the response")]
    Truncated,
}

/// The reason why a TLS connection failed through the peer's doing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TlsFault {
    /// The certificate of the server has expired.
    #[error("the certificate has expired")]
    Expired,
    /// The certificate of the server is not valid yet; a wrong clock is the usual cause.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// The certificate of the server is for other names.
    #[error("the certificate is not for {expected}{}", names(presented))]
    WrongName {
        /// The name that was requested.
        expected: String,
        /// The names in the certificate, if known.
        presented: Vec<String>,
    },
    /// The certificate is not signed by a trusted authority: the authority is private, the certificate is self-signed, or
    /// an intermediate certificate is missing.
    #[error("the certificate's issuer is not trusted")]
    UnknownIssuer,
    /// The certificate of the server was revoked.
    #[error("the certificate was revoked")]
    Revoked,
    /// The certificate is unusable for another reason, which the text describes.
    #[error("the certificate is invalid: {0}")]
    Certificate(String),
    /// The server requires a client certificate and received none. With TLS 1.3 this alert arrives after the handshake.
    #[error("the peer requires a client certificate (alert CertificateRequired)")]
    ClientCertificateRequired,
    /// The peer ended the connection with another alert, which the text names.
    #[error("the peer refused the handshake: {0}")]
    Alert(String),
    /// The peer does not speak TLS.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// The two ends have no TLS version or cipher suite in common, or the peer violated the protocol otherwise.
    #[error("handshake failed: {0}")]
    Protocol(String),
}

fn names(presented: &[String]) -> String {
    if presented.is_empty() { String::new() } else { format!(", but for {}", presented.join(", ")) }
}

/// The reason why a forward proxy did not open a tunnel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProxyFault {
    /// The proxy requires credentials, or did not accept the given ones.
    #[error("authentication is required, or the credentials were rejected; check the user name and password")]
    Authentication,
    /// The proxy answered CONNECT with this status.
    #[error("CONNECT failed with status {0}")]
    Status(u16),
    /// The SOCKS proxy did not connect, with this reply.
    #[error("{0}")]
    Socks(SocksReply),
    /// The proxy violated its protocol; the text describes the violation.
    #[error("unexpected response: {0}")]
    Protocol(String),
}

/// The reply code of a SOCKS5 proxy that did not connect (RFC 1928 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SocksReply(pub u8);

impl fmt::Display for SocksReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            2 => "its rules do not allow the connection",
            3 => "it cannot reach the target's network",
            4 => "it cannot reach the target",
            5 => "the target refused the connection",
            6 => "the target did not answer (TTL expired)",
            7 => "it does not know CONNECT",
            8 => "it does not know the kind of address",
            _ => return write!(f, "it failed (reply {})", self.0),
        })
    }
}

/// A reason on this machine why a connection failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LocalFault {
    /// The process or the system has no file descriptor left (`ulimit -n`).
    #[error("too many open files")]
    TooManyOpenFiles,
    /// The system has no memory left for sockets.
    #[error("out of memory")]
    NoMemory,
    /// The operating system denied the operation.
    #[error("permission denied")]
    NoPermission,
    /// A limit that the user set for the number of connections was reached.
    #[error("too few connections allowed")]
    ConnectionLimit,
    /// The URL cannot be used; the text describes why.
    #[error("{0}")]
    Url(String),
    /// The host name could not be resolved; the text names host and error.
    #[error("{0}")]
    NameLookup(String),
    /// The name look-up was not complete in time.
    #[error("no answer in time (name look-up)")]
    NameLookupTimeout,
    /// The handshake with the forward proxy was not complete in time.
    #[error("no answer in time (proxy handshake)")]
    ProxyTimeout,
    /// A certificate, key or another setting cannot be used; the text describes why.
    #[error("{0}")]
    Configuration(String),
    /// The run was stopped before the connection could end by itself.
    #[error("the run was stopped")]
    Stopped,
    /// A worker process ended early; the text names it.
    #[error("{0}")]
    Worker(String),
    /// The operating system reported another error.
    #[error("{message}")]
    Io {
        /// The error number (`errno`), if the error came from the operating system.
        code: Option<i32>,
        /// The message of the error.
        message: String,
    },
}
