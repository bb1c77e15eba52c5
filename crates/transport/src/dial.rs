//! From a URL to an open stream: names, addresses, forward proxies, TLS.

mod error;
mod race;
mod resolve;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

pub use error::{DialError, Phase};
pub use resolve::{Resolve, ResolveError, lookup};

use crate::proxy::{ProxyChoice, Scheme, http_connect, socks5};
use crate::tcp::{self, TcpOptions};
use crate::tls::{self, ClientTls};
use crate::{Proxy, Stream};

/// RFC 8305 5: the recommended delay between two connection attempts.
const STAGGER: Duration = Duration::from_millis(250);

/// How to connect.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// For names and TCP together. Default: 10 s.
    pub connect_timeout: Duration,
    /// For the proxy's and the TLS handshake together. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Whom to trust. `None`: the root certificates of this machine.
    pub tls: Option<ClientTls>,
    /// Name for SNI and for checking the certificate, instead of the URL's host.
    pub server_name: Option<String>,
    /// Forward proxy. Default: none.
    pub proxy: ProxyChoice,
    /// Options of the TCP connection.
    pub tcp: TcpOptions,
    /// Local address to connect from. Addresses of the other family are then not tried.
    pub source_addr: Option<IpAddr>,
    /// Names with given addresses, asked before DNS.
    pub resolve: Vec<Resolve>,
}

impl Default for DialOptions {
    fn default() -> Self {
        DialOptions {
            connect_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            tls: None,
            server_name: None,
            proxy: ProxyChoice::Direct,
            tcp: TcpOptions::default(),
            source_addr: None,
            resolve: Vec::new(),
        }
    }
}

/// Connects to the host of a `ws`, `wss`, `http` or `https` URL: proxy and TLS included, HTTP not yet.
///
/// All addresses of a name are tried, both families in turn, each 250 ms after the one before or as soon as that failed
/// (RFC 8305); the first to answer wins.
pub async fn dial(url: &Url, options: &DialOptions) -> Result<Stream, DialError> {
    Box::pin(run(url, options)).await
}

async fn run(url: &Url, options: &DialOptions) -> Result<Stream, DialError> {
    let target = Target::from_url(url)?;
    let connected_by = Instant::now() + options.connect_timeout;
    let stream = match options.proxy.for_target(target.secure, &target.host, target.port) {
        Some(proxy) => through(proxy, &target, connected_by, options).await?,
        None => tcp(&target.host, target.port, connected_by, options).await?.into(),
    };
    if !target.secure {
        return Ok(stream);
    }
    let tls = options.tls.clone().map_or_else(ClientTls::native, Ok)?;
    let name = options.server_name.as_deref().unwrap_or(&target.host);
    Ok(tls::connect(stream, &tls, name, Instant::now() + options.handshake_timeout).await?)
}

/// Host and port of a URL for the Host header; the scheme's own port is left out (RFC 9110 4.2.3).
pub fn host_header(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) secure: bool,
    /// Name or address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    pub(crate) fn from_url(url: &Url) -> Result<Target, DialError> {
        let secure = match url.scheme() {
            "ws" | "http" => false,
            "wss" | "https" => true,
            other => return Err(DialError::Url(format!("scheme `{other}`, where ws or wss is needed"))),
        };
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => return Err(DialError::Url("no host".to_owned())),
        };
        let port = url.port_or_known_default().unwrap_or(if secure { 443 } else { 80 });
        Ok(Target { secure, host, port })
    }
}

async fn through(
    proxy: &Proxy,
    target: &Target,
    connected_by: Instant,
    options: &DialOptions,
) -> Result<Stream, DialError> {
    tracing::debug!(%proxy, host = target.host, port = target.port, "connecting through a proxy");
    let mut stream: Stream = tcp(&proxy.host, proxy.port, connected_by, options).await?.into();
    let deadline = Instant::now() + options.handshake_timeout;
    if proxy.scheme == Scheme::Https {
        let tls = options.tls.clone().map_or_else(ClientTls::native, Ok)?;
        stream = tls::connect(stream, &tls, &proxy.host, deadline).await?;
    }
    // The name goes to the proxy unless we are told to look it up ourselves.
    let host = match proxy.scheme {
        Scheme::Socks5 => {
            let found = resolve::lookup(&target.host, target.port, &options.resolve);
            let found =
                timeout_at(deadline, found).await.map_err(|_| DialError::Timeout(Phase::Resolve))??;
            found.first().map_or_else(|| target.host.clone(), |address| address.ip().to_string())
        }
        _ => target.host.clone(),
    };
    let tunnel = async {
        match proxy.scheme {
            Scheme::Http | Scheme::Https => {
                http_connect(&mut stream, &host, target.port, proxy.credentials.as_ref()).await
            }
            Scheme::Socks5 | Scheme::Socks5h => {
                socks5(&mut stream, &host, target.port, proxy.credentials.as_ref()).await
            }
        }
    };
    timeout_at(deadline, tunnel).await.map_err(|_| DialError::Timeout(Phase::Proxy))??;
    Ok(stream)
}

async fn tcp(
    host: &str,
    port: u16,
    deadline: Instant,
    options: &DialOptions,
) -> Result<TcpStream, DialError> {
    let addresses = timeout_at(deadline, resolve::lookup(host, port, &options.resolve))
        .await
        .map_err(|_| DialError::Timeout(Phase::Resolve))??;
    let fits =
        |address: &SocketAddr| options.source_addr.is_none_or(|ours| ours.is_ipv4() == address.is_ipv4());
    let addresses: Vec<SocketAddr> = addresses.into_iter().filter(fits).collect();
    if addresses.is_empty() {
        return Err(DialError::NoAddress(host.to_owned()));
    }
    let connect = |address: SocketAddr| async move {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(ours) = options.source_addr {
            tcp::bind_late(&socket, ours)?;
        }
        socket.connect(address).await
    };
    let stream = timeout_at(deadline, race::race(addresses, STAGGER, connect))
        .await
        .map_err(|_| DialError::Timeout(Phase::Connect))?
        .map_err(DialError::Connect)?;
    options.tcp.apply(&stream).map_err(DialError::Socket)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn targets_of_urls() {
        for (url, secure, host, port) in [
            ("ws://example.org/chat", false, "example.org", 80),
            ("wss://example.org", true, "example.org", 443),
            ("https://example.org:8443", true, "example.org", 8443),
            ("ws://[::1]:9000/", false, "::1", 9000),
            ("http://127.0.0.1/", false, "127.0.0.1", 80),
        ] {
            let target = Target::from_url(&Url::parse(url).unwrap()).unwrap();
            assert_eq!(target, Target { secure, host: host.to_owned(), port }, "{url}");
        }
        assert!(Target::from_url(&Url::parse("ftp://example.org").unwrap()).is_err());
    }
}
