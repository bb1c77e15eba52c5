//! The checks of a resume: forged, replayed and late hellos, and sessions that have ended.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use support::session::{Answer, In, Session, first, hello};
use support::{Backend, Echo, Gate, Got, Peer, connect, until};
use undrop_session::{Hello, LossReason, Lost, Packet, SessionId, SessionKey, offer};

async fn pair(gate: &Gate, backend: &Backend) -> (Session, Peer) {
    tokio::join!(Session::open(gate), backend.accept())
}

/// Sends a hello that requires a new backend connection.
async fn lost(gate: &Gate, backend: &Backend, say: Hello) -> (Lost, Peer, Peer) {
    let (answer, server) = tokio::join!(hello(gate.address, "/", say, &[]), backend.accept());
    match answer.expect("101") {
        (Answer::Lost(lost), link) => (lost, link, server),
        (other, _) => panic!("{other:?}"),
    }
}

/// The session still works in both directions, on its link.
async fn unharmed(client: &mut Session, server: &mut Peer) {
    client.text("still here").await;
    assert_eq!(server.next().await, Got::text("still here"));
    server.text("here too").await;
    assert_eq!(client.read_text().await, "here too");
}

#[tokio::test]
async fn a_forged_proof_gets_a_session_of_its_own_and_no_other() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    unharmed(&mut client, &mut server).await;
    let forger = SessionKey::new([7; 32]);
    let Hello::Resume { mac, .. } = client.hello(9) else { unreachable!() };
    for say in [
        Hello::resume(&client.sid, &forger, 2, 0),
        // A valid proof, for another attempt number.
        Hello::Resume { sid: client.sid.clone(), n: 10, rx: client.rx, mac: mac.clone() },
        Hello::Resume { sid: client.sid.clone(), n: 9, rx: 0, mac },
    ] {
        let (lost, ..) = lost(&gate, &backend, say).await;
        assert_eq!((lost.why, lost.acc, lost.lost), (LossReason::Unknown, 0, None));
        assert_ne!(lost.session.sid, client.sid);
        unharmed(&mut client, &mut server).await;
    }
}

#[tokio::test]
async fn a_replayed_or_late_hello_is_told_to_go_and_changes_nothing() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    unharmed(&mut client, &mut server).await;
    let captured = client.hello(5);
    client.n = 4;
    client.resume().await;
    for say in [captured.clone(), client.hello(4), client.hello(1)] {
        let (answer, mut link) = hello(gate.address, "/", say, &[]).await.unwrap();
        assert_eq!(answer, Answer::Stale(1000));
        assert_eq!(link.next().await, Got::Fin);
        unharmed(&mut client, &mut server).await;
    }
    // Also while it is detached.
    client.cut();
    let (answer, _) = hello(gate.address, "/", captured, &[]).await.unwrap();
    assert_eq!(answer, Answer::Stale(1000));
    client.resume().await;
    unharmed(&mut client, &mut server).await;
    assert!(backend.is_lonely().await);
}

#[tokio::test]
async fn a_client_that_took_what_was_never_sent_begins_anew() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    unharmed(&mut client, &mut server).await;
    client.rx = 2;
    let say = client.hello(2);
    let (lost, link, second) = lost(&gate, &backend, say).await;
    assert_eq!((lost.why, lost.acc, lost.lost), (LossReason::Skew, 1, None));
    assert_eq!(lost.session.att, 2);
    // The old backend connection and the old link have ended; the new session works.
    assert!(matches!(server.next().await, Got::Close(1001, _)));
    assert!(matches!(client.ending().await, Got::Close(..)));
    let (mut client, mut server) = (Session::new(gate.address, "/", &lost.session, link), second);
    unharmed(&mut client, &mut server).await;
    client.cut();
    client.resume().await;
    unharmed(&mut client, &mut server).await;
}

#[tokio::test]
async fn strangers_and_sessions_of_other_nodes() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let key = SessionKey::new([1; 32]);
    for (node, why) in [("n1", LossReason::Unknown), ("n2", LossReason::NodeLost)] {
        let sid = SessionId::new(node, [3; 16]).unwrap();
        let (lost, link, mut server) = lost(&gate, &backend, Hello::resume(&sid, &key, 7, 5)).await;
        assert_eq!((lost.why, lost.acc, lost.lost), (why, 0, None));
        assert_eq!((lost.session.sid.node(), lost.session.att), ("n1", 7));
        let mut client = Session::new(gate.address, "/", &lost.session, link);
        unharmed(&mut client, &mut server).await;
    }
}

