//! A session survives its links: every message arrives once and in order, in both directions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use support::peer::{encode, masked, upgrade};
use support::session::{Answer, In, Session, first, hello};
use support::{Backend, Echo, Gate, Got, Peer, connect, soon};
use undrop_frame::{OpCode, Role};
use undrop_session::{BackendIdentity, Packet, offer};

async fn pair(gate: &Gate, backend: &Backend) -> (Session, Peer) {
    tokio::join!(Session::open(gate), backend.accept())
}

#[tokio::test]
async fn what_was_not_acked_comes_again_and_nothing_else() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let mut bystander = gate.bystander().await;
    for end in ["rst", "fin", "close"] {
        let (mut client, mut server) = pair(&gate, &backend).await;
        for text in ["c1", "c2"] {
            client.text(text).await;
            assert_eq!(server.next().await, Got::text(text));
        }
        server.text("s1").await;
        server.text("s2").await;
        server.text("s3").await;
        assert_eq!(client.read_text().await, "s1");
        // s2 and s3 are in flight, and this client never acknowledges them.
        match end {
            "rst" => client.cut(),
            "fin" => client.fin(),
            _ => {
                client.link().close(4000, "a link only").await;
                assert!(matches!(client.ending().await, Got::Close(4000, _)));
            }
        }
        server.text("s4").await;
        let (resumed, _) = client.resume().await;
        assert_eq!((resumed.rx, resumed.start, resumed.away), (2, 2, false), "{end}");
        assert_eq!(resumed.backend, BackendIdentity::Same);
        client.text("c3").await;
        for text in ["s2", "s3", "s4"] {
            assert_eq!(client.read_text().await, text, "{end}");
        }
        assert_eq!(server.next().await, Got::text("c3"), "{end}");
        server.text("s5").await;
        assert_eq!(client.read_text().await, "s5", "{end}");
    }
    bystander.is_fine().await;
}

#[tokio::test]
async fn half_a_message_never_happened() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    client.text("whole").await;
    let half = masked(true, OpCode::Text, &[b'h'; 3000]);
    client.link().raw(&half[..2000]).await;
    client.sent.push((OpCode::Text, vec![b'h'; 3000]));
    client.fin();
    assert_eq!(server.next().await, Got::text("whole"));
    let (resumed, _) = client.resume().await;
    assert_eq!(resumed.rx, 1);
    assert_eq!(server.next().await, Got::Text("h".repeat(3000)));

    // The same in the other direction, and in fragments.
    server.raw(b"\x01\x03abc").await;
    client.cut();
    server.raw(b"\x80\x03def").await;
    client.resume().await;
    assert_eq!(client.read_text().await, "abcdef");

    client.link().raw(&masked(false, OpCode::Text, b"first ")).await;
    client.cut();
    client.resume().await;
    client.text("second").await;
    assert_eq!(server.next().await, Got::text("second"));
}

/// The old link is used until the new one has its response. It is then closed with a reason.
#[tokio::test]
async fn two_links_overlap_without_a_gap() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    for round in 0..20 {
        let text = format!("old {round}");
        client.text(&text).await;
        server.text(&text).await;
        let (resumed, old) = client.resume().await;
        assert!(resumed.rx >= round * 2, "{resumed:?}");
        let mut old = old.unwrap();
        // Messages that arrived on the old link before it was fenced are repeated on the new one, and delivered once.
        loop {
            match soon(old.reader.next()).await {
                Got::Text(text) if text == "\u{1f}m" => break,
                Got::Text(_) | Got::Ping(_) => {}
                other => panic!("round {round}: {other:?}"),
            }
        }
        assert!(matches!(old.next().await, Got::Close(1000, _)));
        let text = format!("new {round}");
        client.text(&text).await;
        server.text(&text).await;
        for word in ["old", "new"] {
            let text = format!("{word} {round}");
            assert_eq!(server.next().await, Got::Text(text.clone()));
            assert_eq!(client.read_text().await, text);
        }
    }
}

#[tokio::test]
async fn text_that_looks_like_a_packet_is_text() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    for text in ["\u{1f}", "\u{1f}a1", "\u{1f}x1000", "\u{1f}\u{1f}", "\u{1f}m"] {
        client.text(text).await;
        assert_eq!(server.next().await, Got::text(text));
        server.text(text).await;
        assert_eq!(client.read_text().await, text);
    }
    server.raw(b"\x01\x00\x00\x01\x1f\x80\x02a1").await;
    assert_eq!(client.read_text().await, "\u{1f}a1");
    client.unit(OpCode::Binary, b"\x1fa1").await;
    assert_eq!(server.next().await, Got::Binary(b"\x1fa1".to_vec()));
}

