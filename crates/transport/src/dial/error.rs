//! The errors of dialling.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use undrop_frame::{Ending, LocalFault, ProxyFault};

use crate::io_ending::io_ending;
use crate::proxy::ProxyError;
use crate::stage::ConnectStage;
use crate::tls::TlsError;
use crate::url::UrlError;

/// The reason why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The URL has no usable destination.
    #[error("the URL cannot be used: {0}")]
    Url(#[from] UrlError),
    /// The name could not be looked up.
    #[error("cannot resolve {host}: {error}")]
    Resolve {
        /// The name that was looked up.
        host: String,
        /// The error of the resolver.
        error: io::Error,
    },
    /// The name has no address of a usable family.
    #[error("{0} has no usable address")]
    NoAddress(String),
    /// The attempt failed for every address, in this order.
    #[error("{}", tried(.0))]
    Connect(Vec<(SocketAddr, io::Error)>),
    /// A socket option could not be set.
    #[error("setting up the socket: {0}")]
    Socket(#[source] io::Error),
    /// A phase took too long.
    #[error("timed out during the {0}")]
    Timeout(DialPhase),
    /// The connection through the forward proxy failed.
    #[error("proxy: {0}")]
    Proxy(#[from] ProxyError),
    /// The TLS handshake failed, or TLS cannot be configured.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
}

/// The phase in which a time limit was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DialPhase {
    /// The lookup of the name.
    Resolve,
    /// The TCP connect to the server or the proxy.
    Connect,
    /// The handshake with the forward proxy.
    Proxy,
}

impl fmt::Display for DialPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DialPhase::Resolve => "name lookup",
            DialPhase::Connect => "TCP connect",
            DialPhase::Proxy => "proxy handshake",
        })
    }
}

fn tried(failures: &[(SocketAddr, io::Error)]) -> String {
    let mut text = String::from("cannot connect to ");
    for (i, (address, error)) in failures.iter().enumerate() {
        let separator = if i == 0 { "" } else { "; " };
        text.push_str(&format!("{separator}{address}: {}", io_ending(error)));
    }
    text
}

impl DialError {
    /// Returns the failure as an [`Ending`].
    pub fn ending(&self) -> Ending {
        match self {
            // A refusal proves that the host exists, which is more informative than the silence of other addresses.
            DialError::Connect(failures) => failures
                .iter()
                .map(|(_, error)| io_ending(error))
                .min_by_key(|ending| match ending {
                    Ending::Refused => 0,
                    Ending::Reset => 1,
                    Ending::BlackHole => 2,
                    _ => 3,
                })
                .unwrap_or(Ending::BlackHole),
            DialError::Timeout(DialPhase::Connect) => Ending::BlackHole,
            DialError::Timeout(DialPhase::Resolve) => LocalFault::NameLookupTimeout.into(),
            DialError::Timeout(DialPhase::Proxy) => LocalFault::ProxyTimeout.into(),
            DialError::Socket(error) => io_ending(error),
            DialError::Proxy(error) => error.ending(),
            DialError::Tls(error) => error.ending(),
            DialError::Url(_) => LocalFault::Url(self.to_string()).into(),
            DialError::Resolve { .. } | DialError::NoAddress(_) => {
                LocalFault::NameLookup(self.to_string()).into()
            }
        }
    }

    /// Returns the phase that failed.
    pub fn stage(&self) -> ConnectStage {
        match self {
            DialError::Tls(_) => ConnectStage::Tls,
            _ => ConnectStage::Connect,
        }
    }

    /// Returns `true` if another attempt cannot succeed before the URL, the certificate or the password of the proxy changes.
    pub fn is_permanent(&self) -> bool {
        match self {
            DialError::Url(_) => true,
            DialError::Tls(error) => error.is_permanent(),
            DialError::Proxy(error) => {
                matches!(error, ProxyError::Fault(ProxyFault::Authentication) | ProxyError::Url(_))
            }
            _ => false,
        }
    }
}
