//! The task of one proxied connection: two sockets, and a [`Tunnel`] that decides what passes between them and when.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use undrop_fault::{CloseManner, Delivery, Side};

use crate::clock::now;
use crate::faults::Faults;
use crate::proxy_state::{ConnectionRecord, ProxyState};
use crate::tunnel::{READ, Tunnel};

/// The number of bytes that may wait for the socket of one side before the other side is no longer read.
const MAX_UNWRITTEN: usize = 64 * 1024;
/// The time for which the sockets of a black hole are kept, for endpoints that never notice. It is longer than the 15
/// minutes after which Linux gives up by itself.
const SILENCE: Duration = Duration::from_secs(3600);
/// The time for which a side may continue to send after it was sent a FIN, before its socket is closed.
const LINGER: Duration = Duration::from_secs(2);

/// The socket of one side.
struct SocketSide {
    side: Side,
    /// The socket; `None` after it was closed, and for an upstream that is not connected yet.
    stream: Option<TcpStream>,
    /// Delivered data that the socket has not accepted yet: at most [`MAX_UNWRITTEN`] and the buffer of a link.
    out: Vec<u8>,
    /// Whether the FIN of the side was read.
    finished: bool,
    /// Whether a FIN was delivered to the side.
    ending: bool,
    /// Whether the FIN was written.
    ended: bool,
}

/// The reason why the loop of a connection continues.
enum Wakeup {
    Readable(usize),
    FaultsChanged,
    Other,
    Deadline,
}

/// Runs until both endpoints have ended. Returns the party that ended the connection.
pub(crate) async fn run(
    state: &Arc<ProxyState>,
    connection: &Arc<ConnectionRecord>,
    client: TcpStream,
    faults: Faults,
    seed: u64,
    delay: Duration,
) -> &'static str {
    let mut endpoints = [SocketSide::new(Side::A, Some(client)), SocketSide::new(Side::B, None)];
    if !delay.is_zero() {
        sleep(delay).await;
    }
    let mut changes = state.changes();
    let opened = connection.opened;
    let mut tunnel = Tunnel::new(opened, faults, seed);
    assign(state, connection, &mut tunnel);
    let mut connected = false;
    let mut counted = false;
    let mut by = None;
    let mut linger = None;
    let mut silence = None;
    loop {
        tunnel.advance(now());
        if connection.must_reset() {
            return "proxy";
        }
        if !connected && !tunnel.responds_itself() {
            connected = true;
            let upstream = state.upstream();
            match upstream.connect().await {
                Ok(stream) => {
                    // A failure means that the peer has disconnected, which the first read reports.
                    let _ = stream.set_nodelay(true);
                    endpoints[1].stream = Some(stream);
                }
                Err(error) => {
                    // The client sees the same as without the proxy.
                    state.note(connection, format!("cannot connect to upstream {upstream}: {error}"));
                    return "upstream";
                }
            }
            continue;
        }
        // Writes never block, so that the directions do not wait for each other and cuts are on time.
        for endpoint in &mut endpoints {
            endpoint.deliver(&mut tunnel);
        }
        report(state, connection, &mut tunnel);
        if tunnel.is_cut() && !counted {
            counted = true;
            by.get_or_insert("fault");
            state.counters.cut.fetch_add(1, Ordering::Relaxed);
        }
        let [a, b] = &endpoints;
        let is_drained = a.finished
            && b.finished
            && tunnel.poll_timeout().is_none()
            && a.out.is_empty()
            && b.out.is_empty();
        let is_abandoned = !connected && (a.stream.is_none() || (a.finished && !tunnel.is_cut()));
        if endpoints.iter().all(|endpoint| endpoint.is_done(&tunnel)) || is_drained || is_abandoned {
            return by.unwrap_or("proxy");
        }
        if linger.is_none() && endpoints.iter().all(|endpoint| endpoint.ended || endpoint.stream.is_none()) {
            linger = Some(Instant::now() + LINGER);
        }
        if silence.is_none() && endpoints.iter().any(|endpoint| tunnel.is_silent(endpoint.side)) {
            silence = Some(Instant::now() + SILENCE);
        }
        let deadline = linger.into_iter().chain(silence).min();
        let timeout = tunnel.poll_timeout().map(Instant::from_std);
        let wants = [
            endpoints[0].wants_read(&tunnel, &endpoints[1]),
            endpoints[1].wants_read(&tunnel, &endpoints[0]),
        ];
        match wait(&endpoints, wants, &mut changes, timeout, deadline).await {
            Wakeup::Readable(index) => {
                if let Some(cut) = endpoints[index].read(&mut tunnel) {
                    let name = if index == 0 { "client" } else { "upstream" };
                    tracing::trace!(side = name, ?cut, "a side has ended");
                    by.get_or_insert(name);
                }
            }
            Wakeup::FaultsChanged => assign(state, connection, &mut tunnel),
            Wakeup::Other => {}
            Wakeup::Deadline => return by.unwrap_or("proxy"),
        }
    }
}

