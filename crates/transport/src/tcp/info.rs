//! The state of a TCP connection in the kernel (`TCP_INFO`).

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// The part of `TCP_INFO` that distinguishes a dead network path from an idle peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpInfo {
    /// The number of segments that were sent and not acknowledged.
    pub unacked: u32,
    /// The number of consecutive retransmission timeouts without an acknowledgement.
    pub retransmits: u32,
    /// The number of consecutive unanswered probes (keepalive, zero window).
    pub probes: u32,
    /// The number of retransmitted segments since the start of the connection.
    pub total_retransmits: u32,
    /// The maximum size of a sent segment in bytes.
    pub segment: u32,
    /// The smoothed round-trip time.
    pub rtt: Duration,
    /// The mean deviation of the round-trip time.
    pub rtt_variation: Duration,
    /// The time since the last data segment was sent.
    pub last_data_sent: Duration,
    /// The time since the last data segment was received.
    pub last_data_recv: Duration,
    /// The time since the last acknowledgement was received.
    pub last_ack_recv: Duration,
}

impl TcpInfo {
    /// Returns `true` if nothing was received for `silence` although unacknowledged data or probes are in flight: the kernel
    /// of the peer is unreachable. Otherwise, only the program of the peer is silent.
    pub fn path_is_dead(&self, silence: Duration) -> bool {
        let asked = (self.unacked > 0 && self.retransmits > 0) || self.probes > 0;
        asked && self.last_ack_recv >= silence
    }
}

/// Returns the state of a connection in the kernel.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] on systems other than Linux.
#[cfg(target_os = "linux")]
pub fn tcp_info(stream: &TcpStream) -> io::Result<TcpInfo> {
    linux::tcp_info(stream)
}

/// Returns the state of a connection in the kernel.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] on systems other than Linux.
#[cfg(not(target_os = "linux"))]
pub fn tcp_info(_stream: &TcpStream) -> io::Result<TcpInfo> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::AsRawFd;

    use super::*;

    /// The beginning of the kernel's `struct tcp_info` (`linux/tcp.h`), which only ever grows at its end. Declared here
    /// because the C library's copy is missing from some targets.
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Raw {
        state: u8,
        ca_state: u8,
        retransmits: u8,
        probes: u8,
        backoff: u8,
        options: u8,
        window_scales: u8,
        flags: u8,
        rto: u32,
        ato: u32,
        snd_mss: u32,
        rcv_mss: u32,
        unacked: u32,
        sacked: u32,
        lost: u32,
        retrans: u32,
        fackets: u32,
        last_data_sent: u32,
        last_ack_sent: u32,
        last_data_recv: u32,
        last_ack_recv: u32,
        pmtu: u32,
        rcv_ssthresh: u32,
        rtt: u32,
        rttvar: u32,
        snd_ssthresh: u32,
        snd_cwnd: u32,
        advmss: u32,
        reordering: u32,
        rcv_rtt: u32,
        rcv_space: u32,
        total_retrans: u32,
    }

    pub(super) fn tcp_info(stream: &TcpStream) -> io::Result<TcpInfo> {
        let mut raw = Raw::default();
        let mut len = size_of::<Raw>() as libc::socklen_t;
        // SAFETY: `raw` is plain integers, any bytes are valid for it; the kernel writes at most `len` bytes into it;
        // the descriptor is open as long as `stream` is borrowed.
        let result = unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                (&raw mut raw).cast(),
                &raw mut len,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        let ms = |n: u32| Duration::from_millis(u64::from(n));
        let us = |n: u32| Duration::from_micros(u64::from(n));
        Ok(TcpInfo {
            unacked: raw.unacked,
            retransmits: u32::from(raw.retransmits),
            probes: u32::from(raw.probes),
            total_retransmits: raw.total_retrans,
            segment: raw.snd_mss,
            rtt: us(raw.rtt),
            rtt_variation: us(raw.rttvar),
            last_data_sent: ms(raw.last_data_sent),
            last_data_recv: ms(raw.last_data_recv),
            last_ack_recv: ms(raw.last_ack_recv),
        })
    }
}
