//! The forward proxies of a client: selection and handshake.

mod choice;
mod connect;
mod socks;

use std::fmt;
use std::io;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

pub use choice::{Proxies, ProxyChoice};
pub(crate) use connect::http_connect;
pub(crate) use socks::socks5;
use undrop_frame::{Ending, LocalFault, ProxyFault, SocksReply};

use crate::io_ending::io_ending;

/// A forward proxy. `Display` and `Debug` never show the credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(crate) scheme: Scheme,
    /// The name or address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) credentials: Option<Credentials>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// HTTP CONNECT over plain TCP.
    Http,
    /// HTTP CONNECT over TLS.
    Https,
    /// SOCKS5; the client looks up the name.
    Socks5,
    /// SOCKS5; the proxy looks up the name.
    Socks5h,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Socks5 => "socks5",
            Scheme::Socks5h => "socks5h",
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

impl FromStr for Proxy {
    type Err = ProxyError;

    /// Parses `[SCHEME://][USER:PASSWORD@]HOST[:PORT]` with the schemes `http` (the default), `https`, `socks5`, `socks5h`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The text may contain a password, so errors do not show it.
        let bad = |what: &'static str| ProxyError::Url(what);
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&with_scheme).map_err(|_| bad("not a URL"))?;
        let (scheme, default_port) = match url.scheme() {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            "socks5" => (Scheme::Socks5, 1080),
            "socks5h" => (Scheme::Socks5h, 1080),
            _ => return Err(bad("the scheme is not http, https, socks5 or socks5h")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("no host"))?;
        let credentials = (!url.username().is_empty() || url.password().is_some()).then(|| Credentials {
            user: percent_decode_str(url.username()).collect(),
            password: percent_decode_str(url.password().unwrap_or_default()).collect(),
        });
        if credentials.as_ref().is_some_and(|known| known.user.len() > 255 || known.password.len() > 255) {
            return Err(bad("user or password over 255 bytes"));
        }
        Ok(Proxy {
            scheme,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(default_port),
            credentials,
        })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), Authority(&self.host, self.port))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self}{})", if self.credentials.is_some() { ", with credentials" } else { "" })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

/// Returns `host:port`, with an IPv6 address in brackets.
struct Authority<'a>(&'a str, u16);

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Authority(host, port) = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// The reason why there is no connection through a forward proxy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The URL of the proxy is invalid. The URL is not shown, because it may contain a password.
    #[error("the URL of the proxy is invalid: {0}")]
    Url(&'static str),
    /// The proxy refused the connection or violated its protocol.
    #[error(transparent)]
    Fault(#[from] ProxyFault),
    /// The proxy closed the connection.
    #[error("it closed the connection")]
    Closed,
    /// The socket failed with an I/O error.
    #[error(transparent)]
    Io(io::Error),
}

impl ProxyError {
    /// Returns the failure as an [`Ending`].
    pub fn ending(&self) -> Ending {
        match self {
            ProxyError::Fault(ProxyFault::Socks(SocksReply(5))) => Ending::Refused,
            ProxyError::Fault(ProxyFault::Socks(SocksReply(3 | 4 | 6))) => Ending::BlackHole,
            ProxyError::Fault(fault) => fault.clone().into(),
            ProxyError::Closed => Ending::Fin,
            ProxyError::Io(error) => io_ending(error),
            ProxyError::Url(_) => LocalFault::Url(self.to_string()).into(),
        }
    }
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => ProxyError::Closed,
            _ => ProxyError::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn urls_of_proxies() {
        for (text, shown, credentials) in [
            ("proxy.example:3128", "http://proxy.example:3128", None),
            ("http://proxy.example", "http://proxy.example:80", None),
            ("https://u:p@proxy.example", "https://proxy.example:443", Some(("u", "p"))),
            ("socks5://[::1]", "socks5://[::1]:1080", None),
            ("socks5h://me:s%40cr%3At@10.0.0.1:9", "socks5h://10.0.0.1:9", Some(("me", "s@cr:t"))),
            ("user@proxy.example:1", "http://proxy.example:1", Some(("user", ""))),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!(proxy.to_string(), shown);
            let found = proxy.credentials.as_ref().map(|known| (known.user.clone(), known.password.clone()));
            assert_eq!(found, credentials.map(|(u, p)| (u.as_bytes().to_vec(), p.as_bytes().to_vec())));
        }
        for text in ["", "ftp://x", "http://", "socks4://x:1"] {
            assert!(text.parse::<Proxy>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_password_in_any_output() {
        let proxy: Proxy = "http://anna:hunter2@proxy.example".parse().unwrap();
        let outputs = format!("{proxy} {proxy:?} {:?}", proxy.credentials);
        assert!(!outputs.contains("hunter2") && !outputs.contains("anna"), "{outputs}");
        let error = "ftp://anna:hunter2@x".parse::<Proxy>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
