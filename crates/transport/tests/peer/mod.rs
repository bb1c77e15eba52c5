//! The other end, scripted: a pair of endpoints with a faulty link between them, and raw bytes.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};
use undrop_fault::{CloseManner, Delivery, Fault, Pair, Side};
use undrop_frame::{Header, OpCode, mask};

/// A frame as a client writes it.
pub(crate) fn masked(fin: bool, opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let key = [1, 2, 3, 4];
    let mut head = [0; Header::MAX_LEN];
    let header = Header { fin, rsv1: false, opcode, mask: Some(key), len: payload.len() as u64 };
    let len = header.encode(&mut head);
    let mut bytes = head[..len].to_vec();
    bytes.extend(payload);
    mask(&mut bytes[len..], key, 0);
    bytes
}

/// A frame as a server writes it.
pub(crate) fn plain(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut head = [0; Header::MAX_LEN];
    let header = Header { fin: true, rsv1: false, opcode, mask: None, len: payload.len() as u64 };
    let len = header.encode(&mut head);
    [&head[..len], payload].concat()
}

/// Two ends of a TCP connection on loopback.
pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
    (ours.unwrap(), theirs.unwrap().0)
}

/// A TCP end that no longer accepts packets, not even to acknowledge them: a black hole by a filter in the kernel.
#[cfg(target_os = "linux")]
pub(crate) fn make_black_hole(peer: &TcpStream) {
    // BPF: return 0 bytes, that is, drop.
    let drop_all = socket2::SockFilter::new(0x06, 0, 0, 0);
    socket2::SockRef::from(peer).attach_filter(&[drop_all]).unwrap();
}

/// Two pipes with `fault` both ways between them, driven by tokio's clock (pause it). A RST shows as the end of the
/// pipe, since a pipe has no other.
pub(crate) fn faulty(fault: Fault, seed: u64) -> (DuplexStream, DuplexStream) {
    let (near_a, mut far_a) = duplex(1 << 20);
    let (near_b, mut far_b) = duplex(1 << 20);
    tokio::spawn(async move {
        let mut pair = Pair::new(Instant::now().into_std(), fault.clone(), fault, seed);
        let mut open = [true, true];
        loop {
            let now = Instant::now().into_std();
            let (mut buffer_a, mut buffer_b) = ([0; 4096], [0; 4096]);
            for (end, far) in [(Side::A, &mut far_a), (Side::B, &mut far_b)] {
                while let Some(delivery) = pair.poll_deliver(now, end) {
                    let result = match delivery {
                        Delivery::Bytes(bytes) => far.write_all(&bytes).await,
                        Delivery::Fin | Delivery::Rst => far.shutdown().await,
                    };
                    if result.is_err() {
                        return;
                    }
                }
            }
            let timer = pair.poll_timeout().map(Instant::from_std);
            let push = |pair: &mut Pair, end, read: &[u8], open: &mut bool| {
                if read.is_empty() {
                    *open = false;
                    pair.finish(Instant::now().into_std(), end, CloseManner::Fin);
                } else {
                    pair.push(Instant::now().into_std(), end, read);
                }
            };
            tokio::select! {
                Ok(n) = far_a.read(&mut buffer_a), if open[0] => push(&mut pair, Side::A, &buffer_a[..n], &mut open[0]),
                Ok(n) = far_b.read(&mut buffer_b), if open[1] => push(&mut pair, Side::B, &buffer_b[..n], &mut open[1]),
                () = sleep_until(timer.unwrap_or_else(Instant::now)), if timer.is_some() => {}
                else => return,
            }
        }
    });
    (near_a, near_b)
}
