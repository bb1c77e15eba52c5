//! Listening TCP sockets and the PROXY protocol of their peers.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::net::Net;
use crate::proxy_protocol::{ProxyHeaderError, read_proxy_header};
use crate::tcp::TcpOptions;

/// The options of a [`Listener`].
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// Lets several sockets share the port (`SO_REUSEPORT`), for example one per runtime. The kernel distributes the
    /// connections. Default: no.
    pub reuse_port: bool,
    /// The maximum number of connections that the kernel holds until they are accepted. Default: 1024.
    pub backlog: i32,
    /// The networks of the load balancers that must send a PROXY protocol header. Default: none; a header is then not
    /// interpreted.
    pub proxy_protocol: Vec<Net>,
    /// The time limit for the PROXY header. Default: 5 s.
    pub proxy_timeout: Duration,
    /// The TCP options of accepted connections.
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

/// The address of the other end of an accepted connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The peer address of the socket.
    pub addr: SocketAddr,
    /// The address of the client according to the PROXY header of a trusted load balancer.
    pub proxied_addr: Option<SocketAddr>,
}

impl Peer {
    /// Returns the address of the client: that of the PROXY header, otherwise that of the socket. An IPv4-mapped IPv6 address
    /// is returned as IPv4.
    pub fn client(&self) -> IpAddr {
        self.proxied_addr.unwrap_or(self.addr).ip().to_canonical()
    }
}

/// A listening TCP socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    options: ListenOptions,
}

impl Listener {
    /// Listens on an address. Port 0 selects a free port, which [`local_addr`](Self::local_addr) returns.
    ///
    /// # Errors
    /// The address is in use or not available, or a socket option cannot be set.
    ///
    /// # Panics
    /// Panics if it is called outside a tokio runtime.
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

    /// Returns the local address with the actual port.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Returns the next connection, with its TCP options set. Cancel-safe.
    ///
    /// It never waits for the peer, so call [`proxy_header`](Self::proxy_header) in the task of the connection. A failure of
    /// a single connection is skipped, and when file descriptors or memory are short, it tries again every 100 ms.
    ///
    /// # Errors
    /// The listening socket failed. Further calls fail as well.
    pub async fn accept(&self) -> io::Result<(TcpStream, Peer)> {
        loop {
            match self.socket.accept().await {
                Ok((stream, addr)) => {
                    // Fails only for a connection that has already ended.
                    if let Err(error) = self.options.tcp.apply(&stream) {
                        tracing::debug!(%addr, %error, "an accepted connection has already ended");
                        continue;
                    }
                    return Ok((stream, Peer { addr, proxied_addr: None }));
                }
                Err(error) if concerns_one_connection(&error) => {
                    tracing::debug!(%error, "a connection failed before it was accepted");
                }
                Err(error) if is_shortage(&error) => {
                    tracing::warn!(%error, "cannot accept connections, trying again in 100 ms");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the PROXY header if this peer must send one, and stores the address of the client in `peer`. For other peers,
    /// it returns immediately and reads nothing.
    ///
    /// # Errors
    /// The header is missing, malformed or late. Close the connection without a response.
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
