//! Outgoing connections from a given local address.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpSocket;

/// Binds to a local address and, on Linux, leaves the port to `connect` (`IP_BIND_ADDRESS_NO_PORT`). The port then has to be
/// free for that target only, and finding one is cheap even with tens of thousands of connections.
pub(crate) fn bind_late(socket: &TcpSocket, address: IpAddr) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    sys::leave_port_to_connect(socket)?;
    socket.bind(SocketAddr::new(address, 0))
}

#[cfg(target_os = "linux")]
mod sys {
    use std::io;
    use std::os::fd::AsRawFd;

    use tokio::net::TcpSocket;

    pub(super) fn leave_port_to_connect(socket: &TcpSocket) -> io::Result<()> {
        let on: libc::c_int = 1;
        // SAFETY: the kernel reads the four bytes of `on`, which outlives the call; the descriptor is open as long as `socket` is borrowed.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_IP,
                libc::IP_BIND_ADDRESS_NO_PORT,
                (&raw const on).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
