//! Messages through WebSockets, in any pieces, under pressure.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod peer;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use undrop_fault::{Fault, Latency, Slices};
use undrop_frame::deflate::Config;
use undrop_frame::{Message, OpCode, Role};
use undrop_transport::{Ending, Received, Stream, WebSocket, WebSocketConfig};

use peer::{faulty, masked, plain, tcp_pair};

fn pair_over(a: impl Into<Stream>, b: impl Into<Stream>, config: &WebSocketConfig) -> (WebSocket, WebSocket) {
    let client = WebSocket::new(a.into(), Role::Client, Vec::new(), config);
    let server = WebSocket::new(b.into(), Role::Server, Vec::new(), config);
    (client, server)
}

async fn echo(mut socket: WebSocket) -> Ending {
    loop {
        match socket.recv().await {
            Ok(Received::Message(message)) => socket.send(&message).await.unwrap(),
            Ok(_) => {}
            Err(ending) => return ending,
        }
    }
}

async fn message(socket: &mut WebSocket) -> Message {
    loop {
        if let Received::Message(message) = socket.recv().await.unwrap() {
            return message;
        }
    }
}

fn samples() -> Vec<Message> {
    let mut all = vec![Message::from(""), Message::from("grüße"), Message::Binary(Vec::new())];
    for len in [1, 125, 126, 4095, 4096, 65_535, 65_536, 300_000] {
        all.push(Message::Binary((0..len).map(|i| (i * 7 % 251) as u8).collect()));
        all.push(Message::Text("é€x ".repeat(len / 7 + 1)));
    }
    all
}

#[tokio::test]
async fn echo_of_every_size_over_tcp_with_and_without_compression() {
    let deflate = Config { threshold: 0, ..Config::default() };
    let takeover =
        Config { client_no_context_takeover: false, server_no_context_takeover: false, ..deflate.clone() };
    for ours in [None, Some(deflate), Some(takeover)] {
        let agreed = ours.map(|ours| (ours.negotiate(&ours.offer()).unwrap().0, ours));
        let config = WebSocketConfig { deflate: agreed, ..WebSocketConfig::default() };
        let (a, b) = tcp_pair().await;
        let (mut client, server) = pair_over(a, b, &config);
        let server = tokio::spawn(echo(server));
        for sample in samples() {
            client.send(&sample).await.unwrap();
            assert!(message(&mut client).await == sample, "{} bytes differ", sample.len());
        }
        assert_eq!(client.close(1000.into(), "done").await.to_string(), "clean 1000");
        assert_eq!(server.await.unwrap(), Ending::Close { code: 1000.into(), reason: "done".to_owned() });
    }
}

#[tokio::test(start_paused = true)]
async fn one_byte_at_a_time() {
    let slices = Some(Slices { min: 1, max: 1, gap: Duration::ZERO });
    let latency = Some(Latency {
        base: Duration::from_millis(10),
        jitter: Duration::from_millis(5),
        ..Latency::default()
    });
    let (a, b) = faulty(Fault { slices, latency, ..Fault::default() }, 5);
    let (mut client, server) = pair_over(a, b, &WebSocketConfig::default());
    let server = tokio::spawn(echo(server));
    for sample in samples().into_iter().filter(|sample| sample.len() < 5000) {
        client.send(&sample).await.unwrap();
        assert_eq!(message(&mut client).await, sample);
    }
    client.close(1000.into(), "").await;
    assert_eq!(server.await.unwrap().to_string(), "clean 1000");
}

