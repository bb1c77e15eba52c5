//! Sessions that are closed on purpose: code and reason of one side reach the other, after everything sent before.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use support::session::{Answer, In, Session, hello};
use support::{Backend, Gate, Got, Peer, until};
use tokio::time::timeout;
use undrop_frame::{CloseCode, OpCode, Role};
use undrop_session::{Close, Packet};

async fn pair(gate: &Gate, backend: &Backend) -> (Session, Peer) {
    tokio::join!(Session::open(gate), backend.accept())
}

fn close(code: u16, reason: &str) -> Packet {
    Packet::Close(Close::new(CloseCode::new(code), reason))
}

/// Sends the sequenced close, as a unit.
async fn say_close(client: &mut Session, code: u16, reason: &str) {
    client.sent.push((OpCode::Text, close(code, reason).encode().into_bytes()));
    client.packet(&close(code, reason)).await;
}

#[tokio::test]
async fn the_clients_close_reaches_the_backend() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    for manners in ["close", "fin", "rst", "full of words"] {
        let (mut client, mut server) = pair(&gate, &backend).await;
        if manners == "full of words" {
            // More than all buffers hold, and it is not read; the close arrives nevertheless.
            let words = [1; 50_000];
            while timeout(Duration::from_millis(200), server.try_send(OpCode::Binary, &words)).await.is_ok() {
            }
        }
        client.text("last words").await;
        say_close(&mut client, 4007, "done with it").await;
        assert_eq!(server.next().await, Got::text("last words"), "{manners}");
        assert_eq!(server.next().await, Got::Close(4007, "done with it".into()), "{manners}");
        match manners {
            "close" => server.close(4007, "").await,
            "fin" => server.fin(),
            "rst" => server.cut(),
            _ => server.fin(),
        }
        let begin = std::time::Instant::now();
        while client.acked < 2 {
            assert!(matches!(client.next().await, In::Packet(_) | In::Data(..)), "{manners}");
        }
        assert_eq!(client.ending().await, Got::Close(1000, String::new()), "{manners}");
        until(|| gate.gateway.sessions() == 0).await;
        assert!(begin.elapsed() < Duration::from_secs(4), "{manners}: by the deadline only");
    }
}

/// The reply to a close may be lost with its link. When the client asks again, the gateway repeats the reply; nothing is
/// sent twice, and no backend connection is opened.
#[tokio::test]
async fn a_close_whose_ack_was_lost_is_still_known() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    for over in [false, true] {
        let (mut client, mut server) = pair(&gate, &backend).await;
        client.text("only once").await;
        say_close(&mut client, 1000, "bye").await;
        assert_eq!(server.next().await, Got::text("only once"));
        assert_eq!(server.next().await, Got::Close(1000, "bye".into()));
        client.cut();
        if over {
            server.close(1000, "").await;
            until(|| gate.gateway.sessions() == 0).await;
        }
        let (answer, mut link) = client.attempt().await;
        let Answer::Resumed(resumed) = answer else { panic!("{answer:?}") };
        assert_eq!((resumed.att, resumed.rx, resumed.start), (2, 2, 1));
        if !over {
            server.close(1000, "").await;
        }
        assert!(matches!(link.ending().await, Got::Close(1000, _)));
        assert!(backend.is_lonely().await, "no second backend connection");
    }
    // This requires the key of the session.
    let (mut client, mut server) = pair(&gate, &backend).await;
    say_close(&mut client, 1000, "").await;
    assert!(matches!(server.next().await, Got::Close(1000, _)));
    server.close(1000, "").await;
    until(|| gate.gateway.sessions() == 0).await;
    client.key = undrop_session::SessionKey::new([0; 32]);
    let say = client.hello(2);
    let (answer, _) = tokio::join!(hello(gate.address, "/", say, &[]), backend.accept());
    assert!(matches!(answer.unwrap().0, Answer::Lost(_)));
}

#[tokio::test]
async fn the_backends_close_reaches_the_client_behind_its_last_words() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    for (said, heard, why) in
        [(Some((4001, "quota")), 4001, "quota"), (Some((1000, "")), 1000, ""), (None, 1014, "FIN")]
    {
        let (mut client, mut server) = pair(&gate, &backend).await;
        server.text("one").await;
        server.text("two").await;
        // An unfinished message is not a message.
        server.raw(b"\x01\x03abc").await;
        match said {
            Some((code, reason)) => {
                server.close(code, reason).await;
                assert_eq!(server.next().await, Got::Close(code, String::new()), "it is answered at once");
            }
            None => server.fin(),
        }
        assert_eq!(client.read_text().await, "one");
        // The link is lost, but the close is not.
        client.cut();
        client.resume().await;
        assert_eq!(client.read_text().await, "two");
        let Packet::Close(close) = client.news().await else { panic!("no x") };
        assert_eq!(close.code.get(), heard);
        assert!(close.reason.contains(why), "{}", close.reason);
        // The session ends only after the client has acknowledged the close.
        assert_eq!(gate.gateway.sessions(), 1);
        client.ack().await;
        assert_eq!(client.ending().await, Got::Close(1000, String::new()));
        until(|| gate.gateway.sessions() == 0).await;
    }
}

/// A Close frame without a code is valid, and a backend may close while its client is disconnected.
#[tokio::test]
async fn a_close_without_code_while_the_client_is_away() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    client.text("hello").await;
    assert_eq!(server.next().await, Got::text("hello"));
    client.fin();
    server.text("goodbye").await;
    server.raw(b"\x88\x00").await;
    assert_eq!(server.next().await, Got::Close(1005, String::new()));
    client.resume().await;
    assert_eq!(client.read_text().await, "goodbye");
    let Packet::Close(close) = client.news().await else { panic!("no x") };
    assert_eq!(close.code, CloseCode::NO_STATUS);
    // Messages that the client sends now are discarded and not acknowledged.
    client.text("too late").await;
    client.packet(&Packet::AckNow).await;
    assert_eq!(client.next().await, In::Packet(Packet::Ack(1)));
    client.ack().await;
    assert_eq!(client.ending().await, Got::Close(1000, String::new()));
}

/// Both sides close at the same time, and neither waits for the other.
#[tokio::test]
async fn closes_that_cross() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    for _ in 0..10 {
        let (mut client, mut server) = pair(&gate, &backend).await;
        tokio::join!(say_close(&mut client, 4001, "mine"), server.close(4002, "yours"));
        let begin = std::time::Instant::now();
        assert!(matches!(client.ending().await, Got::Close(1000, _)));
        assert!(matches!(server.ending().await, Got::Close(4001 | 4002, _)));
        until(|| gate.gateway.sessions() == 0).await;
        assert!(begin.elapsed() < Duration::from_secs(4), "a deadline was waited for");
    }
}

/// Messages that are read together with a Close, on either side of the handshake.
#[tokio::test]
async fn a_backend_that_closes_with_its_first_breath() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let serve = async {
        let (mut stream, head) = backend.request().await;
        let mut bytes = support::answer(&head, &[]);
        bytes.extend(support::peer::encode(Role::Server, OpCode::Text, b"hello and"));
        bytes.extend(b"\x88\x05\x0f\xa1bye");
        tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes).await.unwrap();
        stream
    };
    let (mut client, _kept) = tokio::join!(Session::open(&gate), serve);
    assert_eq!(client.read_text().await, "hello and");
    assert_eq!(client.news().await, close(4001, "bye"));
    client.ack().await;
    assert_eq!(client.ending().await, Got::Close(1000, String::new()));
}
