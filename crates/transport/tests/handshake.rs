//! The opening handshake in both roles, with peers that are faulty, slow or silent.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::Instant;
use undrop_frame::handshake::{Headers, accept_key, response_101};
use undrop_transport::{
    AcceptError, ConnectRequest, ConnectStage, Connected, DialOptions, Ending, Stream, UpgradeError, WsUrl,
    connect, random_key, read_request, upgrade,
};

const REQUEST: &[u8] = b"GET /chat?x=1 HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\n\r\n";

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn a_request_in_any_pieces_and_what_is_behind_it() {
    for size in [1, 2, 7, 1000] {
        let (ours, mut raw) = duplex(4096);
        let mut ours = Stream::from(ours);
        let all = [REQUEST, b"\x81\x80frame"].concat();
        let writer = tokio::spawn(async move {
            for piece in all.chunks(size) {
                raw.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            raw
        });
        let (head, mut behind) = read_request(&mut ours, 4096, soon()).await.unwrap();
        assert_eq!(
            (head.target.as_str(), head.headers.get("host")),
            ("/chat?x=1", Some(&b"example.org"[..]))
        );
        drop(writer.await.unwrap());
        ours.read_to_end(&mut behind).await.unwrap();
        assert_eq!(behind, b"\x81\x80frame", "pieces of {size}");
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_at_once() {
    let huge = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 5000]].concat();
    for (bytes, status) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], None),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Some(400)),
        (b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\nGET / HTTP/1.1\r\n\r\n", Some(400)),
        (b"GET / HTTP/1.1\nHost: x\n\n", Some(400)),
        (b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", Some(400)),
        (&huge, Some(431)),
    ] {
        let (ours, mut raw) = duplex(8192);
        raw.write_all(bytes).await.unwrap();
        let error = read_request(&mut ours.into(), 4096, soon()).await.unwrap_err();
        assert_eq!(error.status(), status, "{error}");
        assert_eq!(matches!(error, AcceptError::Tls), status.is_none());
    }
}