#[tokio::test]
async fn recv_loses_nothing_when_it_is_dropped_over_and_over() {
    let (a, mut raw) = duplex(64);
    let mut server = WebSocket::new(a.into(), Role::Server, Vec::new(), &WebSocketConfig::default());
    let writer = tokio::spawn(async move {
        for i in 0..50u8 {
            let frame = masked(true, OpCode::Binary, &[i; 200]);
            for piece in frame.chunks(7) {
                raw.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
        raw
    });
    let mut got = Vec::new();
    while got.len() < 50 {
        // Polls once and drops the future.
        tokio::select! {
            biased;
            received = server.recv() => match received.unwrap() {
                Received::Message(Message::Binary(bytes)) => got.push(bytes),
                other => panic!("{other:?}"),
            },
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(got.iter().enumerate().all(|(i, bytes)| *bytes == [i as u8; 200]));
    drop(writer);
}

#[tokio::test]
async fn what_came_behind_the_handshake_counts() {
    let (a, raw) = duplex(64);
    let leftover =
        [masked(true, OpCode::Text, b"early"), masked(true, OpCode::Text, b"birds")[..3].to_vec()].concat();
    let mut server = WebSocket::new(a.into(), Role::Server, leftover, &WebSocketConfig::default());
    assert_eq!(message(&mut server).await, Message::from("early"));
    let (mut raw, rest) = (raw, masked(true, OpCode::Text, b"birds")[3..].to_vec());
    raw.write_all(&rest).await.unwrap();
    assert_eq!(message(&mut server).await, Message::from("birds"));
}

#[tokio::test]
async fn pings_between_fragments_are_answered() {
    let (a, mut raw) = duplex(1024);
    let mut server = WebSocket::new(a.into(), Role::Server, Vec::new(), &WebSocketConfig::default());
    let frames = [
        masked(false, OpCode::Text, b"one "),
        masked(true, OpCode::Ping, b"?"),
        masked(true, OpCode::Continuation, b"two"),
        masked(true, OpCode::Pong, b"unasked"),
    ];
    raw.write_all(&frames.concat()).await.unwrap();
    assert_eq!(server.recv().await, Ok(Received::Ping(b"?".to_vec())));
    assert_eq!(server.recv().await, Ok(Received::Message(Message::from("one two"))));
    assert_eq!(server.recv().await, Ok(Received::Pong(b"unasked".to_vec())));
    let mut answer = [0; 3];
    raw.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[..], plain(OpCode::Pong, b"?"));
}

#[tokio::test]
async fn a_peer_that_pings_and_never_reads_costs_bounded_memory() {
    let (a, mut raw) = duplex(256);
    let config = WebSocketConfig { pending_limit: 1000, ..WebSocketConfig::default() };
    let mut server = WebSocket::new(a.into(), Role::Server, Vec::new(), &config);
    let flood = tokio::spawn(async move {
        for i in 0..2000u32 {
            raw.write_all(&masked(true, OpCode::Ping, &i.to_be_bytes())).await.unwrap();
        }
        raw
    });
    for _ in 0..2000 {
        server.recv().await.unwrap();
        assert!(server.pending() <= 1000 + 131, "{}", server.pending());
    }
    // Once the peer reads, the newest ping is answered.
    let mut raw = flood.await.unwrap();
    let reader = tokio::spawn(async move {
        let (mut all, mut chunk) = (Vec::new(), [0; 256]);
        loop {
            let n = raw.read(&mut chunk).await.unwrap();
            all.extend_from_slice(&chunk[..n]);
            if all.ends_with(&plain(OpCode::Pong, &1999u32.to_be_bytes())) {
                return all.len();
            }
        }
    });
    server.flush().await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(5), reader).await.unwrap().unwrap();
    assert!(read < 2000, "{read} bytes of answers");
}

#[tokio::test]
async fn send_waits_for_a_slow_reader_and_is_cancel_safe() {
    let (a, b) = duplex(1024);
    let config = WebSocketConfig { pending_limit: 4096, ..WebSocketConfig::default() };
    let (mut client, mut server) = pair_over(a, b, &config);
    let mut sent = 0u32;
    // The peer does not read: sends succeed up to the limit, then wait. A dropped send sends nothing.
    loop {
        let message = Message::Binary([&sent.to_be_bytes()[..], &[0; 600]].concat());
        match tokio::time::timeout(Duration::from_millis(20), client.send(&message)).await {
            Ok(result) => result.unwrap(),
            Err(_) => break,
        }
        sent += 1;
    }
    assert!((5..=10).contains(&sent), "{sent}");
    let reader = tokio::spawn(async move {
        let mut numbers = Vec::new();
        for _ in 0..=sent {
            let Message::Binary(bytes) = message(&mut server).await else { panic!() };
            numbers.push(u32::from_be_bytes(bytes[..4].try_into().unwrap()));
        }
        numbers
    });
    client.send(&Message::Binary(u32::MAX.to_be_bytes().to_vec())).await.unwrap();
    client.flush().await.unwrap();
    let mut expected: Vec<u32> = (0..sent).collect();
    expected.push(u32::MAX);
    assert_eq!(reader.await.unwrap(), expected);
}

#[tokio::test]
async fn fed_messages_share_one_write_and_keep_their_order() {
    let (a, mut raw) = duplex(1 << 16);
    let mut server = WebSocket::new(a.into(), Role::Server, Vec::new(), &WebSocketConfig::default());
    for i in 0..10u8 {
        server.feed(&Message::Binary(vec![i])).await.unwrap();
    }
    assert_eq!(server.pending(), 30);
    server.flush().await.unwrap();
    let mut all = [0; 30];
    raw.read_exact(&mut all).await.unwrap();
    assert!(all.chunks(3).enumerate().all(|(i, frame)| frame == plain(OpCode::Binary, &[i as u8])));
}
