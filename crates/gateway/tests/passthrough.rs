//! Pass-through: messages, heartbeats, back-pressure and endings of clients without sessions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use support::peer::masked;
use support::{Backend, Echo, Gate, Got, answer, connect, soon};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use undrop_frame::{OpCode, Role};
use undrop_transport::Stream;

#[tokio::test]
async fn messages_of_every_size_and_shape() {
    let echo = Echo::start().await;
    let gate = Gate::start(echo.address, "").await;
    let mut client = connect(gate.address, "/", &[], &[]).await.expect("101");
    for len in [0, 1, 125, 126, 65_535, 65_536, 16 << 20] {
        let payload: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        client.send(OpCode::Binary, &payload).await;
        assert!(client.data().await == Got::Binary(payload), "{len} bytes differ");
    }
    // Text that looks like a session packet is ordinary text here.
    client.text("\u{1f}a1").await;
    assert_eq!(client.data().await, Got::text("\u{1f}a1"));
    client.raw(&masked(false, OpCode::Text, b"in ")).await;
    client.raw(&masked(true, OpCode::Ping, b"between")).await;
    client.raw(&masked(true, OpCode::Continuation, b"pieces")).await;
    assert_eq!(client.next().await, Got::Pong(b"between".to_vec()));
    assert_eq!(client.next().await, Got::text("in pieces"));
    client.close(1000, "bye").await;
    assert_eq!(client.next().await, Got::Close(1000, String::new()));
    assert_eq!(client.next().await, Got::Fin);
}

#[tokio::test]
async fn the_backends_close_arrives_as_it_was_said() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    for (code, reason) in [(4001, "quota used up"), (1000, ""), (1013, "retry=500")] {
        let (client, mut server) = tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
        let mut client = client.expect("101");
        server.text("first").await;
        server.close(code, reason).await;
        assert_eq!(client.next().await, Got::text("first"));
        assert_eq!(client.next().await, Got::Close(code, reason.into()));
        client.close(code, "").await;
        assert_eq!(server.next().await, Got::Close(code, String::new()));
        server.fin();
        assert_eq!(client.next().await, Got::Fin);
    }
}

/// Client and backend negotiate extensions between them: header and reserved bit are forwarded unchanged.
#[tokio::test]
async fn an_extension_is_agreed_end_to_end() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let offer = "permessage-deflate; client_max_window_bits";
    let chosen = "permessage-deflate; server_no_context_takeover";
    let serve = async {
        let (mut stream, head) = backend.request().await;
        assert_eq!(head.headers.get_str("Sec-WebSocket-Extensions"), Some(offer));
        let bytes = answer(&head, &[("Sec-WebSocket-Extensions", chosen), ("Set-Cookie", "a=b")]);
        stream.write_all(&bytes).await.unwrap();
        stream
    };
    let fields = [("Sec-WebSocket-Extensions", offer)];
    let (client, mut server) = tokio::join!(connect(gate.address, "/", &[], &fields), serve);
    let client = client.expect("101");
    assert_eq!(client.header("Sec-WebSocket-Extensions"), Some(chosen));
    assert_eq!(client.header("Set-Cookie"), Some("a=b"));
    let mut client = client.into_stream();
    // "Hello" compressed, from RFC 7692 §7.2.3.1.
    let frame = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
    server.write_all(frame).await.unwrap();
    let mut seen = [0; 9];
    soon(tokio::io::AsyncReadExt::read_exact(&mut client, &mut seen)).await.unwrap();
    assert_eq!(&seen, frame);
}

const FAST_HEARTBEAT: &str = "[session]\nheartbeat = \"250ms\"";

#[tokio::test]
async fn a_client_that_answers_no_ping_is_ended_and_one_that_does_is_not() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, FAST_HEARTBEAT).await;
    let (dead, mut dead_server) = tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
    let (live, mut live_server) = tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
    let (mut dead, mut live) = (dead.expect("101"), live.expect("101"));
    let dead_end = async {
        let Got::Ping(_) = dead.next().await else { panic!("no Ping") };
        // The client is silent from here on.
        let ending = dead.next().await;
        assert!(matches!(ending, Got::Fin | Got::Reset | Got::Close(..)), "{ending:?}");
        let ending = dead_server.next().await;
        assert!(matches!(ending, Got::Fin | Got::Reset | Got::Close(..)), "{ending:?}");
    };
    let answering = async {
        for _ in 0..3 {
            let Got::Ping(payload) = live.next().await else { panic!("no Ping") };
            // The Pong arrives byte by byte and with another mask each time, and is recognised nevertheless.
            for byte in masked(true, OpCode::Pong, &payload) {
                live.raw(&[byte]).await;
                tokio::task::yield_now().await;
            }
        }
        live.text("alive").await;
    };
    tokio::join!(dead_end, answering);
    // The backend got the text, and none of the Pongs before it.
    assert_eq!(live_server.next().await, Got::text("alive"));
}