#[tokio::test]
async fn the_backend_chooses_the_sub_protocol() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let tokens = offer(&["chat".to_owned(), "v2".to_owned()], &first("0123456789abcdef", 1));
    let fields = [("Sec-WebSocket-Extensions", "permessage-deflate")];
    let (client, (_server, head)) =
        tokio::join!(connect(gate.address, "/room?x=1", &tokens, &fields), backend.accept_with_head());
    let mut client = client.expect("101");
    assert_eq!(head.headers.get_str("Sec-WebSocket-Protocol"), Some("chat, v2"));
    assert_eq!(head.target, "/room?x=1");
    assert_eq!(head.headers.get_str("Sec-WebSocket-Extensions"), None);
    assert_eq!(client.header("Sec-WebSocket-Protocol"), Some("undrop.1+chat"));
    assert_eq!(client.header("Sec-WebSocket-Extensions"), None);
    let Some(Packet::Started(started)) = support::session::packet(&client.next().await) else {
        panic!("no S")
    };
    assert_eq!(started.protocol.as_deref(), Some("chat"));
    assert_eq!((started.att, started.hb, started.ttl, started.win), (1, 25_000, 120_000, 262_144));
}

/// Acks and heartbeats are sent by timers, without an event on a socket.
#[tokio::test]
async fn the_clock_alone_moves_a_quiet_session() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[session]\nheartbeat = \"900ms\"").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    let begin = std::time::Instant::now();
    client.text("one").await;
    assert_eq!(server.next().await, Got::text("one"));
    assert_eq!(client.next().await, In::Packet(Packet::Ack(1)));
    assert!(begin.elapsed().as_millis() < 850, "by the ack timer, not by the heartbeat");
    // Pings are answered by `next` itself; two heartbeats show that it recurs.
    for _ in 0..2 {
        assert_eq!(client.next().await, In::Packet(Packet::Heartbeat));
    }
    client.packet(&Packet::Probe("k1".into())).await;
    assert_eq!(client.next().await, In::Packet(Packet::ProbeReply("k1".into())));
    client.packet(&Packet::AckNow).await;
    assert_eq!(client.next().await, In::Packet(Packet::Ack(1)));
}

/// A suspended client sends no Pong, but its kernel acknowledges data, so the link is kept.
#[tokio::test]
async fn a_sleeping_client_keeps_its_link_and_zero_turns_heartbeats_off() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[session]\nheartbeat = \"50ms\"").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    let mut beats = 0;
    while beats < 8 {
        // The Pong is not sent.
        match soon(client.link().reader.next()).await {
            Got::Text(text) if text == "\u{1f}h" => beats += 1,
            Got::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
    server.text("good morning").await;
    assert_eq!(client.read_text().await, "good morning");

    let quiet = Gate::start(backend.address, "[session]\nheartbeat = 0").await;
    let (mut client, mut server) = pair(&quiet, &backend).await;
    server.text("no heartbeat").await;
    assert_eq!(client.read_text().await, "no heartbeat");
    quiet.bystander().await.is_fine().await;
}

/// Links that are cut anywhere after a few messages: every echo arrives once and in order.
#[tokio::test]
async fn a_hundred_cuts_lose_and_double_nothing() {
    let echo = Echo::start().await;
    let gate = Gate::start(echo.address, "").await;
    let mut rng = fastrand::Rng::with_seed(41);
    let mut client = Session::open(&gate).await;
    let (mut number, mut awaited) = (0, VecDeque::new());
    for round in 0..100 {
        for _ in 0..rng.usize(0..6) {
            number += 1;
            let text = format!("{number} {}", "z".repeat(rng.usize(0..3000)));
            client.text(&text).await;
            awaited.push_back(text);
        }
        for _ in 0..rng.usize(0..=awaited.len().min(5)) {
            let text = client.read_text().await;
            assert_eq!(Some(text), awaited.pop_front(), "round {round}");
        }
        if rng.bool() {
            client.ack().await;
        }
        match rng.u8(0..4) {
            0 => client.cut(),
            1 => client.fin(),
            2 => {
                let part = encode(Role::Client, OpCode::Binary, &[1; 500]);
                client.link().raw(&part[..rng.usize(1..500)]).await;
                if rng.bool() { client.cut() } else { client.fin() }
            }
            // The old link stays open.
            _ => {}
        }
        client.resume().await;
    }
    for text in awaited {
        assert_eq!(client.read_text().await, text);
    }
    client.all_acked().await;
    assert_eq!(echo.opened.load(Ordering::SeqCst), 1, "one backend connection all along");
    assert_eq!(gate.gateway.sessions(), 1);
}

/// A client may send before it gets the response, at first contact and on a resume.
#[tokio::test]
async fn words_right_behind_the_hello() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let mut behind = encode(Role::Client, OpCode::Text, b"one");
    behind.extend(encode(Role::Client, OpCode::Text, Packet::Probe("k".into()).encode().as_bytes()));
    behind.extend(&encode(Role::Client, OpCode::Text, b"two")[..5]);
    let tokens = offer(&[], &first("0123456789abcdef", 1));
    let stream = tokio::net::TcpStream::connect(gate.address).await.unwrap();
    let (link, mut server) =
        tokio::join!(upgrade(stream.into(), "/", &tokens, &[], &behind), backend.accept());
    let mut link = link.expect("101");
    let Some(Packet::Started(started)) = support::session::packet(&link.next().await) else { panic!("no S") };
    let mut client = Session::new(gate.address, "/", &started, link);
    client.link().raw(&encode(Role::Client, OpCode::Text, b"two")[5..]).await;
    client.sent = vec![(OpCode::Text, b"one".to_vec()), (OpCode::Text, b"two".to_vec())];
    assert_eq!(server.next().await, Got::text("one"));
    assert_eq!(server.next().await, Got::text("two"));
    assert_eq!(client.news().await, Packet::ProbeReply("k".into()));
    // On a resume, the numbers continue after the last unit that the gateway took; this client knows that it took both.
    client.packet(&Packet::AckNow).await;
    client.all_acked().await;
    client.n = 2;
    let tokens = offer(&[], &client.hello(2));
    let stream = tokio::net::TcpStream::connect(gate.address).await.unwrap();
    let behind = encode(Role::Client, OpCode::Text, b"three");
    let mut link = upgrade(stream.into(), "/", &tokens, &[], &behind).await.expect("101");
    let Some(Packet::Resumed(resumed)) = support::session::packet(&link.next().await) else { panic!("no R") };
    assert_eq!(resumed.rx, 2);
    assert_eq!(server.next().await, Got::text("three"));
}