#[tokio::test]
async fn a_session_waits_for_its_time_to_live_and_no_longer() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[session]\nttl = \"1s\"").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    unharmed(&mut client, &mut server).await;
    client.text("taken").await;
    assert_eq!(server.next().await, Got::text("taken"));
    server.text("never read").await;
    server.text("neither").await;
    client.fin();
    // Only the clock advances.
    let begin = std::time::Instant::now();
    assert!(matches!(server.next().await, Got::Close(1001, _)));
    assert!(begin.elapsed() >= Duration::from_millis(900));
    until(|| gate.gateway.sessions() == 0).await;

    let say = client.hello(2);
    let (received, link, mut second) = lost(&gate, &backend, say).await;
    assert_eq!((received.why, received.acc, received.lost), (LossReason::Expired, 2, Some((2, 3))));
    // If the response is lost and the client asks again, it gets the same new session and the same backend connection.
    link.cut();
    let (again, link) = hello(gate.address, "/", client.hello(3), &[]).await.unwrap();
    let Answer::Lost(again) = again else { panic!("{again:?}") };
    assert_eq!((again.why, again.acc, again.lost), (received.why, received.acc, received.lost));
    assert_eq!((&again.session.sid, again.session.att), (&received.session.sid, 3));
    assert!(backend.is_lonely().await);
    let mut client = Session::new(gate.address, "/", &again.session, link);
    unharmed(&mut client, &mut second).await;
}

/// Detached sessions share a budget: the one with the largest buffers is evicted first, and no other.
#[tokio::test]
async fn the_largest_parked_session_is_evicted() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[session]\nparked_budget = \"64KiB\"").await;
    let (mut small, mut small_server) = pair(&gate, &backend).await;
    let (mut large, mut large_server) = pair(&gate, &backend).await;
    unharmed(&mut small, &mut small_server).await;
    unharmed(&mut large, &mut large_server).await;
    small.fin();
    large.fin();
    small_server.text(&"s".repeat(20_000)).await;
    for _ in 0..3 {
        large_server.text(&"l".repeat(20_000)).await;
    }
    assert!(matches!(large_server.ending().await, Got::Close(1001, _)));
    until(|| gate.gateway.sessions() == 1).await;
    let say = large.hello(2);
    let (received, ..) = lost(&gate, &backend, say).await;
    assert_eq!((received.why, received.acc), (LossReason::Evicted, 1));
    let (from, to) = received.lost.expect("a range");
    assert!(from == 2 && to >= 2, "{received:?}");
    small.resume().await;
    assert_eq!(small.read_text().await.len(), 20_000);
    unharmed(&mut small, &mut small_server).await;
}

/// A session belongs to the origin and the route that opened it.
#[tokio::test]
async fn another_origin_or_route_cannot_take_it_over() {
    let backend = Backend::new().await;
    let more = format!("[[route]]\npath = \"/other\"\nupstream = \"ws://{}\"", backend.address);
    let gate = Gate::start(backend.address, &more).await;
    let ours = [("Origin", "https://app.example")];
    let theirs = [("Origin", "https://evil.example")];
    let cid = "0123456789abcdef";
    let (opened, mut server) = tokio::join!(hello(gate.address, "/", first(cid, 1), &ours), backend.accept());
    let (Answer::Started(started), link) = opened.unwrap() else { panic!("no S") };
    // The same first contact from another origin or route is a different one.
    let (other, _) = tokio::join!(hello(gate.address, "/", first(cid, 2), &theirs), backend.accept());
    let (Answer::Started(other), _) = other.unwrap() else { panic!("no S") };
    assert_ne!(other.sid, started.sid);

    let mut client = Session::new(gate.address, "/", &started, link);
    client.headers = ours.to_vec();
    unharmed(&mut client, &mut server).await;
    for (target, headers) in [("/", &theirs[..]), ("/", &[]), ("/other", &ours)] {
        let say = client.hello(5);
        let (answer, _) = tokio::join!(hello(gate.address, target, say, headers), backend.accept());
        let (Answer::Lost(received), _) = answer.unwrap() else {
            panic!("taken over by {headers:?} at {target}")
        };
        assert_eq!((received.why, received.acc), (LossReason::Unknown, 0));
        unharmed(&mut client, &mut server).await;
    }
    client.cut();
    client.resume().await;
    unharmed(&mut client, &mut server).await;
}