/// The Pong may be delayed by a message that takes longer than a heartbeat.
#[tokio::test]
async fn a_late_pong_does_not_reach_the_backend_either() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, FAST_HEARTBEAT).await;
    let (client, mut server) = tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
    let mut client = client.expect("101");
    let Got::Ping(payload) = client.next().await else { panic!("no Ping") };
    let message = masked(true, OpCode::Binary, &[3; 60]);
    for byte in &message {
        client.raw(&[*byte]).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    client.raw(&masked(true, OpCode::Pong, &payload)).await;
    client.text("end").await;
    assert_eq!(server.next().await, Got::Binary(vec![3; 60]));
    assert_eq!(server.next().await, Got::text("end"));
}

/// Unsolicited Pongs and Pings belong to the application and are forwarded.
#[tokio::test]
async fn foreign_pings_and_pongs_pass_both_ways() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, FAST_HEARTBEAT).await;
    let (client, mut server) = tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
    let mut client = client.expect("101");
    let Got::Ping(ours) = client.next().await else { panic!("no Ping") };
    server.send(OpCode::Ping, b"from the backend").await;
    loop {
        match client.next().await {
            Got::Ping(payload) if payload == ours => client.send(OpCode::Pong, &payload).await,
            got => {
                assert_eq!(got, Got::Ping(b"from the backend".to_vec()));
                break;
            }
        }
    }
    // Of the same length and as similar to the gateway's payload as can be guessed.
    let mut forged = ours.clone();
    forged[0] ^= 1;
    for payload in [&b"from the backend"[..], b"", &forged] {
        client.send(OpCode::Pong, payload).await;
        assert_eq!(server.next().await, Got::Pong(payload.to_vec()));
    }
}

/// Writes until the socket accepts nothing for a while. Returns the number of bytes written.
async fn fill(peer: &mut support::Peer, piece: &[u8]) -> usize {
    let mut count = 0;
    while let Ok(written) =
        timeout(Duration::from_millis(300), peer.writer.write(&piece[count % piece.len()..])).await
    {
        count += written.unwrap();
    }
    count
}

/// A side that does not read pauses the other side. The gateway buffers nothing in between, and nothing is lost later.
#[tokio::test]
async fn whoever_does_not_read_stops_the_other_and_nobody_else() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let mut bystander = gate.bystander().await;
    let (client, server) = tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
    let (mut client, mut server) = (client.expect("101"), server);
    // One endless fragmented message each way, of which nothing is read at first.
    let down = fill(&mut server, &support::peer::encode(Role::Server, OpCode::Binary, &[1; 1000])).await;
    let up = fill(&mut client, &masked(true, OpCode::Binary, &[2; 1000])).await;
    assert!(down < 32 << 20 && up < 32 << 20, "{down} and {up} bytes went somewhere");
    bystander.is_fine().await;
    for (reader, total, head) in [(&mut client, down, 4), (&mut server, up, 8)] {
        let whole = total / (1000 + head);
        for at in 0..whole {
            let Got::Binary(bytes) = reader.data().await else { panic!("message {at} of {whole}") };
            assert_eq!(bytes.len(), 1000);
        }
    }
}

#[tokio::test]
async fn many_megabytes_both_ways_at_once() {
    let echo = Echo::start().await;
    let gate = Gate::start(echo.address, "").await;
    let client = connect(gate.address, "/", &[], &[]).await.expect("101");
    let support::Peer { mut reader, mut writer, .. } = client;
    let message = masked(true, OpCode::Binary, &[5; 100_000]);
    let send = async {
        for _ in 0..300 {
            writer.write_all(&message).await.unwrap();
        }
        writer
    };
    let receive = async {
        for _ in 0..300 {
            assert!(reader.next().await == Got::Binary(vec![5; 100_000]));
        }
    };
    soon(async { tokio::join!(send, receive) }).await;
}

/// Without sessions, the gateway is a plain proxy: the backend gets only subprotocols that it may support.
#[tokio::test]
async fn without_sessions_their_offer_is_stripped() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[session]\nenabled = false").await;
    let hello = support::session::first("0123456789abcdef", 1);
    let tokens = undrop_session::offer(&["chat".to_owned()], &hello);
    let (client, (server, head)) =
        tokio::join!(connect(gate.address, "/", &tokens, &[]), backend.accept_with_head());
    assert_eq!(head.headers.get_str("Sec-WebSocket-Protocol"), Some("chat"));
    assert_eq!(client.expect("101").header("Sec-WebSocket-Protocol"), Some("chat"));
    let tcp: Stream = server.into_stream();
    drop(tcp);
}
