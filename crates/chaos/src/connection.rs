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
    /// Its FIN was read.
    finished: bool,
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
        if pair.is_over() && deadline.is_none() {
            // A black hole for good. Whoever gives up first closes its socket.
            counters.cut.fetch_add(1, Ordering::Relaxed);
            deadline = Some(Instant::now() + SILENCE);
        }
        let due = pair.poll_timeout().map(Instant::from_std);
        let [a, b] = &mut sides;
        let (room_a, room_b) = (pair.room(End::A), pair.room(End::B));
        let (read_a, read_b) = (a.wants_read(room_a), b.wants_read(room_b));
        let (end, read) = tokio::select! {
            read = a.read.read(&mut a.buffer), if read_a => (0, read),
            read = b.read.read(&mut b.buffer), if read_b => (1, read),
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
    Side { end, read, write, buffer: vec![0; READ], held: 0, finished: false, ended: false }
}

impl Side {
    fn wants_read(&self, room: usize) -> bool {
        self.held == 0 && !self.finished && room >= READ
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
                Delivery::Bytes(bytes) => side.write.write_all(&bytes).await?,
                Delivery::Fin => {
                    side.write.shutdown().await?;
                    side.ended = true;
                }
                Delivery::Rst => return Ok(true),
            }
        }
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
