//! The proxy between real sockets, with faults on its links.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use undrop_chaos::{Chaos, Faults};
use undrop_fault::{CloseManner, CutAfter, Fault, Trigger};

const PATIENCE: Duration = Duration::from_secs(20);

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Connects a client and a server through a proxy.
async fn through(forth: Fault) -> (Chaos, TcpStream, TcpStream) {
    let (listener, address) = listener().await;
    let chaos = Chaos::start(address)
        .seed(3)
        .choose(move |_| Faults { forth: forth.clone(), back: Fault::default() })
        .await
        .unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(chaos.address()), listener.accept());
    (chaos, client.unwrap(), server.unwrap().0)
}

/// Writes until no more data is accepted for a while. Returns the number of bytes written.
async fn stuff(stream: &mut TcpStream) -> usize {
    let mut total = 0;
    while let Ok(written) = timeout(Duration::from_millis(200), stream.write(&[7; 60_000])).await {
        total += written.unwrap();
    }
    total
}

#[tokio::test]
async fn bytes_and_the_end_pass_unharmed() {
    let (chaos, mut client, mut server) = through(Fault::default()).await;
    let sent: Vec<u8> = (0..3 << 20).map(|i| (i % 251) as u8).collect();
    let expected = sent.clone();
    let write = async {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
        let mut back = Vec::new();
        client.read_to_end(&mut back).await.unwrap();
        back
    };
    let read = async {
        let mut got = Vec::new();
        server.read_to_end(&mut got).await.unwrap();
        // The other direction is still open.
        server.write_all(b"thanks").await.unwrap();
        drop(server);
        got
    };
    let (back, got) = timeout(PATIENCE, async { tokio::join!(write, read) }).await.unwrap();
    assert!(got == expected);
    assert_eq!(back, b"thanks");
    assert_eq!((chaos.opened(), chaos.cut()), (1, 0));
}

/// A blocked direction does not affect the other one.
#[tokio::test]
async fn a_side_that_does_not_read_blocks_one_direction_only() {
    let (_chaos, mut client, mut server) = through(Fault::default()).await;
    let stuck = stuff(&mut client).await;
    assert!(stuck < 64 << 20, "the proxy must not buffer without limit: {stuck}");
    server.write_all(b"back").await.unwrap();
    let mut got = [0; 4];
    timeout(PATIENCE, client.read_exact(&mut got)).await.expect("the other direction must be open").unwrap();
    assert_eq!(&got, b"back");
    let mut got = vec![0; stuck];
    timeout(PATIENCE, server.read_exact(&mut got)).await.unwrap().unwrap();
    assert!(got.iter().all(|byte| *byte == 7));
}

/// A cut is on time although the data is not read.
#[tokio::test]
async fn a_blocked_connection_is_cut_on_time() {
    let cut = CutAfter { when: Trigger::Age(Duration::from_millis(700)), how: CloseManner::Rst };
    let (chaos, mut client, server) = through(Fault { cut: Some(cut), ..Fault::default() }).await;
    let start = Instant::now();
    let end = async {
        loop {
            if let Err(error) = client.write(&[7; 60_000]).await {
                return error;
            }
        }
    };
    let error = timeout(PATIENCE, end).await.expect("the connection was not cut");
    assert!(matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe));
    assert!(start.elapsed() >= Duration::from_millis(600));
    assert_eq!(chaos.cut(), 1);
    drop(server);
}
