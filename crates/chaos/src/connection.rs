//! One proxied connection: two sockets, and a [`Wire`] that decides what passes between them and when.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use undrop_fault::{CloseManner, Delivery, Side};

use crate::Faults;
use crate::shared::{Connection, Shared};
use crate::wire::{READ, Wire};

/// Bytes that may wait for an end's socket before the other end is read no further.
const WAITING: usize = 64 * 1024;
/// How long the sockets of a black hole are kept, for ends that never notice. Longer than the quarter of an hour after
/// which Linux gives up on its own.
const SILENCE: Duration = Duration::from_secs(3600);
/// How long an end that was sent a FIN may go on sending into nothing before its socket is closed.
const LINGER: Duration = Duration::from_secs(2);

/// An end of the connection.
struct Endpoint {
    end: Side,
    /// `None`: it is gone, or (the upstream) not dialled yet.
    stream: Option<TcpStream>,
    /// Arrived here, and not taken by the socket yet; at most [`WAITING`] and what a link holds.
    out: Vec<u8>,
    /// Its FIN was read.
    finished: bool,
    /// A FIN arrived for it.
    ending: bool,
    /// Its FIN was written.
    ended: bool,
}

/// What the loop of a connection waits for.
enum Woken {
    Readable(usize),
    Plan,
    Other,
    Deadline,
}

/// Runs until both ends are over. Returns who ended it.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    connection: &Arc<Connection>,
    client: TcpStream,
    faults: Faults,
    seed: u64,
    delay: Duration,
) -> &'static str {
    let mut sides = [Endpoint::new(Side::A, Some(client)), Endpoint::new(Side::B, None)];
    if !delay.is_zero() {
        sleep(delay).await;
    }
    let mut changes = shared.changes();
    let opened = connection.opened;
    let mut wire = Wire::new(opened, faults, seed);
    assign(shared, connection, &mut wire);
    let mut dialled = false;
    let mut counted = false;
    let mut by = None;
    let mut linger = None;
    let mut silence = None;
    loop {
        wire.advance(now());
        if connection.is_killed() {
            return "proxy";
        }
        if !dialled && !wire.answers_itself() {
            dialled = true;
            let upstream = shared.upstream();
            match upstream.connect().await {
                Ok(stream) => {
                    // A failure means that the peer is gone, which the first read tells.
                    let _ = stream.set_nodelay(true);
                    sides[1].stream = Some(stream);
                }
                Err(error) => {
                    // The client sees what it would see from the upstream itself.
                    shared.note(connection, format!("upstream {upstream} not reached: {error}"));
                    return "upstream";
                }
            }
            continue;
        }
        // Neither direction waits for the other, and cuts are on time: a write never blocks here.
        for side in &mut sides {
            side.deliver(&mut wire);
        }
        report(shared, connection, &mut wire);
        if wire.is_cut() && !counted {
            counted = true;
            by.get_or_insert("fault");
            shared.counters.cut.fetch_add(1, Ordering::Relaxed);
        }
        let [a, b] = &sides;
        let unheard =
            a.finished && b.finished && wire.poll_timeout().is_none() && a.out.is_empty() && b.out.is_empty();
        let unanswered = !dialled && (a.stream.is_none() || (a.finished && !wire.is_cut()));
        if sides.iter().all(|side| side.is_done(&wire)) || unheard || unanswered {
            return by.unwrap_or("proxy");
        }
        if linger.is_none() && sides.iter().all(|side| side.ended || side.stream.is_none()) {
            linger = Some(Instant::now() + LINGER);
        }
        if silence.is_none() && sides.iter().any(|side| wire.is_silent(side.end)) {
            silence = Some(Instant::now() + SILENCE);
        }
        let deadline = linger.into_iter().chain(silence).min();
        let timeout = wire.poll_timeout().map(Instant::from_std);
        let wants = [sides[0].wants_read(&wire, &sides[1]), sides[1].wants_read(&wire, &sides[0])];
        match wait(&sides, wants, &mut changes, timeout, deadline).await {
            Woken::Readable(index) => {
                if let Some(cut) = sides[index].read(&mut wire) {
                    let name = if index == 0 { "client" } else { "upstream" };
                    tracing::trace!(end = name, ?cut, "an end is over");
                    by.get_or_insert(name);
                }
            }
            Woken::Plan => assign(shared, connection, &mut wire),
            Woken::Other => {}
            Woken::Deadline => return by.unwrap_or("proxy"),
        }
    }
}

