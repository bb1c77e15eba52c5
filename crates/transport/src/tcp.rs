//! TCP: socket options, the kernel's view of a connection, and reset on purpose.

mod info;
mod source;

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

pub use info::{TcpInfo, tcp_info};
pub(crate) use source::bind_late;

/// Options of a TCP connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpOptions {
    /// Send small segments at once (`TCP_NODELAY`). Default: yes; a WebSocket is interactive.
    pub nodelay: bool,
    /// Probes on a silent connection. Default: after 60 s, every 15 s, 4 of them.
    pub keepalive: Option<Keepalive>,
    /// How long sent data may stay unacknowledged before the kernel gives up (`TCP_USER_TIMEOUT`). Linux only,
    /// ignored elsewhere. Default: 30 s.
    pub user_timeout: Option<Duration>,
}

/// TCP keepalive: finds out that the peer's host is gone, though not that its program hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Unanswered probes before the connection counts as dead.
    pub count: u32,
}

impl Default for Keepalive {
    fn default() -> Self {
        Keepalive { idle: Duration::from_secs(60), interval: Duration::from_secs(15), count: 4 }
    }
}

impl Default for TcpOptions {
    fn default() -> Self {
        TcpOptions {
            nodelay: true,
            keepalive: Some(Keepalive::default()),
            user_timeout: Some(Duration::from_secs(30)),
        }
    }
}

impl TcpOptions {
    /// Sets the options on a socket.
    pub fn apply(&self, stream: &TcpStream) -> io::Result<()> {
        let socket = SockRef::from(stream);
        socket.set_tcp_nodelay(self.nodelay)?;
        if let Some(keepalive) = &self.keepalive {
            let params = TcpKeepalive::new().with_time(keepalive.idle).with_interval(keepalive.interval);
            #[cfg(not(target_os = "openbsd"))]
            let params = params.with_retries(keepalive.count);
            socket.set_tcp_keepalive(&params)?;
        }
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(self.user_timeout)?;
        Ok(())
    }
}

/// Ends a connection with a RST instead of a FIN: unsent data is discarded and the peer sees the reset.
pub fn reset(stream: TcpStream) -> io::Result<()> {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}
