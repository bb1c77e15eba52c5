//! The address to which connections are forwarded.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

/// The time limit for connecting to the upstream.
const CONNECT: Duration = Duration::from_secs(10);

/// A host and a port: from a [`SocketAddr`], or parsed from `host:port` or a WebSocket URL. The path of the URL is not
/// used, because the request of the client contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    host: String,
    port: u16,
}

/// A text that is not a valid upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid upstream; write an address such as 127.0.0.1:9000 or ws://127.0.0.1:9000")]
pub struct UpstreamError(String);

impl Upstream {
    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        timeout(CONNECT, TcpStream::connect((self.host.as_str(), self.port)))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no response within 10 s"))?
    }
}

impl From<SocketAddr> for Upstream {
    fn from(address: SocketAddr) -> Upstream {
        Upstream { host: address.ip().to_string(), port: address.port() }
    }
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Upstream, UpstreamError> {
        let wrong = || UpstreamError(text.to_owned());
        let (default, authority) = match text.split_once("://") {
            None => (None, text),
            Some(("ws" | "http" | "tcp", rest)) => (Some(80), rest),
            // TLS passes through unread.
            Some(("wss" | "https", rest)) => (Some(443), rest),
            Some(_) => return Err(wrong()),
        };
        let authority = match default {
            Some(_) => authority.split(['/', '?', '#']).next().unwrap_or_default(),
            None => authority,
        };
        let (host, port) = match authority.rsplit_once(':') {
            // A colon inside an IPv6 address without a port.
            Some((host, _)) if host.starts_with('[') && !host.ends_with(']') => (authority, default),
            Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
            None => (authority, default),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.filter(|port| *port != 0).ok_or_else(wrong)?;
        if host.is_empty() || host.contains(['@', ' ', '/']) {
            return Err(wrong());
        }
        Ok(Upstream { host: host.to_owned(), port })
    }
}

/// The types that [`Chaos::start`](crate::Chaos::start) accepts as an upstream.
pub trait ToUpstream {
    /// Returns the upstream.
    ///
    /// # Errors
    /// The text is not a valid upstream.
    fn to_upstream(self) -> Result<Upstream, UpstreamError>;
}

impl ToUpstream for SocketAddr {
    fn to_upstream(self) -> Result<Upstream, UpstreamError> {
        Ok(self.into())
    }
}

impl ToUpstream for Upstream {
    fn to_upstream(self) -> Result<Upstream, UpstreamError> {
        Ok(self)
    }
}

impl ToUpstream for &str {
    fn to_upstream(self) -> Result<Upstream, UpstreamError> {
        self.parse()
    }
}

impl ToUpstream for &String {
    fn to_upstream(self) -> Result<Upstream, UpstreamError> {
        self.parse()
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_urls_are_parsed_and_others_are_rejected() {
        for (text, expected) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("localhost:1", "localhost:1"),
            ("ws://a.example/chat?x=1", "a.example:80"),
            ("wss://a.example", "a.example:443"),
            ("ws://[::1]:8080/", "[::1]:8080"),
            ("ws://[::1]/", "[::1]:80"),
            ("[::1]:7", "[::1]:7"),
        ] {
            assert_eq!(
                text.parse::<Upstream>().map(|upstream| upstream.to_string()),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
        for bad in
            ["", "9000", "a:b", "a:", ":80", "ftp://a", "a:70000", "a:0", "ws://", "ws://u@a/", "a/b:80"]
        {
            assert!(bad.parse::<Upstream>().is_err(), "{bad}");
        }
    }
}