/// Waits until something can be done.
async fn wait(
    sides: &[Endpoint; 2],
    wants: [bool; 2],
    changes: &mut watch::Receiver<()>,
    timeout: Option<Instant>,
    deadline: Option<Instant>,
) -> Woken {
    let [a, b] = sides;
    tokio::select! {
        () = a.readable(), if wants[0] => Woken::Readable(0),
        () = b.readable(), if wants[1] => Woken::Readable(1),
        () = a.writable(), if !a.out.is_empty() => Woken::Other,
        () = b.writable(), if !b.out.is_empty() => Woken::Other,
        () = sleep_until(timeout.unwrap_or_else(Instant::now)), if timeout.is_some() => Woken::Other,
        () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => Woken::Deadline,
        // The proxy is there as long as its connections.
        _ = changes.changed() => Woken::Plan,
    }
}

fn assign(shared: &Shared, connection: &Connection, wire: &mut Wire) {
    let faults = shared.assigned(connection);
    wire.assign(now(), &faults);
}

/// Tells what the wire did.
fn report(shared: &Shared, connection: &Connection, wire: &mut Wire) {
    connection.up.store(wire.passed(Side::A), Ordering::Relaxed);
    connection.down.store(wire.passed(Side::B), Ordering::Relaxed);
    while let Some(injected) = wire.poll_injected() {
        shared.injected(connection, injected);
    }
    if let Some(why) = wire.unreadable() {
        shared.unreadable(connection, why);
    }
}

impl Endpoint {
    fn new(end: Side, stream: Option<TcpStream>) -> Endpoint {
        if let Some(stream) = &stream {
            // A failure means that the peer is gone, which the first read tells.
            let _ = stream.set_nodelay(true);
        }
        Endpoint { end, stream, out: Vec::new(), finished: false, ending: false, ended: false }
    }

    /// Reads what is there. `Some`: the end is over, in this manner.
    fn read(&mut self, wire: &mut Wire) -> Option<CloseManner> {
        let stream = self.stream.as_ref()?;
        let mut buffer = [0; READ];
        match stream.try_read(&mut buffer) {
            Ok(0) => {
                self.finished = true;
                wire.finish(now(), self.end, CloseManner::Fin);
                Some(CloseManner::Fin)
            }
            Ok(n) => {
                wire.receive(now(), self.end, buffer.get(..n).unwrap_or_default());
                None
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => {
                self.lose(wire);
                Some(CloseManner::Rst)
            }
        }
    }

    /// Writes what has arrived.
    fn deliver(&mut self, wire: &mut Wire) {
        while let Some(delivery) = wire.poll_deliver(now(), self.end) {
            match delivery {
                Delivery::Bytes(bytes) => {
                    // Piece by piece, so that small pieces are small packets.
                    self.out.extend_from_slice(&bytes);
                    self.write(wire);
                }
                Delivery::Fin => self.ending = true,
                // What arrived before it was written as far as the socket takes it.
                Delivery::Rst => self.reset(),
            }
        }
        self.write(wire);
    }

    /// Writes what the socket takes now.
    fn write(&mut self, wire: &mut Wire) {
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
            self.lose(wire);
        }
    }

    /// The end is gone.
    fn lose(&mut self, wire: &mut Wire) {
        self.reset();
        wire.finish(now(), self.end, CloseManner::Rst);
    }

    /// Closes the socket with a RST.
    fn reset(&mut self) {
        if let Some(stream) = self.stream.take() {
            reset(&stream);
        }
        self.finished = true;
        self.out = Vec::new();
    }

    fn wants_read(&self, wire: &Wire, to: &Endpoint) -> bool {
        self.stream.is_some() && !self.finished && wire.wants(self.end) && to.out.len() < WAITING
    }

    fn is_done(&self, wire: &Wire) -> bool {
        self.stream.is_none() || (self.finished && (self.ended || wire.is_silent(self.end)))
    }

    /// An error shows at the read or the write that follows.
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

impl Drop for Endpoint {
    /// An end that was not told in order is told with a RST.
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take().filter(|_| !self.ended) {
            reset(&stream);
        }
    }
}

/// Closing the socket will send a RST.
pub(crate) fn reset(stream: &TcpStream) {
    // A failure means that the connection is gone already.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

pub(crate) fn now() -> std::time::Instant {
    Instant::now().into_std()
}
