//! Pass-through: a fault of one side reaches the other side as a close code.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::peer::{encode, masked, upgrade};
use support::{Backend, Echo, Gate, Got, Peer, answer, connect};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use undrop_frame::{OpCode, Role};
use undrop_transport::Stream;

const LIMIT: &str = "[limits]\nmax_message = \"64KiB\"";

/// Frames that a client must not send, with their close codes.
fn faults() -> Vec<(&'static str, Vec<u8>, u16)> {
    let fragment = masked(false, OpCode::Text, b"a");
    vec![
        ("unmasked", encode(Role::Server, OpCode::Text, b"hi"), 1002),
        ("reserved bit 3", b"\x91\x82....hi".to_vec(), 1002),
        ("compressed without agreement", b"\xc1\x82....hi".to_vec(), 1002),
        ("reserved opcode", b"\x83\x80....".to_vec(), 1002),
        ("reserved control opcode", b"\x8b\x80....".to_vec(), 1002),
        ("stray continuation", masked(true, OpCode::Continuation, b"a"), 1002),
        ("text inside a message", [fragment, masked(true, OpCode::Text, b"b")].concat(), 1002),
        ("a fragmented Ping", masked(false, OpCode::Ping, b"a"), 1002),
        ("a long Ping", masked(true, OpCode::Ping, &[0; 126]), 1002),
        ("a length of 2^63", b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff....".to_vec(), 1002),
        ("a length in too many bytes", b"\x82\xfe\x00\x05....hello".to_vec(), 1002),
        ("too long", masked(true, OpCode::Binary, &[0; 65_537]), 1009),
        ("announced too long", b"\x82\xff\x00\x00\x00\xff\x00\x00\x00\x00....".to_vec(), 1009),
        (
            "too long in fragments",
            [masked(false, OpCode::Binary, &[0; 40_000]), masked(true, OpCode::Continuation, &[0; 40_000])]
                .concat(),
            1009,
        ),
    ]
}

#[tokio::test]
async fn a_client_that_breaks_a_rule_is_told_which_behind_its_earlier_echoes() {
    let echo = Echo::start().await;
    let gate = Gate::start(echo.address, LIMIT).await;
    let mut bystander = gate.bystander().await;
    for (name, bytes, code) in faults() {
        let mut client = connect(gate.address, "/", &[], &[]).await.expect("101");
        // In one write, so that the fault is read together with what came before it.
        let mut all = encode(Role::Client, OpCode::Text, b"one");
        all.extend(encode(Role::Client, OpCode::Binary, &[7; 60_000]));
        all.extend(bytes);
        client.raw(&all).await;
        assert_eq!(client.data().await, Got::text("one"), "{name}");
        assert_eq!(client.data().await, Got::Binary(vec![7; 60_000]), "{name}");
        let Got::Close(seen, reason) = client.data().await else { panic!("{name}: no Close") };
        assert_eq!(seen, code, "{name}");
        assert!(!reason.is_empty(), "{name}: the cause is named");
        assert_eq!(client.ending().await, Got::Fin, "{name}");
    }
    bystander.is_fine().await;
}

/// Whether and how the backend replies to the Close frame, the client gets the code of its fault.
#[tokio::test]
async fn the_cause_does_not_depend_on_the_backends_manners() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, LIMIT).await;
    for manners in ["another code", "no code", "fin", "rst", "silence", "answer late"] {
        let (client, mut server) = tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
        let mut client = client.expect("101");
        client.raw(&masked(true, OpCode::Binary, &[0; 70_000])).await;
        let Got::Close(1009, reason) = server.next().await else { panic!("the backend gets a Close frame") };
        assert!(!reason.is_empty());
        let mut kept = None;
        match manners {
            "another code" => server.close(1000, "bye").await,
            "no code" => server.raw(b"\x88\x00").await,
            "fin" => server.fin(),
            "rst" => server.cut(),
            "silence" => kept = Some(server),
            _ => {
                server.text("what was under way").await;
                assert_eq!(client.next().await, Got::text("what was under way"));
                server.close(1009, "").await;
            }
        }
        let Got::Close(1009, reason) = client.next().await else { panic!("{manners}: no 1009") };
        assert!(!reason.is_empty(), "{manners}");
        drop(kept);
    }
}

#[tokio::test]
async fn bad_first_frames_behind_the_request_are_told_too() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, LIMIT).await;
    for (bytes, code) in
        [(b"\x81\x02hi".to_vec(), 1002), (masked(true, OpCode::Binary, &[0; 70_000])[..9000].to_vec(), 1009)]
    {
        let stream = Stream::from(TcpStream::connect(gate.address).await.unwrap());
        let early = [encode(Role::Client, OpCode::Text, b"good"), bytes].concat();
        let (client, mut server) = tokio::join!(upgrade(stream, "/", &[], &[], &early), backend.accept());
        let mut client = client.expect("101");
        assert_eq!(server.next().await, Got::text("good"));
        assert!(matches!(server.next().await, Got::Close(seen, _) if seen == code));
        server.close(code, "").await;
        assert!(matches!(client.next().await, Got::Close(seen, _) if seen == code));
    }
}

#[tokio::test]
async fn a_backend_that_breaks_a_rule_is_a_bad_gateway() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, LIMIT).await;
    for bytes in [
        encode(Role::Client, OpCode::Text, b"masked"),
        b"\xc1\x02hi".to_vec(),
        b"\x83\x00".to_vec(),
        encode(Role::Server, OpCode::Binary, &[0; 65_537]),
        b"HTTP/1.1 500 Oops\r\n\r\n".to_vec(),
    ] {
        let (client, mut server) = tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
        let mut client = client.expect("101");
        server.text("before").await;
        server.raw(&bytes).await;
        assert_eq!(client.next().await, Got::text("before"));
        let Got::Close(1014, reason) = client.next().await else { panic!("no 1014 for {bytes:?}") };
        assert!(reason.contains("RFC 6455"), "{reason}");
        assert!(matches!(server.ending().await, Got::Fin | Got::Reset | Got::Close(..)));
    }
}

