//! Connections through scripted forward proxies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use undrop_frame::ProxyFault;
use undrop_transport::{
    DialError, DialOptions, DialPhase, Ending, ProxyChoice, ProxyError, SocksReply, Stream, dial,
};
use url::Url;

/// Expects each request in turn and sends the response to it. Returns the connection at the end.
async fn proxy(script: Vec<(Vec<u8>, Vec<u8>)>) -> (String, JoinHandle<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for (expected, answer) in script {
            let mut got = vec![0; expected.len()];
            stream.read_exact(&mut got).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&expected));
            stream.write_all(&answer).await.unwrap();
        }
        stream
    });
    (address, task)
}

async fn through(proxy: &str, target: &str) -> Result<Stream, DialError> {
    let options = DialOptions {
        proxy: ProxyChoice::Fixed(proxy.parse().unwrap()),
        handshake_timeout: Duration::from_millis(500),
        ..DialOptions::default()
    };
    dial(&Url::parse(target).unwrap(), &options).await
}

const CONNECT: &str = "CONNECT chat.example:80 HTTP/1.1\r\nHost: chat.example:80\r\n";

fn script(steps: &[(&[u8], &[u8])]) -> Vec<(Vec<u8>, Vec<u8>)> {
    steps.iter().map(|(expected, answer)| (expected.to_vec(), answer.to_vec())).collect()
}

#[tokio::test]
async fn http_connect_with_basic_credentials() {
    let request = format!("{CONNECT}Proxy-Authorization: Basic YW5uYTpodW50ZXI6Mg==\r\n\r\n");
    let answer = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
    let (address, task) = proxy(script(&[(request.as_bytes(), answer), (b"ping", b"pong")])).await;
    let mut stream =
        through(&format!("http://anna:hunter%3A2@{address}"), "ws://chat.example/x").await.unwrap();
    stream.write_all(b"ping").await.unwrap();
    let mut read = [0; 4];
    stream.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"pong");
    task.await.unwrap();
}

#[tokio::test]
async fn http_proxies_that_refuse() {
    let request = format!("{CONNECT}\r\n");
    for (answer, words) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "proxy: authentication is required"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "proxy: CONNECT failed with status 502"),
        ("HTTP/1.1 200 OK\r\n\r\nhello", "proxy: unexpected response: data before the tunnel was used"),
        ("what?\r\n\r\n", "proxy: unexpected response: malformed HTTP head"),
    ] {
        let (address, _task) = proxy(script(&[(request.as_bytes(), answer.as_bytes())])).await;
        let error = through(&format!("http://{address}"), "ws://chat.example/").await.unwrap_err();
        assert!(error.to_string().starts_with(words), "{error}");
        assert!(matches!(error.ending(), Ending::ProtocolError(_)));
    }
    let (address, task) = proxy(script(&[(request.as_bytes(), b"")])).await;
    let error = tokio::join!(through(&address, "ws://chat.example/"), async { drop(task.await.unwrap()) })
        .0
        .unwrap_err();
    assert!(matches!(error, DialError::Proxy(ProxyError::Closed)), "{error}");
}

#[tokio::test]
async fn a_proxy_that_does_not_answer() {
    let (address, _task) = proxy(script(&[(b"CONNECT", b""), (&[0; 500], b"")])).await;
    let error = through(&address, "ws://chat.example/").await.unwrap_err();
    assert!(matches!(error, DialError::Timeout(DialPhase::Proxy)), "{error}");
}

#[tokio::test]
async fn socks5_with_password_and_the_name_sent_to_the_proxy() {
    let steps: &[(&[u8], &[u8])] = &[
        (b"\x05\x02\x00\x02", b"\x05\x02"),
        (b"\x01\x04anna\x02pw", b"\x01\x00"),
        (b"\x05\x01\x00\x03\x0cchat.example\x00\x50", b"\x05\x00\x00\x03\x04host\x12\x34"),
        (b"ping", b"pong"),
    ];
    let (address, task) = proxy(script(steps)).await;
    let mut stream = through(&format!("socks5h://anna:pw@{address}"), "ws://chat.example/").await.unwrap();
    stream.write_all(b"ping").await.unwrap();
    let mut read = [0; 4];
    stream.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"pong");
    task.await.unwrap();
}

#[tokio::test]
async fn socks5_with_addresses_of_both_families() {
    for (target, request) in [
        ("ws://192.0.2.7:81/", &b"\x05\x01\x00\x01\xc0\x00\x02\x07\x00\x51"[..]),
        ("ws://[2001:db8::1]:81/", b"\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x51"),
    ] {
        let answer: &[u8] = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34";
        let (address, task) = proxy(script(&[(b"\x05\x01\x00", b"\x05\x00"), (request, answer)])).await;
        through(&format!("socks5://{address}"), target).await.unwrap();
        task.await.unwrap();
    }
}

#[tokio::test]
async fn socks5_refusals_are_told_apart() {
    let request = b"\x05\x01\x00\x03\x0cchat.example\x00\x50";
    for (reply, ending) in [(5, Ending::Refused), (4, Ending::BlackHole)] {
        let answer = [5, reply, 0, 1, 0, 0, 0, 0, 0, 0];
        let (address, _task) = proxy(script(&[(b"\x05\x01\x00", b"\x05\x00"), (request, &answer)])).await;
        let error = through(&format!("socks5h://{address}"), "ws://chat.example/").await.unwrap_err();
        assert!(
            matches!(&error, DialError::Proxy(ProxyError::Fault(ProxyFault::Socks(SocksReply(r)))) if *r == reply),
            "{error}"
        );
        assert_eq!(error.ending(), ending);
    }
    for (proxy_url, steps) in [
        ("socks5h://", &[(&b"\x05\x01\x00"[..], &b"\x05\xff"[..])][..]),
        ("socks5h://a:b@", &[(b"\x05\x02\x00\x02", b"\x05\x02"), (b"\x01\x01a\x01b", b"\x01\x01")]),
    ] {
        let (address, _task) = proxy(script(steps)).await;
        let error = through(&format!("{proxy_url}{address}"), "ws://chat.example/").await.unwrap_err();
        assert!(matches!(error, DialError::Proxy(ProxyError::Fault(ProxyFault::Authentication))), "{error}");
        assert!(error.is_permanent());
    }
    let (address, _task) = proxy(script(&[(b"\x05\x01\x00", b"HTTP/1.1 400")])).await;
    let error = through(&format!("socks5h://{address}"), "ws://chat.example/").await.unwrap_err();
    assert!(matches!(error, DialError::Proxy(ProxyError::Fault(ProxyFault::Protocol(_)))), "{error}");
}
