//! Session clients that violate a protocol: the gateway closes the link, rarely the session, and never affects others.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::peer::{encode, masked};
use support::session::{In, Session};
use support::{Backend, Gate, Got, Peer};
use undrop_frame::{CloseCode, OpCode, Role};
use undrop_session::{Close, Packet};

async fn pair(gate: &Gate, backend: &Backend) -> (Session, Peer) {
    tokio::join!(Session::open(gate), backend.accept())
}

fn packet(text: &str) -> Vec<u8> {
    masked(true, OpCode::Text, format!("\u{1f}{text}").as_bytes())
}

#[tokio::test]
async fn a_broken_rule_costs_the_link_and_not_the_session() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let mut bystander = gate.bystander().await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("unmasked", encode(Role::Server, OpCode::Text, b"hi"), 1002),
        ("reserved bit", b"\xa1\x82....hi".to_vec(), 1002),
        ("compressed", b"\xc1\x82....hi".to_vec(), 1002),
        ("reserved opcode", b"\x87\x80....".to_vec(), 1002),
        ("stray continuation", masked(true, OpCode::Continuation, b"x"), 1002),
        ("a fragmented Ping", masked(false, OpCode::Ping, b"x"), 1002),
        ("unknown packet", packet("Z"), 1002),
        ("no packet at all", packet(""), 1002),
        ("malformed ack", packet("a-1"), 1002),
        ("huge ack", packet("azzzzzzzzzzzzz"), 1002),
        ("ack beyond what was sent", packet("a99"), 1002),
        ("a packet that only gateways send", packet("h"), 1002),
        ("an answer from the client", packet("R{}"), 1002),
        ("go away", packet(r#"g{"in":0,"slot":1,"until":2,"why":"x"}"#), 1002),
        ("malformed close", packet("x99"), 1002),
        ("credentials that are not JSON", packet("t{"), 1002),
        ("a packet that is too long", packet(&format!("t\"{}\"", "x".repeat(20_000))), 1002),
        ("a packet that is not UTF-8", masked(true, OpCode::Text, b"\x1fP\xff\xfe"), 1007),
        ("a probe without nonce", packet("P"), 1002),
        ("a forbidden close code", masked(true, OpCode::Close, &1006u16.to_be_bytes()), 1002),
    ];
    for (round, (name, bytes, code)) in cases.into_iter().enumerate() {
        let before = format!("before {name}");
        client.sent.push((OpCode::Text, before.clone().into_bytes()));
        let all = [encode(Role::Client, OpCode::Text, before.as_bytes()), bytes].concat();
        client.link().raw(&all).await;
        assert_eq!(server.next().await, Got::Text(before), "{name}");
        let Got::Close(seen, reason) = client.ending().await else { panic!("{name}: no Close") };
        assert_eq!(seen, code, "{name}");
        assert!(!reason.is_empty(), "{name}");
        assert_eq!(client.link().next().await, Got::Fin, "{name}");
        let (resumed, _) = client.resume().await;
        assert_eq!(resumed.rx, client.sent.len() as u64, "{name}");
        let after = format!("after {name}");
        server.text(&after).await;
        assert_eq!(client.read_text().await, after, "{name}");
        assert_eq!(round as u64 + 1, client.rx);
    }
    bystander.is_fine().await;
}

/// Faults that only the backend can detect: the backend closes, and the client gets its code.
#[tokio::test]
async fn bad_text_is_judged_by_the_backend() {
    let echo = support::Echo::start().await;
    let gate = Gate::start_at(&format!("ws://{}", echo.address), "").await;
    let mut client = Session::open(&gate).await;
    // The echo backend cannot decode it and closes the connection.
    client.link().raw(&masked(true, OpCode::Text, b"bad \xff\xfe text")).await;
    let Packet::Close(close) = client.news().await else { panic!("no x") };
    assert_eq!(close.code.get(), 1014);
}

