//! Connections end in many ways, and each is reported in the shared vocabulary.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod peer;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use undrop_fault::{BlackHole, Fault, Trigger};
use undrop_frame::{Limits, Message, OpCode, Role};
use undrop_transport::{
    DialOptions, Ending, Received, TcpOptions, WebSocket, WebSocketConfig, dial, reset, tcp_info,
};
use url::Url;

use peer::{faulty, masked, plain, tcp_pair};

fn server(stream: impl Into<undrop_transport::Stream>) -> WebSocket {
    WebSocket::new(stream.into(), Role::Server, Vec::new(), &WebSocketConfig::default())
}

fn client(stream: impl Into<undrop_transport::Stream>) -> WebSocket {
    WebSocket::new(stream.into(), Role::Client, Vec::new(), &WebSocketConfig::default())
}

/// The payload of the Close frame that a server sends to a raw peer, and whether its FIN follows.
async fn close_from_server(raw: &mut (impl AsyncReadExt + Unpin)) -> (Vec<u8>, bool) {
    let mut head = [0; 2];
    raw.read_exact(&mut head).await.unwrap();
    assert_eq!(head[0], 0x88, "a Close frame");
    let mut payload = vec![0; usize::from(head[1])];
    raw.read_exact(&mut payload).await.unwrap();
    let mut rest = Vec::new();
    let fin = raw.read_to_end(&mut rest).await.is_ok() && rest.is_empty();
    (payload, fin)
}

#[tokio::test]
async fn fin_without_a_close_frame() {
    let (a, b) = tcp_pair().await;
    let mut ours = server(a);
    drop(b);
    assert_eq!(ours.recv().await, Err(Ending::Fin));
    assert_eq!(ours.recv().await, Err(Ending::Fin), "and it stays so");
    assert!(ours.send(&Message::from("x")).await.is_err());
}

#[tokio::test]
async fn reset_while_reading_and_while_writing() {
    let (a, b) = tcp_pair().await;
    let mut ours = server(a);
    reset(b).unwrap();
    assert_eq!(ours.recv().await, Err(Ending::Reset));

    let (a, mut b) = tcp_pair().await;
    let mut ours = server(a);
    b.write_all(&masked(true, OpCode::Text, b"last words")).await.unwrap();
    // The message must arrive before the reset.
    tokio::time::sleep(Duration::from_millis(20)).await;
    reset(b).unwrap();
    let mut failed = false;
    for _ in 0..200 {
        failed |= ours.send(&Message::Binary(vec![0; 1000])).await.is_err();
    }
    assert!(failed);
    // Linux keeps data that arrived before; other systems report only the reset.
    let ending = loop {
        match ours.recv().await {
            Ok(received) => assert_eq!(received, Received::Message(Message::from("last words"))),
            Err(ending) => break ending,
        }
    };
    assert_eq!(ending, Ending::Reset);
}

#[tokio::test]
async fn an_aborted_socket_resets_its_peer() {
    let (a, b) = tcp_pair().await;
    let (ours, mut theirs) = (client(a), server(b));
    ours.abort();
    assert_eq!(theirs.recv().await, Err(Ending::Reset));
}

#[tokio::test]
async fn the_peers_close_is_answered_with_its_code() {
    for (payload, ending) in [
        (&b"\x03\xe8"[..], "clean 1000"),
        (b"\x03\xe9bye", "going away 1001"),
        (b"\x0f\xa1", "close 4001"),
        (b"", "close 1005"),
    ] {
        let (a, mut raw) = tcp_pair().await;
        let mut ours = server(a);
        raw.write_all(&masked(true, OpCode::Close, payload)).await.unwrap();
        assert_eq!(ours.recv().await.unwrap_err().to_string(), ending);
        let code = payload.get(..2).unwrap_or_default().to_vec();
        assert_eq!(close_from_server(&mut raw).await, (code, true));
    }
}

#[tokio::test]
async fn both_ends_close_at_once() {
    let (a, b) = tcp_pair().await;
    let (mut a, mut b) = (client(a), server(b));
    let (at_a, at_b) = tokio::join!(a.close(4000.into(), "a"), b.close(4001.into(), "b"));
    assert_eq!(at_a, Ending::Close { code: 4001.into(), reason: "b".to_owned() });
    assert_eq!(at_b, Ending::Close { code: 4000.into(), reason: "a".to_owned() });
}

#[tokio::test]
async fn messages_on_their_way_still_arrive_after_our_close() {
    let (a, mut raw) = tcp_pair().await;
    let mut ours = server(a);
    ours.start_close(Some(1001.into()), "restart");
    raw.write_all(&masked(true, OpCode::Text, b"late")).await.unwrap();
    raw.write_all(&masked(true, OpCode::Close, b"\x03\xe9")).await.unwrap();
    assert_eq!(ours.recv().await, Ok(Received::Message(Message::from("late"))));
    assert_eq!(ours.recv().await.unwrap_err().to_string(), "going away 1001");
    assert_eq!(close_from_server(&mut raw).await.0, b"\x03\xe9restart");
}

