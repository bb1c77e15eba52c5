//! Listening sockets: shared ports, options and PROXY headers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use undrop_transport::{DialError, DialOptions, ListenOptions, Listener, ProxyHeaderError, dial};
use url::Url;

const ANY: &str = "127.0.0.1:0";

fn bind(options: ListenOptions) -> (Listener, SocketAddr) {
    let listener = Listener::bind(ANY.parse().unwrap(), options).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn trusting(nets: &[&str]) -> ListenOptions {
    let proxy_protocol = nets.iter().map(|net| net.parse().unwrap()).collect();
    ListenOptions { proxy_protocol, proxy_timeout: Duration::from_millis(200), ..ListenOptions::default() }
}

#[tokio::test]
async fn a_trusted_balancer_names_the_client() {
    let (listener, address) = bind(trusting(&["10.0.0.0/8", "127.0.0.0/8"]));
    let mut balancer = TcpStream::connect(address).await.unwrap();
    balancer.write_all(b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\nGET").await.unwrap();
    let (mut stream, mut peer) = listener.accept().await.unwrap();
    listener.proxy_header(&mut stream, &mut peer).await.unwrap();
    assert_eq!(peer.proxied_addr, Some("203.0.113.7:56324".parse().unwrap()));
    assert_eq!(peer.client().to_string(), "203.0.113.7");
    assert_eq!(peer.addr, balancer.local_addr().unwrap());
    let mut rest = [0; 3];
    stream.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"GET");
}

#[tokio::test]
async fn a_header_from_anybody_else_is_just_bytes() {
    let (listener, address) = bind(trusting(&["10.0.0.0/8"]));
    let mut stranger = TcpStream::connect(address).await.unwrap();
    stranger.write_all(b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n").await.unwrap();
    let (mut stream, mut peer) = listener.accept().await.unwrap();
    listener.proxy_header(&mut stream, &mut peer).await.unwrap();
    assert_eq!((peer.proxied_addr, peer.client().to_string().as_str()), (None, "127.0.0.1"));
    let mut first = [0; 5];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"PROXY");
}

#[tokio::test]
async fn a_trusted_balancer_without_a_header_holds_up_nobody_else() {
    let (listener, address) = bind(trusting(&["127.0.0.0/8"]));
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let (mut first, mut first_peer) = listener.accept().await.unwrap();
    let (mut second, mut second_peer) = listener.accept().await.unwrap();
    let (slow, wrong) = tokio::join!(
        listener.proxy_header(&mut first, &mut first_peer),
        listener.proxy_header(&mut second, &mut second_peer)
    );
    assert!(matches!(slow, Err(ProxyHeaderError::Timeout)), "{slow:?}");
    assert!(matches!(wrong, Err(ProxyHeaderError::Malformed(_))), "{wrong:?}");
}

#[tokio::test]
async fn two_listeners_share_a_port_only_when_both_say_so() {
    let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
    let (first, address) = bind(options.clone());
    assert!(Listener::bind(address, ListenOptions::default()).is_err());
    let second = Listener::bind(address, options).unwrap();
    for _ in 0..64 {
        let _client = TcpStream::connect(address).await.unwrap();
        tokio::select! {
            accepted = first.accept() => drop(accepted.unwrap()),
            accepted = second.accept() => drop(accepted.unwrap()),
        }
    }
}

#[tokio::test]
async fn accepted_connections_have_their_options_set() {
    let (listener, address) = bind(ListenOptions::default());
    let _client = TcpStream::connect(address).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    assert!(stream.nodelay().unwrap());
    let socket = socket2::SockRef::from(&stream);
    assert!(socket.keepalive().unwrap());
    #[cfg(target_os = "linux")]
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(30)));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn dial_from_a_given_source_address() {
    let (listener, address) = bind(ListenOptions::default());
    let url = Url::parse(&format!("ws://{address}/")).unwrap();
    let options = DialOptions { source_addr: Some("127.0.0.2".parse().unwrap()), ..DialOptions::default() };
    let _stream = dial(&url, &options).await.unwrap();
    let (_, peer) = listener.accept().await.unwrap();
    assert_eq!(peer.addr.ip().to_string(), "127.0.0.2");
    let other_family = DialOptions { source_addr: Some("::1".parse().unwrap()), ..options };
    assert!(matches!(dial(&url, &other_family).await, Err(DialError::NoAddress(_))));
}
