//! A gateway that stops: every client is notified, and no connection hangs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use support::session::Session;
use support::{Backend, Echo, Gate, Got, connect, until};
use undrop_session::Packet;

#[tokio::test]
async fn every_session_has_a_slot_of_its_own_and_plain_clients_a_delay() {
    let echo = Echo::start().await;
    let gate = Gate::start(echo.address, "[drain]\ndeadline = \"2s\"").await;
    let address = gate.address;
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(Session::open(&gate).await);
    }
    let mut plain = connect(address, "/", &[], &[]).await.expect("101");
    plain.text("before").await;
    assert_eq!(plain.data().await, Got::text("before"));

    let begin = Instant::now();
    let drain = tokio::spawn(gate.drain());
    let mut slots = HashSet::new();
    for session in &mut sessions {
        let Packet::GoAway(slot) = session.news().await else { panic!("no g") };
        assert_eq!((slot.until, slot.why.as_str()), (2000, "drain"));
        assert!(slot.wait + slot.slot <= slot.until, "{slot:?}");
        slots.insert(slot.wait);
    }
    assert_eq!(slots.len(), 8, "each its own");
    let Got::Close(1012, reason) = plain.data().await else { panic!("no 1012") };
    assert!(reason.strip_prefix("retry=").is_some_and(|ms| ms.parse::<u64>().is_ok()), "{reason}");
    assert_eq!(plain.data().await, Got::Fin);
    // New connections are refused.
    until(|| std::net::TcpStream::connect(address).is_err()).await;

    // Active sessions are served to the end; the gateway does not wait for those that have moved.
    let (stay, go) = sessions.split_at_mut(2);
    for session in stay.iter_mut() {
        session.text("still served").await;
        assert_eq!(session.read_text().await, "still served");
    }
    for session in go {
        session.fin();
    }
    for session in stay {
        assert!(matches!(session.ending().await, Got::Close(1001, _)));
    }
    let drained = support::soon(drain).await.unwrap();
    assert_eq!((drained.before, drained.closed), (9, 2));
    assert!(begin.elapsed() >= Duration::from_millis(1900), "the deadline was waited for");
}

#[tokio::test]
async fn when_all_have_moved_the_deadline_is_not_waited_for() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let (mut parked, mut parked_server) = tokio::join!(Session::open(&gate), backend.accept());
    parked.text("hello").await;
    assert_eq!(parked_server.next().await, Got::text("hello"));
    parked.fin();
    let (mut live, mut live_server) = tokio::join!(Session::open(&gate), backend.accept());
    let begin = Instant::now();
    let client = async {
        let Packet::GoAway(_) = live.news().await else { panic!("no g") };
        live.link().close(1000, "moved").await;
        live.ending().await;
    };
    let (drained, ()) = tokio::join!(gate.drain(), client);
    assert_eq!(drained.closed, 0);
    assert!(begin.elapsed() < Duration::from_secs(10), "30 s are the deadline");
    for server in [&mut parked_server, &mut live_server] {
        assert!(matches!(server.next().await, Got::Close(1001, _)), "the backend gets a Close frame");
    }
}

/// Clients and backends that neither read nor reply are closed at the deadline, also in the middle of a message.
#[tokio::test]
async fn nothing_hangs() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[drain]\ndeadline = \"500ms\"").await;
    let mut kept = Vec::new();
    for plain in [true, false] {
        for half in [&b""[..], b"\x82\x7e\x10\x00half a message", b"\x01\x03abc"] {
            if plain {
                let (client, mut server) =
                    tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
                server.raw(half).await;
                kept.push((client.expect("101"), server));
            } else {
                let (mut client, mut server) = tokio::join!(Session::open(&gate), backend.accept());
                server.raw(half).await;
                kept.push((client.link.take().unwrap(), server));
            }
        }
    }
    // Another connection, which has sent half of a frame to the backend.
    let (client, server) = tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
    let mut client = client.expect("101");
    client.raw(b"\x82\xfe\x10\x00....half").await;
    kept.push((client, server));
    // And a request whose backend has not responded yet.
    let late = tokio::spawn(connect_late(gate.address));
    let (hanging, _) = backend.request().await;

    let begin = Instant::now();
    let drained = gate.drain().await;
    assert_eq!(drained.before, 7);
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    for (mut client, mut server) in kept {
        assert!(matches!(client.ending().await, Got::Close(1012 | 1001, _) | Got::Fin | Got::Reset));
        assert!(matches!(server.ending().await, Got::Close(..) | Got::Fin | Got::Reset));
    }
    drop(hanging);
    late.await.unwrap();
}

async fn connect_late(address: std::net::SocketAddr) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n\r\n",
        support::peer::KEY
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    // The way in which it ends does not matter.
    let _ = support::soon(stream.read_to_end(&mut Vec::new())).await;
}

/// Dropping a gateway stops it immediately and frees its port.
#[tokio::test]
async fn a_dropped_gateway_is_gone() {
    let echo = Echo::start().await;
    let gate = Gate::start(echo.address, "").await;
    let mut client = Session::open(&gate).await;
    let begin = Instant::now();
    drop(gate);
    assert!(matches!(client.ending().await, Got::Fin | Got::Reset));
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}