#[tokio::test]
async fn a_peer_that_leaves_before_or_during_the_request() {
    for (bytes, midway) in [(&b""[..], false), (b"GET / HT", true)] {
        let (ours, mut raw) = duplex(64);
        raw.write_all(bytes).await.unwrap();
        drop(raw);
        let error = read_request(&mut ours.into(), 4096, soon()).await.unwrap_err();
        assert_eq!(matches!(error, AcceptError::ClosedMidway), midway, "{error}");
        assert_eq!(matches!(error, AcceptError::Closed), !midway, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn slowloris_gains_nothing_by_sending_a_byte_now_and_then() {
    let (ours, mut raw) = duplex(4096);
    let drip = tokio::spawn(async move {
        loop {
            for byte in b"GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
                if raw.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    });
    let start = Instant::now();
    let error = read_request(&mut ours.into(), 4096, start + Duration::from_secs(10)).await.unwrap_err();
    assert!(matches!(error, AcceptError::Timeout), "{error}");
    assert_eq!((error.status(), start.elapsed()), (Some(408), Duration::from_secs(10)));
    drip.await.unwrap();
}

/// Replies to the client's request with `response`, in which `KEY` is replaced by the valid accept value, then closes or
/// waits.
async fn answered(response: &str, close: bool) -> Result<Connected, UpgradeError> {
    let (ours, mut raw) = duplex(1 << 20);
    let key = random_key().unwrap();
    let response = response.replace("KEY", &accept_key(&key));
    let server = tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(raw.read_u8().await.unwrap());
        }
        raw.write_all(response.as_bytes()).await.unwrap();
        if !close {
            std::future::pending::<()>().await;
        }
    });
    let protocols = ["chat".to_owned()];
    let (url, headers): (WsUrl, _) = ("ws://example.org/".parse().unwrap(), Headers::new());
    let request = ConnectRequest {
        key: Some(&key),
        protocols: &protocols,
        upgrade_timeout: Duration::from_secs(5),
        body_limit: 1000,
        ..ConnectRequest::new(&url, &headers)
    };
    let result = upgrade(ours.into(), &request).await;
    server.abort();
    result
}

const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: KEY\r\n";

#[tokio::test]
async fn a_good_answer_with_the_first_frame_behind_it() {
    let upgraded = answered(&format!("{GOOD}Sec-WebSocket-Protocol: chat\r\n\r\nframe"), true).await.unwrap();
    assert_eq!(upgraded.accepted.protocol.as_deref(), Some("chat"));
    assert_eq!(upgraded.leftover, b"frame");
    let interim = format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{GOOD}\r\n");
    assert_eq!(answered(&interim, true).await.unwrap().head.status, 101);
}

#[tokio::test]
async fn answers_that_break_the_rules() {
    for response in [
        format!("{}\r\n", GOOD.replace("KEY", "c3VyZWx5IG5vdCB0aGlzIG9uZQ==")),
        format!("{}\r\n", GOOD.replace("Upgrade: websocket\r\n", "")),
        format!("{}\r\n", GOOD.replace("Connection: Upgrade\r\n", "")),
        format!("{GOOD}Sec-WebSocket-Protocol: other\r\n\r\n"),
        format!("{GOOD}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
        "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(20),
        "\x16\x03\x01 not HTTP\r\n\r\n".to_owned(),
        format!("HTTP/1.1 101 X\r\nX: {}", "a".repeat(20_000)),
    ] {
        let error = answered(&response, true).await.unwrap_err();
        assert!(matches!(error, UpgradeError::Malformed(_)), "{response:.60}: {error}");
    }
    let error = answered("HTTP/1.1 1", true).await.unwrap_err();
    assert!(matches!(error, UpgradeError::Closed), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_comes_with_status_headers_and_a_bounded_body() {
    let long = "y".repeat(5000);
    for (response, close, body) in [
        ("HTTP/1.1 403 Forbidden\r\nX-Why: rules\r\nContent-Length: 2\r\n\r\nno".to_owned(), false, "no"),
        (
            "HTTP/1.1 403 Forbidden\r\nX-Why: rules\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n".to_owned(),
            false,
            "no",
        ),
        ("HTTP/1.1 403 Forbidden\r\nX-Why: rules\r\n\r\nuntil close".to_owned(), true, "until close"),
        // The body ends at the deadline.
        ("HTTP/1.1 403 Forbidden\r\nX-Why: rules\r\nContent-Length: 99\r\n\r\nhalf".to_owned(), false, "half"),
        (format!("HTTP/1.1 403 Forbidden\r\nX-Why: rules\r\n\r\n{long}"), false, &long[..1000]),
    ] {
        let error = answered(&response, close).await.unwrap_err();
        assert_eq!(error.to_string(), "the server answered 403 Forbidden");
        let UpgradeError::Refused { head, body: found } = error else { panic!() };
        assert_eq!(head.headers.get("x-why"), Some(&b"rules"[..]));
        assert_eq!(String::from_utf8(found).unwrap(), body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers() {
    let start = Instant::now();
    assert!(matches!(answered("HTTP/1.1 101 Sw", false).await, Err(UpgradeError::Timeout)));
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn our_own_server_half_and_client_half_fit() {
    let (ours, raw) = duplex(4096);
    let mut raw = Stream::from(raw);
    let server = tokio::spawn(async move {
        let (head, _) = read_request(&mut raw, 4096, soon()).await.unwrap();
        let asked = undrop_frame::handshake::check_upgrade(&head).unwrap();
        raw.write_all(&response_101(&asked.key, None, None, &[])).await.unwrap();
        raw
    });
    let (url, headers): (WsUrl, _) = ("ws://example.org/".parse().unwrap(), Headers::new());
    upgrade(ours.into(), &ConnectRequest::new(&url, &headers)).await.unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn connect_reports_the_phase_that_failed_and_the_time_of_each() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = tokio::spawn(async move {
        for accept in [true, false] {
            let mut stream = Stream::from(listener.accept().await.unwrap().0);
            let (head, _) = read_request(&mut stream, 4096, soon()).await.unwrap();
            assert_eq!((head.target.as_str(), head.headers.get("host")), ("/a?b", Some(&b"front"[..])));
            let asked = undrop_frame::handshake::check_upgrade(&head).unwrap();
            let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno".to_vec();
            let response = if accept { response_101(&asked.key, None, None, &[]) } else { refusal };
            stream.write_all(&response).await.unwrap();
        }
    });
    let (url, headers): (WsUrl, _) = (format!("ws://{address}/a?b").parse().unwrap(), Headers::new());
    let request = ConnectRequest { host: Some("front"), ..ConnectRequest::new(&url, &headers) };
    let options = DialOptions::default();
    let connected = connect(&request, &options).await.unwrap();
    assert!(connected.timings.connect > Duration::ZERO && connected.timings.upgrade > Duration::ZERO);
    assert_eq!(connected.timings.tls, None);
    let error = connect(&request, &options).await.unwrap_err();
    assert_eq!(
        (error.stage(), error.explain().as_str()),
        (ConnectStage::Handshake, "the server answered 403 Forbidden: no")
    );
    serve.await.unwrap();
    let error = connect(&request, &options).await.unwrap_err();
    assert_eq!((error.stage(), error.ending()), (ConnectStage::Connect, Ending::Refused));
}
