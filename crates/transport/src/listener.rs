//! The accept side of TCP.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::net::Net;
use crate::proxy_protocol::{ProxyHeaderError, read_proxy_header};
use crate::tcp::TcpOptions;

/// How to listen.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// Several sockets, one per runtime, share the port and the kernel spreads connections (`SO_REUSEPORT`).
    pub reuse_port: bool,
    /// Connections the kernel holds until they are accepted. Default: 1024.
    pub backlog: i32,
    /// Peers that must send a PROXY protocol header and are believed. Default: none; then no header is interpreted.
    pub proxy_protocol: Vec<Net>,
    /// Time for the PROXY header. Default: 5 s.
    pub proxy_timeout: Duration,
    /// Options of accepted connections.
    pub tcp: TcpOptions,
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions {
            reuse_port: false,
            backlog: 1024,
            proxy_protocol: Vec::new(),
            proxy_timeout: Duration::from_secs(5),
            tcp: TcpOptions::default(),
        }
    }
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The socket's peer.
    pub addr: SocketAddr,
    /// The client that a trusted balancer named in its PROXY header.
    pub proxied_addr: Option<SocketAddr>,
}

impl Peer {
    /// The client's address: the named one, else the socket's. IPv4 in IPv6 form is given as IPv4.
    pub fn client(&self) -> IpAddr {
        self.proxied_addr.unwrap_or(self.addr).ip().to_canonical()
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    options: ListenOptions,
}

impl Listener {
    /// Listens on an address. Needs a running tokio runtime. Port 0 takes a free one, see [`Listener::local_addr`].
    pub fn bind(addr: SocketAddr, options: ListenOptions) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        if options.reuse_port {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&addr.into())?;
        socket.listen(options.backlog)?;
        let socket = TcpListener::from_std(socket.into())?;
        Ok(Listener { socket, options })
    }

    /// The address with the real port.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection, its options set. Never waits for the peer: call [`Listener::proxy_header`] in the
    /// connection's own task. Failures that concern one connection are passed over, and a shortage of descriptors or
    /// memory is waited out, so an error means that the socket itself is lost. Cancel-safe.
    pub async fn accept(&self) -> io::Result<(TcpStream, Peer)> {
        loop {
            match self.socket.accept().await {
                Ok((stream, addr)) => {
                    // Fails only for a connection that is already gone.
                    if let Err(error) = self.options.tcp.apply(&stream) {
                        tracing::debug!(%addr, %error, "accepted connection is gone");
                        continue;
                    }
                    return Ok((stream, Peer { addr, proxied_addr: None }));
                }
                Err(error) if concerns_one_connection(&error) => {
                    tracing::debug!(%error, "a connection failed before it was accepted");
                }
                Err(error) if is_shortage(&error) => {
                    tracing::warn!(%error, "cannot accept connections for now");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the PROXY header where this peer has to send one, and notes the client's address in `peer`. At once done
    /// for anybody else, whose bytes are not looked at.
    pub async fn proxy_header(
        &self,
        stream: &mut TcpStream,
        peer: &mut Peer,
    ) -> Result<(), ProxyHeaderError> {
        let addr = peer.addr.ip();
        if self.options.proxy_protocol.iter().any(|net| net.contains(addr)) {
            let deadline = Instant::now() + self.options.proxy_timeout;
            peer.proxied_addr = Box::pin(read_proxy_header(stream, deadline)).await?;
        }
        Ok(())
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::Interrupted
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::TimedOut
    )
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