/// Waits for the next event.
async fn wait(
    endpoints: &[SocketSide; 2],
    wants: [bool; 2],
    changes: &mut watch::Receiver<()>,
    timeout: Option<Instant>,
    deadline: Option<Instant>,
) -> Wakeup {
    let [a, b] = endpoints;
    tokio::select! {
        () = a.readable(), if wants[0] => Wakeup::Readable(0),
        () = b.readable(), if wants[1] => Wakeup::Readable(1),
        () = a.writable(), if !a.out.is_empty() => Wakeup::Other,
        () = b.writable(), if !b.out.is_empty() => Wakeup::Other,
        () = sleep_until(timeout.unwrap_or_else(Instant::now)), if timeout.is_some() => Wakeup::Other,
        () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => Wakeup::Deadline,
        // The proxy exists as long as its connections.
        _ = changes.changed() => Wakeup::FaultsChanged,
    }
}

fn assign(state: &ProxyState, connection: &ConnectionRecord, tunnel: &mut Tunnel) {
    let faults = state.assigned(connection);
    tunnel.assign(now(), &faults);
}

/// Records the progress of the tunnel and its injected faults.
fn report(state: &ProxyState, connection: &ConnectionRecord, tunnel: &mut Tunnel) {
    connection.up.store(tunnel.forwarded(Side::A), Ordering::Relaxed);
    connection.down.store(tunnel.forwarded(Side::B), Ordering::Relaxed);
    while let Some(injection) = tunnel.poll_injection() {
        state.record_injection(connection, injection);
    }
    if let Some(why) = tunnel.unreadable() {
        state.report_unreadable(connection, why);
    }
}

impl SocketSide {
    fn new(side: Side, stream: Option<TcpStream>) -> SocketSide {
        if let Some(stream) = &stream {
            // A failure means that the peer has disconnected, which the first read reports.
            let _ = stream.set_nodelay(true);
        }
        SocketSide { side, stream, out: Vec::new(), finished: false, ending: false, ended: false }
    }

    /// Reads the available data. Returns the manner in which the side ended, if it has.
    fn read(&mut self, tunnel: &mut Tunnel) -> Option<CloseManner> {
        let stream = self.stream.as_ref()?;
        let mut buffer = [0; READ];
        match stream.try_read(&mut buffer) {
            Ok(0) => {
                self.finished = true;
                tunnel.finish(now(), self.side, CloseManner::Fin);
                Some(CloseManner::Fin)
            }
            Ok(n) => {
                tunnel.receive(now(), self.side, buffer.get(..n).unwrap_or_default());
                None
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => {
                self.lose(tunnel);
                Some(CloseManner::Rst)
            }
        }
    }

    /// Writes the deliveries of the tunnel.
    fn deliver(&mut self, tunnel: &mut Tunnel) {
        while let Some(delivery) = tunnel.poll_deliver(now(), self.side) {
            match delivery {
                Delivery::Bytes(bytes) => {
                    // Each piece is written separately, so that small pieces become small packets.
                    self.out.extend_from_slice(&bytes);
                    self.write(tunnel);
                }
                Delivery::Fin => self.ending = true,
                // Earlier data was written as far as the socket accepts it.
                Delivery::Rst => self.reset(),
            }
        }
        self.write(tunnel);
    }

    /// Writes as much as the socket accepts.
    fn write(&mut self, tunnel: &mut Tunnel) {
        let Some(stream) = &self.stream else {
            self.out = Vec::new();
            return;
        };
        let mut at = 0;
        let mut lost = false;
        while let Some(rest) = self.out.get(at..).filter(|rest| !rest.is_empty()) {
            match stream.try_write(rest) {
                Ok(n) => at += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    lost = true;
                    break;
                }
            }
        }
        self.out.drain(..at);
        if self.out.is_empty() {
            // An idle connection holds no buffer.
            self.out = Vec::new();
            if self.ending && !self.ended {
                self.ended = true;
                lost |= SockRef::from(stream).shutdown(std::net::Shutdown::Write).is_err();
            }
        }
        if lost {
            self.lose(tunnel);
        }
    }

    /// Handles the loss of the socket.
    fn lose(&mut self, tunnel: &mut Tunnel) {
        self.reset();
        tunnel.finish(now(), self.side, CloseManner::Rst);
    }

    /// Closes the socket with a RST.
    fn reset(&mut self) {
        if let Some(stream) = self.stream.take() {
            reset(&stream);
        }
        self.finished = true;
        self.out = Vec::new();
    }

    fn wants_read(&self, tunnel: &Tunnel, to: &SocketSide) -> bool {
        self.stream.is_some()
            && !self.finished
            && tunnel.wants_input(self.side)
            && to.out.len() < MAX_UNWRITTEN
    }

    fn is_done(&self, tunnel: &Tunnel) -> bool {
        self.stream.is_none() || (self.finished && (self.ended || tunnel.is_silent(self.side)))
    }

    /// Waits for input; an error is reported by the next read or write.
    async fn readable(&self) {
        match &self.stream {
            Some(stream) => drop(stream.readable().await),
            None => std::future::pending().await,
        }
    }

    async fn writable(&self) {
        match &self.stream {
            Some(stream) => drop(stream.writable().await),
            None => std::future::pending().await,
        }
    }
}

impl Drop for SocketSide {
    /// Resets a socket that did not end in order.
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take().filter(|_| !self.ended) {
            reset(&stream);
        }
    }
}

/// Makes the closing of the socket send a RST.
pub(crate) fn reset(stream: &TcpStream) {
    // A failure means that the connection is already closed.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
