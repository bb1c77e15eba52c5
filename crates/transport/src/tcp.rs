//! TCP socket options, the state of a connection in the kernel, and intentional resets.

mod info;
mod source;

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

pub use info::{TcpInfo, tcp_info};
pub(crate) use source::bind_late;

/// The options of a TCP connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpOptions {
    /// Sends small segments immediately (`TCP_NODELAY`). Default: yes, because a WebSocket is interactive.
    pub nodelay: bool,
    /// TCP keepalive. Default: 4 probes, the first after 60 s of silence, then one every 15 s.
    pub keepalive: Option<Keepalive>,
    /// The time for which sent data may stay unacknowledged before the kernel ends the connection (`TCP_USER_TIMEOUT`).
    /// Ignored on systems other than Linux. Default: 30 s.
    pub user_timeout: Option<Duration>,
}

/// TCP keepalive, which detects that the host of the peer is unreachable, but not that its program hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// The idle time before the first probe.
    pub idle: Duration,
    /// The time between two probes.
    pub interval: Duration,
    /// The number of unanswered probes after which the kernel ends the connection.
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
    /// Sets these options on a socket.
    ///
    /// # Errors
    /// The connection has already ended.
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

/// Ends a connection with a RST instead of a FIN. Unsent data is discarded.
///
/// # Errors
/// The connection has already ended.
pub fn reset(stream: TcpStream) -> io::Result<()> {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}