#[tokio::test]
async fn a_backend_that_dies_is_told_by_its_own_code() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, LIMIT).await;
    let mut bystander = gate.bystander().await;
    for death in ["fin", "rst", "fin inside a message"] {
        let (client, mut server) = tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
        let mut client = client.expect("101");
        server.text("last").await;
        if death == "fin inside a message" {
            server.raw(b"\x01\x03abc").await;
        }
        assert_eq!(client.next().await, Got::text("last"));
        if death == "rst" {
            server.cut()
        } else {
            server.fin()
        }
        let Got::Close(1014, reason) = client.next().await else { panic!("{death}: no 1014") };
        assert!(reason.contains("FIN") || reason.contains("RST"), "{reason}");
        assert_eq!(client.next().await, Got::Fin);
    }
    // In the middle of a frame, no Close frame can be sent, but the connection ends.
    let (client, mut server) = tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
    let mut client = client.expect("101");
    server.raw(b"\x81\x7dhalf").await;
    server.fin();
    assert!(matches!(client.next().await, Got::Fin | Got::Reset));
    bystander.is_fine().await;
}

/// The response of a backend that refuses reaches the client unchanged.
async fn instead_of_101(gate: &Gate, backend: &Backend, words: &[u8]) -> (u16, String) {
    let serve = async {
        let (mut stream, _) = backend.request().await;
        stream.write_all(words).await.unwrap();
        stream.shutdown().await.unwrap();
        stream
    };
    tokio::join!(connect(gate.address, "/", &[], &[]), serve).0.err().expect("a refusal")
}

#[tokio::test]
async fn a_backend_that_refuses_speaks_for_itself() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, LIMIT).await;
    let mut bystander = gate.bystander().await;
    let body = b"HTTP/1.1 403 Forbidden\r\nX-Why: quota\r\nContent-Length: 9\r\n\r\nno quota!";
    let (status, text) = instead_of_101(&gate, &backend, body).await;
    assert_eq!(status, 403);
    assert!(text.contains("X-Why: quota\r\n") && text.ends_with("\r\n\r\nno quota!"), "{text}");

    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    let (status, text) = instead_of_101(&gate, &backend, chunked).await;
    assert_eq!(status, 200);
    assert!(text.ends_with("\r\n\r\nhello world") && !text.contains("chunked"), "{text}");

    let (status, text) =
        instead_of_101(&gate, &backend, b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n")
            .await;
    assert_eq!(status, 401);
    assert!(text.contains("WWW-Authenticate: Basic\r\n"), "{text}");

    for words in [
        &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
        b"",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
    ] {
        let (status, text) = instead_of_101(&gate, &backend, words).await;
        assert_eq!(status, 502, "{text}");
        assert!(text.contains("backend"), "the cause is named: {text}");
    }
    bystander.is_fine().await;
}

#[tokio::test]
async fn a_backend_that_hangs_or_is_not_there() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[backend]\nhandshake_timeout = \"500ms\"").await;
    let mut bystander = gate.bystander().await;
    // Its kernel accepts the connection, and no program responds.
    let (status, text) = connect(gate.address, "/", &[], &[]).await.err().unwrap();
    assert_eq!(status, 504, "{text}");
    // Half a response is not a response.
    let serve = async {
        let (mut stream, head) = backend.request().await;
        stream.write_all(&answer(&head, &[])[..40]).await.unwrap();
        stream
    };
    // The first connection is still in its accept queue.
    let (abandoned, _) = backend.request().await;
    let (refused, _kept) = tokio::join!(connect(gate.address, "/", &[], &[]), serve);
    assert_eq!(refused.err().unwrap().0, 504);
    drop(abandoned);
    drop(backend);
    let (status, text) = connect(gate.address, "/", &[], &[]).await.err().unwrap();
    assert_eq!(status, 502, "{text}");
    bystander.is_fine().await;
}

/// When a client disconnects, the connection to the backend ends as well.
#[tokio::test]
async fn how_a_client_ends_reaches_the_backend() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, LIMIT).await;
    for end in ["fin", "rst", "half a frame", "close", "close and fin"] {
        let (client, mut server) = tokio::join!(connect(gate.address, "/", &[], &[]), backend.accept());
        let mut client: Peer = client.expect("101");
        client.text("last words").await;
        let mut kept = None;
        match end {
            "fin" => client.fin(),
            "rst" => {
                // A RST discards data in the kernel of the gateway, so the messages are received first.
                assert_eq!(server.next().await, Got::text("last words"));
                client.cut();
            }
            "half a frame" => {
                client.raw(&masked(true, OpCode::Text, &[b'x'; 100])[..50]).await;
                client.fin();
            }
            _ => {
                client.close(4002, "my reason").await;
                if end == "close" { kept = Some(client) } else { client.fin() }
            }
        }
        if end != "rst" {
            assert_eq!(server.next().await, Got::text("last words"), "{end}");
        }
        let got = server.next().await;
        if let Some(mut client) = kept {
            assert_eq!(got, Got::Close(4002, "my reason".into()));
            server.close(4002, "").await;
            assert_eq!(client.next().await, Got::Close(4002, String::new()));
            server.fin();
            assert_eq!(client.next().await, Got::Fin);
        } else if end == "close and fin" {
            assert_eq!(got, Got::Close(4002, "my reason".into()));
        } else {
            assert!(matches!(got, Got::Fin | Got::Reset), "{end}: {got:?}");
        }
    }
}
