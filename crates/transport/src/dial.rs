//! Opening a byte stream for a URL: name lookup, TCP, forward proxy and TLS.

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

use crate::proxy::{ProxyChoice, Scheme, http_connect, socks5};
use crate::stage::ConnectTimings;
use crate::tcp::{self, TcpOptions};
use crate::tls::{self, ClientTls};
use crate::url::UrlEndpoint;
use crate::{Proxy, Stream};

/// The delay between two connection attempts that RFC 8305 §5 recommends.
const STAGGER: Duration = Duration::from_millis(250);

/// The options of an outgoing connection.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// The time limit for name lookup and TCP connect together. Default: 10 s.
    pub connect_timeout: Duration,
    /// The time limit for the handshake with a forward proxy, and again for the TLS handshake. Default: 10 s.
    pub handshake_timeout: Duration,
    /// The TLS configuration. `None`: trust the root certificates of this machine.
    pub tls: Option<ClientTls>,
    /// The name for SNI and for checking the certificate. `None`: the host of the URL.
    pub server_name: Option<String>,
    /// The forward proxy. Default: none.
    pub proxy: ProxyChoice,
    /// The options of the TCP connection.
    pub tcp: TcpOptions,
    /// The local address to connect from. Remote addresses of the other family are then not tried.
    pub source_addr: Option<IpAddr>,
    /// Addresses for names, which take precedence over DNS.
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

/// Connects to the host of a `ws`, `wss`, `http` or `https` URL, through a forward proxy and with TLS where required.
///
/// All addresses of a name are tried, alternating between IPv6 and IPv4. An attempt starts 250 ms after the previous one or
/// as soon as that one failed (RFC 8305). The first established connection is used.
///
/// # Errors
/// A phase failed or took too long.
pub async fn dial(url: &Url, options: &DialOptions) -> Result<Stream, DialError> {
    let destination = UrlEndpoint::of(url)?;
    dial_to(&destination, options, &mut ConnectTimings::default()).await
}

/// Like [`dial`], and stores the time that each phase took.
pub(crate) async fn dial_to(
    destination: &UrlEndpoint,
    options: &DialOptions,
    timings: &mut ConnectTimings,
) -> Result<Stream, DialError> {
    Box::pin(run(destination, options, timings)).await
}

async fn run(
    target: &UrlEndpoint,
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
    target: &UrlEndpoint,
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
    // The proxy looks up the name, except for `socks5`.
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