/// A message that is too large would be too large on every link, so the session ends with a reason for both sides.
/// Messages in flight from the backend still arrive.
#[tokio::test]
async fn a_message_that_is_too_large_ends_the_session() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[limits]\nmax_message = \"64KiB\"").await;
    let mut bystander = gate.bystander().await;
    let huge = masked(true, OpCode::Binary, &[0; 65_537]);
    let fragments =
        [masked(false, OpCode::Binary, &[0; 40_000]), masked(true, OpCode::Continuation, &[0; 40_000])]
            .concat();
    for bytes in [&huge[..], &huge[..20], &fragments] {
        let (mut client, mut server) = pair(&gate, &backend).await;
        client.text("one").await;
        client.link().raw(bytes).await;
        assert_eq!(server.next().await, Got::text("one"));
        assert!(matches!(server.next().await, Got::Close(1009, _)));
        assert!(matches!(client.ending().await, Got::Close(1009, reason) if !reason.is_empty()));
        server.text("echo of one").await;
        server.close(1009, "").await;
        // The client resumes and sends the same again, until the last messages of the backend have arrived.
        let mut echoes = Vec::new();
        let close = loop {
            client.resume().await;
            client.link().raw(bytes).await;
            let end = loop {
                match client.next().await {
                    In::Data(_, text) => echoes.push(text),
                    In::Packet(Packet::Close(close)) => break Some(close),
                    In::Packet(_) => {}
                    In::End(Got::Close(1009, _)) => break None,
                    other => panic!("{other:?}"),
                }
            };
            if let Some(close) = end {
                break close;
            }
        };
        assert_eq!(echoes, [b"echo of one"]);
        assert_eq!(close.code, CloseCode::MESSAGE_TOO_BIG);
        assert!(matches!(client.ending().await, Got::Close(1009, _)));
    }
    // A message of the backend beyond the gateway's limit is a fault of the backend.
    let (mut client, mut server) = pair(&gate, &backend).await;
    server.text("fine").await;
    server.send(OpCode::Binary, &[0; 65_537]).await;
    assert_eq!(client.read_text().await, "fine");
    let Packet::Close(close) = client.news().await else { panic!("no x") };
    assert_eq!(close.code, CloseCode::BAD_GATEWAY);
    assert!(close.reason.contains("RFC 6455"), "{}", close.reason);
    bystander.is_fine().await;
}

/// A client that sends probes without reading the replies is disconnected, and no buffer grows.
#[tokio::test]
async fn a_flood_of_probes_is_bounded() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let mut bystander = gate.bystander().await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    // Pongs beyond the limit are dropped, which RFC 6455 §5.5.3 allows.
    let pings = masked(true, OpCode::Ping, &[1; 125]).repeat(1000);
    for _ in 0..30 {
        client.link().raw(&pings).await;
    }
    server.text("still here").await;
    assert_eq!(client.read_text().await, "still here");
    // Probes require a reply, so the link is closed.
    let probes = packet(&format!("P{}", "n".repeat(32))).repeat(1000);
    for _ in 0..30 {
        // Fails if the link has already ended.
        let _ = client.link().try_raw(&probes).await;
    }
    let ending = client.ending().await;
    assert!(matches!(ending, Got::Close(1008, _) | Got::Reset), "{ending:?}");
    bystander.is_fine().await;
    client.cut();
    client.resume().await;
    server.text("calm again").await;
    assert_eq!(client.read_text().await, "calm again");
}

#[tokio::test]
async fn nothing_follows_a_close() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    // Nothing is read after the Close frame of the link.
    let mut bytes = masked(true, OpCode::Text, b"first");
    bytes.extend(masked(true, OpCode::Close, b""));
    bytes.extend(masked(true, OpCode::Text, b"not read"));
    client.link().raw(&bytes).await;
    assert!(matches!(client.ending().await, Got::Close(1005, _)));
    client.sent.push((OpCode::Text, b"first".to_vec()));
    client.resume().await;
    client.text("second").await;
    assert_eq!(server.next().await, Got::text("first"));
    assert_eq!(server.next().await, Got::text("second"));
    // Nor is anything read after the close of the session.
    client.packet(&Packet::Close(Close::new(CloseCode::NORMAL, "bye"))).await;
    client.text("not taken").await;
    assert_eq!(server.next().await, Got::Close(1000, "bye".into()));
    server.close(1000, "").await;
    loop {
        match client.next().await {
            In::Packet(Packet::Ack(number)) => assert!(number <= 3, "{number}"),
            In::End(Got::Close(code, _)) => break assert!(code == 1000 || code == 1002, "{code}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(server.next().await, Got::Fin | Got::Reset));
}