/// The same first contact again is the same session, even while the first one still waits for its backend.
#[tokio::test]
async fn a_repeated_first_contact_opens_one_backend_connection() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let cid = "0123456789abcdef0123456789abcdef";

    // Twice while the backend is slow; the first client has disconnected by then.
    let tokens = offer(&[], &first(cid, 1));
    let impatient =
        tokio::time::timeout(std::time::Duration::from_millis(50), connect(gate.address, "/", &tokens, &[]));
    assert!(impatient.await.is_err());
    let second = hello(gate.address, "/", first(cid, 2), &[]);
    let answer = async {
        let (mut stream, head) = backend.request().await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        tokio::io::AsyncWriteExt::write_all(&mut stream, &support::answer(&head, &[])).await.unwrap();
        Peer::new(undrop_transport::Stream::from(stream), Role::Server, Vec::new())
    };
    let (second, mut server) = tokio::join!(second, answer);
    let (Answer::Started(two), mut link) = second.unwrap() else { panic!("no S") };
    assert_eq!(two.att, 2);
    assert!(backend.is_lonely().await, "one backend connection for both");

    // Again, as if `S` was lost: the client gets the same session, and the older link is superseded.
    let (Answer::Started(three), third) = hello(gate.address, "/", first(cid, 3), &[]).await.unwrap() else {
        panic!("no S")
    };
    assert_eq!((three.att, &three.sid, &three.key), (3, &two.sid, &two.key));
    assert_eq!(link.next().await, Got::text("\u{1f}m"));
    // A late repetition of an older attempt has no effect.
    let (stale, _) = hello(gate.address, "/", first(cid, 2), &[]).await.unwrap();
    assert_eq!(stale, Answer::Stale(1000));
    assert!(backend.is_lonely().await);

    // After the first message of the client, a first contact has to prove that it has the key.
    let mut client = Session::new(gate.address, "/", &three, third);
    client.text("mine").await;
    assert_eq!(server.next().await, Got::text("mine"));
    let (other, _another) = tokio::join!(hello(gate.address, "/", first(cid, 4), &[]), backend.accept());
    let (Answer::Started(other), _) = other.unwrap() else { panic!("no S") };
    assert_ne!(other.sid, three.sid, "a new session, not the confirmed one");
    server.text("yours").await;
    assert_eq!(client.read_text().await, "yours");
}