/// A resume is checked like any request, against the allowed origins of its route and against the limit of connections,
/// where it counts once.
#[tokio::test]
async fn a_resume_skips_no_check_and_is_not_counted_twice() {
    let echo = Echo::start().await;
    let backend = Backend::new().await;
    let more = format!(
        "[limits]\nmax_connections = 3\n[[route]]\npath = \"/closed\"\nupstream = \"ws://{}\"\norigins = [\"https://a.example\"]",
        backend.address
    );
    let gate = Gate::start(echo.address, &more).await;
    let good = [("Origin", "https://a.example")];
    let (opened, _server) =
        tokio::join!(hello(gate.address, "/closed", first("0123456789abcdef", 1), &good), backend.accept());
    let (Answer::Started(started), link) = opened.unwrap() else { panic!("no S") };
    let mut closed = Session::new(gate.address, "/closed", &started, link);
    let bad = [("Origin", "https://b.example")];
    let tokens = offer(&[], &closed.hello(2));
    let refused = connect(gate.address, "/closed", &tokens, &bad).await.err().expect("a refusal");
    assert_eq!(refused.0, 403);

    // The limit is reached with three sessions. Each of them can be resumed, with or without a link; a fourth is refused.
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(Session::open(&gate).await);
    }
    closed.cut();
    closed.headers = good.to_vec();
    closed.resume().await;
    for other in &mut others {
        other.resume().await;
        other.text("back").await;
        assert_eq!(other.read_text().await, "back");
    }
    let tokens = offer(&[], &first("ffffffffffffffff", 1));
    let mut fourth = connect(gate.address, "/", &tokens, &[]).await.expect("accepted and then closed");
    assert_eq!(
        fourth.header("Sec-WebSocket-Protocol"),
        Some("undrop.1"),
        "else it would go on without a session"
    );
    assert!(matches!(fourth.next().await, Got::Close(1013, reason) if reason.starts_with("retry=")));
    // A forged hello does not bypass the limit.
    let forged = Hello::resume(&closed.sid, &SessionKey::new([9; 32]), 9, 0);
    let mut forger =
        connect(gate.address, "/", &offer(&[], &forged), &[]).await.expect("accepted and then closed");
    assert!(matches!(forger.next().await, Got::Close(1013, _)));
}

/// If the backend refuses a client, the client gets the response of the backend instead of a session.
#[tokio::test]
async fn no_backend_no_session() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[backend]\nhandshake_timeout = \"800ms\"").await;
    let tokens = offer(&[], &first("0123456789abcdef", 1));
    let serve = async {
        let (mut stream, head) = backend.request().await;
        assert_eq!(head.headers.get_str("Sec-WebSocket-Protocol"), None, "our tokens are stripped");
        let words = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
        tokio::io::AsyncWriteExt::write_all(&mut stream, words).await.unwrap();
        stream
    };
    let (refused, _) = tokio::join!(connect(gate.address, "/", &tokens, &[]), serve);
    let (status, text) = refused.err().expect("a refusal");
    assert!(status == 403 && text.ends_with("no"), "{text}");
    // The next attempt of the same first contact dials again and hangs, and another one waits for it.
    let impatient = [2, 3].map(|n| offer(&[], &first("0123456789abcdef", n)));
    let (one, two) = tokio::join!(
        connect(gate.address, "/", &impatient[0], &[]),
        connect(gate.address, "/", &impatient[1], &[])
    );
    assert_eq!((one.err().unwrap().0, two.err().unwrap().0), (504, 504));
    assert_eq!(gate.gateway.sessions(), 0);
    // The two hanging requests came one after the other.
    for _ in 0..2 {
        drop(backend.request().await);
    }
    let (good, mut server) =
        tokio::join!(hello(gate.address, "/", first("0123456789abcdef", 4), &[]), backend.accept());
    let (Answer::Started(started), link) = good.unwrap() else { panic!("no S") };
    let mut client = Session::new(gate.address, "/", &started, link);
    unharmed(&mut client, &mut server).await;
    client.packet(&Packet::AckNow).await;
    assert_eq!(client.next().await, In::Packet(Packet::Ack(1)));
}