#[tokio::test]
async fn a_broken_rule_is_named_on_both_sides_even_if_the_peer_goes_on_sending() {
    let cases: [(Vec<u8>, u16, &str); 5] = [
        (plain(OpCode::Text, b"x"), 1002, "protocol error (a frame from a client is not masked)"),
        (masked(true, OpCode::Text, b"\xff"), 1007, "protocol error (text is not valid UTF-8)"),
        (vec![0xc1, 0x80, 0, 0, 0, 0], 1002, "protocol error (a reserved bit is set in a frame header)"),
        (
            masked(true, OpCode::Continuation, b""),
            1002,
            "protocol error (a continuation frame arrived outside a fragmented message)",
        ),
        (
            masked(true, OpCode::Binary, &[0; 2000]),
            1009,
            "protocol error (a frame is larger than the limit of 1000 bytes)",
        ),
    ];
    for (bytes, code, words) in cases {
        let (a, mut raw) = tcp_pair().await;
        let config =
            WebSocketConfig { limits: Limits { frame: 1000, message: 1000 }, ..WebSocketConfig::default() };
        let mut ours = WebSocket::new(a.into(), Role::Server, Vec::new(), &config);
        let task = tokio::spawn(async move { ours.recv().await });
        raw.write_all(&bytes).await.unwrap();
        // If the socket was closed with this data unread, a RST would destroy the Close frame.
        raw.write_all(&[0; 30_000]).await.unwrap();
        let (payload, fin) = close_from_server(&mut raw).await;
        assert_eq!(u16::from_be_bytes([payload[0], payload[1]]), code);
        assert!(fin, "{words}");
        drop(raw);
        let ending = task.await.unwrap().unwrap_err();
        assert_eq!((ending.to_string().as_str(), ending.browser_view().get()), (words, 1006));
    }
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_close_ends_at_its_deadline() {
    let (a, mut raw) = duplex(1024);
    let mut ours = server(a);
    let start = Instant::now();
    let reader = tokio::spawn(async move { raw.read_to_end(&mut Vec::new()).await });
    let ending = ours.close(1000.into(), "").await;
    assert_eq!(ending.to_string(), "protocol error (Close was not answered)");
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    reader.abort();
}

#[tokio::test(start_paused = true)]
async fn a_client_does_not_wait_for_ever_for_the_servers_fin() {
    let (a, mut raw) = duplex(1024);
    let mut ours = client(a);
    let start = Instant::now();
    raw.write_all(&plain(OpCode::Close, b"\x03\xe8")).await.unwrap();
    assert_eq!(ours.recv().await.unwrap_err().to_string(), "clean 1000");
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    drop(raw);
}

#[tokio::test(start_paused = true)]
async fn a_half_open_link_looks_open_until_the_close_deadline() {
    let hole = Some(BlackHole { from: Trigger::Age(Duration::from_secs(1)), lasts: None });
    let (a, b) = faulty(Fault { black_hole: hole, ..Fault::default() }, 1);
    let (mut a, mut b) = (client(a), server(b));
    a.send(&Message::from("hello")).await.unwrap();
    assert!(b.recv().await.is_ok());
    tokio::time::sleep(Duration::from_secs(2)).await;
    a.send(&Message::from("anyone?")).await.unwrap();
    let silence = tokio::time::timeout(Duration::from_secs(3600), a.recv()).await;
    assert!(silence.is_err(), "nothing may arrive: {silence:?}");
    let start = Instant::now();
    assert!(a.close(1001.into(), "").await.close().is_none());
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_black_hole_is_told_from_a_peer_that_does_not_answer() {
    let (a, b) = tcp_pair().await;
    let config = WebSocketConfig { close_timeout: Duration::from_millis(600), ..WebSocketConfig::default() };
    let mut ours = WebSocket::new(a.into(), Role::Client, Vec::new(), &config);
    peer::make_black_hole(&b);
    assert_eq!(ours.close(1000.into(), "").await, Ending::BlackHole);

    let (a, _b) = tcp_pair().await;
    let mut ours = WebSocket::new(a.into(), Role::Client, Vec::new(), &config);
    assert_eq!(ours.close(1000.into(), "").await.to_string(), "protocol error (Close was not answered)");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_kernel_gives_up_on_a_black_hole_after_the_user_timeout() {
    let (a, b) = tcp_pair().await;
    let user_timeout = Some(Duration::from_millis(900));
    TcpOptions { user_timeout, ..TcpOptions::default() }.apply(&a).unwrap();
    let quiet = tcp_info(&a).unwrap();
    assert!(quiet.unacked == 0 && !quiet.path_is_dead(Duration::ZERO), "{quiet:?}");

    peer::make_black_hole(&b);
    let mut ours = client(a);
    ours.send(&Message::from("into the dark")).await.unwrap();
    let start = Instant::now();
    let watch = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
    };
    tokio::select! {
        ending = ours.recv() => panic!("too early: {ending:?}"),
        () = watch => {}
    }
    let info = tcp_info(ours.stream().tcp().unwrap()).unwrap();
    assert!(info.path_is_dead(Duration::from_millis(500)), "{info:?}");
    assert_eq!(ours.recv().await, Err(Ending::BlackHole));
    assert!(start.elapsed() < Duration::from_secs(5));
    drop(b);
}

#[tokio::test]
async fn a_silent_program_is_not_a_dead_path() {
    let (a, _b) = tcp_pair().await;
    let mut ours = client(a);
    ours.send(&Message::from("hello")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let info = tcp_info(ours.stream().tcp().unwrap()).unwrap();
    assert!(info.unacked == 0 && !info.path_is_dead(Duration::ZERO), "{info:?}");
}

#[tokio::test]
async fn a_refused_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = Url::parse(&format!("ws://{address}/")).unwrap();
    let error = dial(&url, &DialOptions::default()).await.unwrap_err();
    assert_eq!(error.ending(), Ending::Refused);
    assert_eq!(error.to_string(), format!("cannot connect to {address}: refused"));
    assert!(TcpStream::connect(address).await.is_err());
}
