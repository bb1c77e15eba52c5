//! From a URL to an open stream: names, addresses, forward proxies, TLS.

mod error;
mod race;
mod resolve;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};
use url::Url;

pub use error::{DialError, DialPhase};
pub use resolve::{Resolve, ResolveError, lookup};

use crate::connect::ConnectTimings;
use crate::proxy::{ProxyChoice, Scheme, http_connect, socks5};
use crate::tcp::{self, TcpOptions};
use crate::tls::{self, ClientTls};
use crate::url::Destination;
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
    let destination = Destination::of(url)?;
    dial_to(&destination, options, &mut ConnectTimings::default()).await
}

/// Like [`dial`], and notes the time that each phase took.
pub(crate) async fn dial_to(
    destination: &Destination,
    options: &DialOptions,
    timings: &mut ConnectTimings,
) -> Result<Stream, DialError> {
    Box::pin(run(destination, options, timings)).await
}

async fn run(
    target: &Destination,
    options: &DialOptions,
    timings: &mut ConnectTimings,
) -> Result<Stream, DialError> {
    let start = Instant::now();
    let connected_by = start + options.connect_timeout;
    let stream = match options.proxy.for_target(target.secure, &target.host, target.port) {
        Some(proxy) => through(proxy, target, connected_by, options).await?,
        None => tcp(&target.host, target.port, connected_by, options).await?.into(),
    };
    timings.connect = start.elapsed();
    if !target.secure {
        return Ok(stream);
    }
    let start = Instant::now();
    let tls = options.tls.clone().map_or_else(ClientTls::native, Ok)?;
    let name = options.server_name.as_deref().unwrap_or(&target.host);
    let stream = tls::connect(stream, &tls, name, start + options.handshake_timeout).await?;
    timings.tls = Some(start.elapsed());
    Ok(stream)
}

async fn through(
    proxy: &Proxy,
    target: &Destination,
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
                timeout_at(deadline, found).await.map_err(|_| DialError::Timeout(DialPhase::Resolve))??;
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
    timeout_at(deadline, tunnel).await.map_err(|_| DialError::Timeout(DialPhase::Proxy))??;
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
        .map_err(|_| DialError::Timeout(DialPhase::Resolve))??;
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
        .map_err(|_| DialError::Timeout(DialPhase::Connect))?
        .map_err(DialError::Connect)?;
    options.tcp.apply(&stream).map_err(DialError::Socket)?;
    Ok(stream)
}
