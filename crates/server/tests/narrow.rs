//! Sessions over streams that hold bytes back, as a TLS layer over a full socket does. Nothing is a socket here, and the
//! clock moves only when every task waits.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;
use undrop_frame::{Decoder, Encoder, Incoming, Limits, OpCode, Role};
use undrop_server::{Admission, Backend, Pending, SessionOptions, Sessions};
use undrop_session::{Hello, Packet, offer};
use undrop_store::MemoryStore;
use undrop_transport::Stream;
use undrop_transport::tls::{self, ClientTls, Trust, server_config};

/// Both ends of TLS over a pipe that holds less than one record: the dialling and the accepting one.
async fn narrow_tls() -> (Stream, Stream) {
    let made = rcgen::generate_simple_self_signed(vec!["gate.example".to_owned()]).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server = server_config(&cert, &key).unwrap();
    let client = ClientTls::new(&Trust::Only(made.cert.pem().into_bytes())).unwrap();
    let (near, far) = duplex(2048);
    let deadline = Instant::now() + Duration::from_secs(20);
    let (near, far) = tokio::join!(
        tls::connect(near.into(), &client, "gate.example", deadline),
        tls::accept(far.into(), &server, deadline)
    );
    (near.unwrap(), far.unwrap())
}

/// A session with these two streams.
async fn create_session(sessions: &Sessions, client: Stream, backend: Stream) {
    let hello = Hello::First { cid: "0123456789abcdef".into(), n: 1 };
    let pending = Pending {
        stream: client,
        leftover: Vec::new(),
        peer: "127.0.0.1:1".parse().unwrap(),
        offer: Sessions::offer(&offer(&[], &hello)),
        key: "dGhlIHNhbXBsZSBub25jZQ==".into(),
        principal: "test".into(),
    };
    let Admission::New(newcomer) = sessions.admit(pending).await else { panic!("accepted") };
    let backend = Backend { stream: backend, leftover: Vec::new(), protocol: None };
    sessions.create(*newcomer, backend).await.unwrap();
}

/// Reads messages until one has `len` bytes.
async fn await_message(stream: &mut Stream, role: Role, len: usize) {
    let (mut decoder, mut buffer) = (Decoder::new(role, Limits::default()), Vec::new());
    let read = async {
        loop {
            let mut input = &mut buffer[..];
            while let Some(message) = decoder.decode(&mut input).unwrap() {
                if let Incoming::Binary(payload) = message {
                    return assert_eq!(payload.len(), len);
                }
            }
            buffer.resize(4096, 0);
            let n = stream.read(&mut buffer).await.unwrap();
            assert_ne!(n, 0, "the end");
            buffer.truncate(n);
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("the last bytes never came");
}

/// Skips the 101 answer.
async fn skip_head(stream: &mut Stream) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
}

fn message(role: Role, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder::new(role).plain(OpCode::Binary, &vec![7; len], [1, 2, 3, 4], &mut bytes);
    bytes
}

#[tokio::test(start_paused = true)]
async fn bytes_in_a_tls_layer_are_not_forgotten() {
    for upwards in [false, true] {
        let sessions = Sessions::new(SessionOptions::default(), Arc::new(MemoryStore::new()), "n1");
        let (mut dialled, accepted) = narrow_tls().await;
        let (other, pipe): (DuplexStream, DuplexStream) = duplex(1 << 20);
        let mut other = Stream::from(other);
        let (sender, reader) = if upwards {
            create_session(&sessions, pipe.into(), accepted).await;
            (Role::Client, Role::Server)
        } else {
            create_session(&sessions, accepted, pipe.into()).await;
            skip_head(&mut dialled).await;
            (Role::Server, Role::Client)
        };
        other.write_all(&message(sender, 40_000)).await.unwrap();
        // Less than a heartbeat, so that nothing else moves the session on; by then it has done what it can.
        tokio::time::sleep(Duration::from_secs(1)).await;
        await_message(&mut dialled, reader, 40_000).await;
    }
}

/// Frames that a client reads until its link ends: the packets, and how many messages.
async fn read_all(stream: &mut Stream) -> (Vec<Packet>, u64) {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let (mut decoder, mut input) = (Decoder::new(Role::Client, Limits::default()), &mut bytes[..]);
    let (mut packets, mut messages) = (Vec::new(), 0);
    while let Some(received) = decoder.decode(&mut input).unwrap() {
        match received {
            Incoming::Text(text) => {
                packets.push(Packet::parse(&std::str::from_utf8(&text).unwrap()[1..]).unwrap());
            }
            Incoming::Binary(_) => messages += 1,
            _ => {}
        }
    }
    (packets, messages)
}

/// Units that are written while a link is retired count as sent: the client acks them on its next link.
#[tokio::test(start_paused = true)]
async fn the_last_units_of_a_link_may_be_acked_on_the_next() {
    let sessions = Sessions::new(SessionOptions::default(), Arc::new(MemoryStore::new()), "n1");
    let (client, link) = duplex(512);
    let (backend, behind) = duplex(1 << 20);
    create_session(&sessions, link.into(), behind.into()).await;
    let (mut client, mut backend) = (Stream::from(client), Stream::from(backend));
    for _ in 0..20 {
        backend.write_all(&message(Role::Server, 100)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    // Unmasked, as no client may.
    client.write_all(b"\x81\x02hi").await.unwrap();
    skip_head(&mut client).await;
    let (packets, messages) = read_all(&mut client).await;
    let [Packet::Started(started)] = &packets[..] else { panic!("{packets:?}") };
    assert_eq!(messages, 20);

    let (client, link) = duplex(1 << 16);
    let pending = Pending {
        stream: link.into(),
        leftover: Vec::new(),
        peer: "127.0.0.1:1".parse().unwrap(),
        offer: Sessions::offer(&offer(&[], &Hello::resume(&started.sid, &started.key, 2, messages))),
        key: "dGhlIHNhbXBsZSBub25jZQ==".into(),
        principal: "test".into(),
    };
    assert!(matches!(sessions.admit(pending).await, Admission::Accepted), "the session is the same");
    let mut client = Stream::from(client);
    skip_head(&mut client).await;
    backend.write_all(&message(Role::Server, 100)).await.unwrap();
    await_message(&mut client, Role::Client, 100).await;
}

/// A handshake may end after the drain has started.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_created_during_a_drain_is_asked_to_move() {
    let sessions = Sessions::new(SessionOptions::default(), Arc::new(MemoryStore::new()), "n1");
    assert_eq!(sessions.drain(100, Duration::from_secs(10)).await, 0);
    let (client, link) = duplex(1 << 16);
    let (_backend, behind) = duplex(1 << 16);
    create_session(&sessions, link.into(), behind.into()).await;
    let mut client = Stream::from(client);
    skip_head(&mut client).await;
    let (packets, _) = read_all(&mut client).await;
    assert!(matches!(&packets[..], [Packet::Started(_), Packet::GoAway(_), ..]), "{packets:?}");
}
