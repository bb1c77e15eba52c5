//! Malformed and never-ending requests: each gets a response, and other connections are not affected.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::{Duration, Instant};

use support::peer::{KEY, encode, upgrade};
use support::{Backend, Gate, Got, connect, rest, soon};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use undrop_frame::{OpCode, Role};
use undrop_transport::Stream;

async fn gate() -> (Backend, Gate) {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[limits]\nmax_head = \"2KiB\"").await;
    (backend, gate)
}

/// Returns a request in which these lines replace the usual ones.
fn request(line: &str, fields: &[&str]) -> Vec<u8> {
    let mut text = format!("{line}\r\nHost: gate.example\r\n");
    for field in fields {
        text.push_str(field);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

const UPGRADE: &str = "Upgrade: websocket";
const CONNECTION: &str = "Connection: Upgrade";
const VERSION: &str = "Sec-WebSocket-Version: 13";

#[tokio::test]
async fn what_is_wrong_is_answered_and_the_backend_never_hears_of_it() {
    let (backend, gate) = gate().await;
    let mut bystander = gate.bystander().await;
    let key = format!("Sec-WebSocket-Key: {KEY}");
    let get = "GET / HTTP/1.1";
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        (
            "another version",
            request(get, &[UPGRADE, CONNECTION, &key, "Sec-WebSocket-Version: 8"]),
            426,
            "Sec-WebSocket-Version: 13\r\n",
        ),
        ("no Upgrade", request(get, &[CONNECTION, &key, VERSION]), 426, "Upgrade: websocket\r\n"),
        ("a bare GET", request(get, &[]), 426, "Sec-WebSocket-Version: 13\r\n"),
        ("a short key", request(get, &[UPGRADE, CONNECTION, "Sec-WebSocket-Key: abc", VERSION]), 400, "Key"),
        ("no key", request(get, &[UPGRADE, CONNECTION, VERSION]), 400, "Key"),
        ("two keys", request(get, &[UPGRADE, CONNECTION, &key, &key, VERSION]), 400, "Key"),
        ("HTTP/1.0", request("GET / HTTP/1.0", &[UPGRADE, CONNECTION, &key, VERSION]), 505, ""),
        ("a POST", request("POST / HTTP/1.1", &[UPGRADE, CONNECTION, &key, VERSION]), 405, "Allow: GET\r\n"),
        (
            "a body",
            request(get, &[UPGRADE, CONNECTION, &key, VERSION, "Content-Length: 5"]),
            400,
            "Content-Length",
        ),
        ("a folded field", request(get, &["X: a", " b", UPGRADE, CONNECTION, &key, VERSION]), 400, ""),
        ("garbage", b"\x00\x01\x02 nonsense\r\n\r\n".to_vec(), 400, ""),
        ("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), 400, ""),
        ("a head that is too large", request(get, &[&format!("X: {}", "x".repeat(3000))]), 431, ""),
        ("a head without end", vec![b'G'; 5000], 431, ""),
        (
            "an invalid hello",
            request(
                get,
                &[UPGRADE, CONNECTION, &key, VERSION, "Sec-WebSocket-Protocol: undrop.1, undrop.hello.AAAA"],
            ),
            400,
            "",
        ),
    ];
    for (name, bytes, status, says) in cases {
        let answer = gate.exchange(&bytes).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {answer:?}");
        assert!(answer.contains(says), "{name}: {answer:?}");
        assert!(answer.contains("\r\nConnection: "), "{name}: {answer:?}");
    }
    assert!(backend.is_lonely().await);
    bystander.is_fine().await;
}

#[tokio::test]
async fn tls_on_a_plain_port_is_cut_at_once() {
    let (_backend, gate) = gate().await;
    let mut bystander = gate.bystander().await;
    // The start of a ClientHello record.
    let answer = gate.exchange(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    assert_eq!(answer, "");
    bystander.is_fine().await;
}

/// Slowloris: neither silence nor single bytes keep a connection open beyond the deadline.
#[tokio::test]
async fn a_request_that_never_ends_has_a_deadline() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[limits]\nhandshake_timeout = \"500ms\"").await;
    let mut bystander = gate.bystander().await;
    let begin = Instant::now();
    let mut silent = TcpStream::connect(gate.address).await.unwrap();
    let mut slow = TcpStream::connect(gate.address).await.unwrap();
    let drip = async {
        for byte in
            b"GET / HTTP/1.1\r\nHost: gate.example\r\nX: ".iter().chain(std::iter::repeat_n(&b'x', 500))
        {
            if slow.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        rest(&mut slow).await
    };
    let (drip, silent) = tokio::join!(soon(drip), soon(rest(&mut silent)));
    // The slow writer continues on a closed socket, so a RST may destroy its response; the silent one gets its response.
    assert!(silent.starts_with("HTTP/1.1 408 "), "{silent:?}");
    assert!(drip.is_empty() || drip.starts_with("HTTP/1.1 408 "), "{drip:?}");
    assert!(begin.elapsed() >= Duration::from_millis(500));
    bystander.is_fine().await;
}

#[tokio::test]
async fn a_route_an_origin_and_the_way_to_the_backend() {
    let backend = Backend::new().await;
    let more = format!(
        "[[route]]\npath = \"/closed\"\nupstream = \"ws://{0}/deep/er/\"\norigins = [\"https://app.example\"]",
        backend.address
    );
    let gate = Gate::start_at(&format!("ws://{}/base", backend.address), &more).await;

    let protocols = ["chat".into(), "v2".into()];
    let good = connect(
        gate.address,
        "/closed/x?y=1&z=%20",
        &protocols,
        &[("Origin", "https://app.example"), ("Cookie", "a=b"), ("X-Forwarded-For", "192.0.2.7")],
    );
    let (good, (_, head)) = tokio::join!(good, backend.accept_with_head());
    let good = good.expect("101");
    assert_eq!(good.header("Sec-WebSocket-Protocol"), Some("chat"));
    assert_eq!(head.target, "/deep/er/closed/x?y=1&z=%20");
    let field = |name: &str| head.headers.get_str(name).unwrap_or_default().to_owned();
    assert_eq!(field("Sec-WebSocket-Protocol"), "chat, v2");
    assert_eq!(field("Cookie"), "a=b");
    assert_eq!(field("Origin"), "https://app.example");
    assert_eq!(field("Host"), "gate.example");
    assert_eq!(field("X-Forwarded-For"), "192.0.2.7, 127.0.0.1");

    let (status, text) =
        connect(gate.address, "/closed/x", &[], &[("Origin", "https://evil.example")]).await.err().unwrap();
    assert_eq!(status, 403, "{text}");
    assert!(backend.is_lonely().await, "a refused origin reaches no backend");

    // This path is not below `/closed`, so the default route applies, which allows any origin.
    let other = connect(gate.address, "/closedx", &[], &[("Origin", "https://evil.example")]);
    let (other, (_, head)) = tokio::join!(other, backend.accept_with_head());
    assert!(other.is_ok());
    assert_eq!(head.target, "/base/closedx");
}

#[tokio::test]
async fn a_route_that_is_not_there() {
    let backend = Backend::new().await;
    let text = format!(
        "listen = \"127.0.0.1:0\"\nworkers = 1\n[[route]]\npath = \"/chat\"\nupstream = \"ws://{}\"",
        backend.address
    );
    let config = undrop_gateway::config::parse(&text).and_then(undrop_gateway::Config::try_from).unwrap();
    let store = std::sync::Arc::new(undrop_store::MemoryStore::new());
    let gateway = undrop_gateway::Gateway::start(config, store, "n1").unwrap();
    let (status, _) = connect(gateway.addresses()[0], "/other", &[], &[]).await.err().unwrap();
    assert_eq!(status, 404);
}

#[tokio::test]
async fn first_frames_may_come_with_the_request_and_with_the_answer() {
    let (backend, gate) = gate().await;
    let stream = Stream::from(TcpStream::connect(gate.address).await.unwrap());
    let early = encode(Role::Client, OpCode::Text, b"early");
    let serve = async {
        let (mut stream, head) = backend.request().await;
        let hurry = [support::answer(&head, &[]), encode(Role::Server, OpCode::Text, b"hurry")].concat();
        stream.write_all(&hurry).await.unwrap();
        support::Peer::new(Stream::from(stream), Role::Server, Vec::new())
    };
    let (client, mut server) = tokio::join!(upgrade(stream, "/", &[], &[], &early), serve);
    assert_eq!(client.expect("101").next().await, Got::text("hurry"));
    assert_eq!(server.next().await, Got::text("early"));
}

/// Above the limit of connections, browsers are closed with a delay and other clients get 503. When a connection has
/// ended, another one is accepted.
#[tokio::test]
async fn a_full_gateway_says_when_to_come_back() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[limits]\nmax_connections = 1").await;
    let mut bystander = gate.bystander().await;
    let (status, text) = connect(gate.address, "/", &[], &[]).await.err().unwrap();
    assert_eq!(status, 503);
    assert!(text.contains("Retry-After: "), "{text}");
    let mut browser =
        connect(gate.address, "/", &[], &[("Origin", "https://app.example")]).await.expect("101");
    let Got::Close(1013, reason) = browser.next().await else { panic!("no 1013") };
    assert!(reason.starts_with("retry="), "{reason}");
    bystander.is_fine().await;
    drop(bystander);
    soon(async {
        while connect(gate.address, "/bystander", &[], &[]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
