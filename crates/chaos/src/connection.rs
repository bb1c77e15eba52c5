//! One proxied connection: two sockets, and a `Pair` that decides what passes between them and when.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, sleep_until};
use undrop_fault::{Cut, Delivery, End, Pair};

use crate::{Counters, Faults};

/// Bytes read at once from an end.
const READ: usize = 16 * 1024;
/// Bytes that may wait for an end's socket before the other end is read no further.
const WAITING: usize = 64 * 1024;
/// How long the sockets of a black hole are kept, for a peer that never notices.
const SILENCE: Duration = Duration::from_secs(300);

/// An end of the connection.
struct Side {
    end: End,
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    buffer: Vec<u8>,
    /// Read, and not taken by the pair yet.
    held: usize,
    /// Arrived here, and not taken by the socket yet; at most [`WAITING`] and what a link holds.
    out: Vec<u8>,
    /// Its FIN was read.
    finished: bool,
    /// A FIN arrived for it.
    ending: bool,
    /// Its FIN was written.
    ended: bool,
}

/// Runs until both ends are over.
pub(crate) async fn run(
    client: TcpStream,
    upstream: TcpStream,
    faults: Faults,
    seed: u64,
    counters: &Counters,
) {
    // A failure means that the peer is gone, which the first read tells.
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    let own_cut = faults.forth.cut.is_some() || faults.back.cut.is_some();
    let mut pair = Pair::new(now(), faults.forth, faults.back, seed);
    let mut sides = [side(End::A, client), side(End::B, upstream)];
    let mut deadline = None;
    loop {
        // Neither direction waits for the other, and cuts are on time: a write never blocks here.
        match deliver(&mut pair, &mut sides).await {
            Ok(false) => {}
            Ok(true) => {
                if own_cut && sides.iter().all(|side| !side.finished) {
                    counters.cut.fetch_add(1, Ordering::Relaxed);
                }
                sides.iter().for_each(|side| reset_half(&side.write));
                return;
            }
            Err(_) => return sides.iter().for_each(|side| reset_half(&side.write)),
        }
        if sides.iter().all(|side| side.ended) {
            if own_cut && sides.iter().all(|side| !side.finished) {
                counters.cut.fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
        let leaving = sides.iter().any(|side| side.ending && !side.ended);
        if pair.is_over() && !leaving && deadline.is_none() {
            // A black hole for good. Whoever gives up first closes its socket.
            counters.cut.fetch_add(1, Ordering::Relaxed);
            deadline = Some(Instant::now() + SILENCE);
        }
        let due = pair.poll_timeout().map(Instant::from_std);
        let [a, b] = &mut sides;
        let read_a = a.wants_read(pair.room(End::A), b);
        let read_b = b.wants_read(pair.room(End::B), a);
        let (end, read) = tokio::select! {
            read = a.read.read(&mut a.buffer), if read_a => (0, read),
            read = b.read.read(&mut b.buffer), if read_b => (1, read),
            // An error shows at the write.
            _ = a.write.writable(), if !a.out.is_empty() => continue,
            _ = b.write.writable(), if !b.out.is_empty() => continue,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => continue,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => return,
            // Nothing to wait for: both directions are stuck for good.
            else => return,
        };
        let side = &mut sides[end];
        match read {
            Ok(0) => {
                side.finished = true;
                pair.finish(now(), side.end, Cut::Fin);
                if deadline.is_some() {
                    return;
                }
            }
            Ok(n) => {
                side.held = n;
                push(&mut pair, side);
            }
            Err(_) => {
                side.finished = true;
                pair.finish(now(), side.end, Cut::Rst);
                if deadline.is_some() {
                    return;
                }
            }
        }
    }
}

fn side(end: End, stream: TcpStream) -> Side {
    let (read, write) = stream.into_split();
    let (buffer, out) = (vec![0; READ], Vec::new());
    Side { end, read, write, buffer, held: 0, out, finished: false, ending: false, ended: false }
}

impl Side {
    fn wants_read(&self, room: usize, to: &Side) -> bool {
        self.held == 0 && !self.finished && room >= READ && to.out.len() < WAITING
    }

    /// Writes what the socket takes now.
    async fn write(&mut self) -> io::Result<()> {
        let mut at = 0;
        while at < self.out.len() {
            match self.write.try_write(&self.out[at..]) {
                Ok(n) => at += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.out.drain(..at);
        if self.out.is_empty() {
            self.out = Vec::new();
            if self.ending && !self.ended {
                self.write.shutdown().await?;
                self.ended = true;
            }
        }
        Ok(())
    }
}

/// Gives the pair what was read; what it does not take stays.
fn push(pair: &mut Pair, side: &mut Side) {
    let taken = pair.push(now(), side.end, &side.buffer[..side.held]);
    side.buffer.copy_within(taken..side.held, 0);
    side.held -= taken;
}

/// Writes what has arrived; true after a reset.
async fn deliver(pair: &mut Pair, sides: &mut [Side; 2]) -> io::Result<bool> {
    for side in sides.iter_mut() {
        if side.held > 0 {
            push(pair, side);
        }
        while let Some(delivery) = pair.poll_deliver(now(), side.end) {
            match delivery {
                Delivery::Bytes(bytes) => side.out.extend_from_slice(&bytes),
                Delivery::Fin => side.ending = true,
                Delivery::Rst => {
                    // What arrived before it is written as far as the socket takes it.
                    let _ = side.write().await;
                    return Ok(true);
                }
            }
        }
        side.write().await?;
    }
    Ok(false)
}

/// Closing the socket will send a RST.
pub(crate) fn reset(stream: &TcpStream) {
    // A failure means that the connection is gone already.
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

fn reset_half(half: &OwnedWriteHalf) {
    reset(half.as_ref());
}

fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}
