//! Why there is no connection.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use undrop_frame::{Ending, LocalFault, ProxyFault};

use crate::tls::TlsError;
use crate::{ConnectStage, ProxyError, UrlError, ending_of};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The URL does not say where to connect.
    #[error("the URL is not usable: {0}")]
    Url(#[from] UrlError),
    /// The name could not be looked up.
    #[error("looking up {host}: {error}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        error: io::Error,
    },
    /// The name has no address of a usable family.
    #[error("{0} has no usable address")]
    NoAddress(String),
    /// Every address failed, in this order.
    #[error("{}", tried(.0))]
    Connect(Vec<(SocketAddr, io::Error)>),
    /// A socket option could not be set.
    #[error("setting up the socket: {0}")]
    Socket(#[source] io::Error),
    /// A phase took too long.
    #[error("no answer in time ({0})")]
    Timeout(DialPhase),
    /// The forward proxy did not let us through.
    #[error("proxy: {0}")]
    Proxy(#[from] ProxyError),
    /// TLS failed.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
}

/// What was going on when time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DialPhase {
    /// Looking up the name.
    Resolve,
    /// Opening the TCP connection.
    Connect,
    /// Talking to the forward proxy.
    Proxy,
}

impl fmt::Display for DialPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DialPhase::Resolve => "name look-up",
            DialPhase::Connect => "TCP connect",
            DialPhase::Proxy => "proxy handshake",
        })
    }
}

fn tried(failures: &[(SocketAddr, io::Error)]) -> String {
    let mut text = String::from("cannot connect to ");
    for (i, (address, error)) in failures.iter().enumerate() {
        let separator = if i == 0 { "" } else { "; " };
        text.push_str(&format!("{separator}{address}: {}", ending_of(error)));
    }
    text
}

impl DialError {
    /// The failure in the shared vocabulary of endings.
    pub fn ending(&self) -> Ending {
        match self {
            // A refusal proves that the host is there, which says more than the silence of its other addresses.
            DialError::Connect(failures) => failures
                .iter()
                .map(|(_, error)| ending_of(error))
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
            DialError::Socket(error) => ending_of(error),
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

    /// Trying again later cannot help: URL, certificate or proxy password have to change first.
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
