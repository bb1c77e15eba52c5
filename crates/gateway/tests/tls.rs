//! TLS towards clients and towards backends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::PathBuf;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use support::peer::upgrade;
use support::session::{Session, first, packet};
use support::{Backend, Echo, Gate, Got, Peer, answer, rest, soon};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep};
use undrop_frame::{OpCode, Role};
use undrop_session::{Packet, offer};
use undrop_transport::tls::{self, ClientTls, ServerTls, Trust, server_config};
use undrop_transport::{Stream, TcpOptions};

struct Certificate {
    folder: TempDir,
    pem: String,
}

impl Certificate {
    fn new() -> Certificate {
        let folder = TempDir::new().unwrap();
        let mut made = Certificate { folder, pem: String::new() };
        made.renew("gate.example");
        made
    }

    fn renew(&mut self, name: &str) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec![name.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        self.pem = cert.pem();
        std::fs::write(self.path("cert.pem"), &self.pem).unwrap();
        std::fs::write(self.path("key.pem"), signing_key.serialize_pem()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the keys for the configuration of a gateway.
    fn toml(&self) -> String {
        let (cert, key) = (self.path("cert.pem"), self.path("key.pem"));
        format!("[tls]\ncertificate = {cert:?}\nkey = {key:?}\n")
    }

    fn client(&self) -> ClientTls {
        ClientTls::new(&Trust::Only(self.pem.clone().into_bytes())).unwrap()
    }

    fn server(&self) -> ServerTls {
        server_config(&self.path("cert.pem"), &self.path("key.pem")).unwrap()
    }

    /// A TLS connection to the gateway over a socket with a small receive buffer.
    async fn dial(&self, gate: &Gate, name: &str) -> Result<Stream, tls::TlsError> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let tcp = soon(socket.connect(gate.address)).await.unwrap();
        TcpOptions::default().apply(&tcp).unwrap();
        let deadline = Instant::now() + support::PATIENCE;
        tls::connect(Stream::from(tcp), &self.client(), name, deadline).await
    }

    async fn connect(&self, gate: &Gate, protocols: &[String]) -> Peer {
        let stream = self.dial(gate, "gate.example").await.unwrap();
        upgrade(stream, "/", protocols, &[], &[]).await.expect("101")
    }
}

#[tokio::test]
async fn plain_clients_and_sessions_over_tls() {
    let certificate = Certificate::new();
    let echo = Echo::start().await;
    let gate = Gate::start(echo.address, &certificate.toml()).await;
    let mut plain = certificate.connect(&gate, &[]).await;
    plain.text("over TLS").await;
    assert_eq!(plain.data().await, Got::text("over TLS"));
    let large: Vec<u8> = (0..5 << 20).map(|i| (i % 251) as u8).collect();
    plain.send(OpCode::Binary, &large).await;
    assert!(plain.data().await == Got::Binary(large.clone()));

    let mut link = certificate.connect(&gate, &offer(&[], &first("0123456789abcdef", 1))).await;
    let Some(Packet::Started(started)) = packet(&link.next().await) else { panic!("no S") };
    let mut client = Session::new(gate.address, "/", &started, link);
    for round in 0..3 {
        client.text(&format!("round {round}")).await;
        // The old link ends in the middle of the echo.
        client.link.take().unwrap().fin();
        client.n += 1;
        let mut link = certificate.connect(&gate, &offer(&[], &client.hello(client.n))).await;
        let Some(Packet::Resumed(resumed)) = packet(&link.next().await) else { panic!("no R") };
        client.next = resumed.start;
        client.link = Some(link);
        if resumed.rx < client.sent.len() as u64 {
            client.link().text(&format!("round {round}")).await;
        }
        assert_eq!(client.read_text().await, format!("round {round}"));
    }
    client.ack().await;
    client.unit(OpCode::Binary, &large).await;
    assert!(client.data().await.1 == large);
}

#[tokio::test]
async fn a_slow_reader_gets_the_last_bytes_too() {
    let certificate = Certificate::new();
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, &certificate.toml()).await;
    for session in [false, true] {
        let mut connections = Vec::new();
        for step in 0..6 {
            let tokens = offer(&[], &first(&format!("{step:032}"), 1));
            let tokens = if session { &tokens[..] } else { &[] };
            let (client, mut server) = tokio::join!(certificate.connect(&gate, tokens), backend.accept());
            // From less than any socket buffer to more than a large one.
            server.send(OpCode::Binary, &vec![step; 40_000 + 500_000 * usize::from(step)]).await;
            connections.push((step, client, server));
        }
        // Time for the data to fill all buffers.
        sleep(Duration::from_millis(300)).await;
        for (step, mut client, _server) in connections {
            if session {
                assert!(matches!(packet(&client.next().await), Some(Packet::Started(_))));
            }
            loop {
                match client.data().await {
                    Got::Binary(payload) => {
                        break assert_eq!(payload.len(), 40_000 + 500_000 * usize::from(step));
                    }
                    got => assert_eq!(packet(&got), Some(Packet::AckNow), "{step}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_tls_is_cut_and_has_a_deadline() {
    let certificate = Certificate::new();
    let echo = Echo::start().await;
    let more = format!("{}[limits]\nhandshake_timeout = \"1s\"", certificate.toml());
    let gate = Gate::start(echo.address, &more).await;
    let mut good = certificate.connect(&gate, &[]).await;
    let answer = gate.exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!answer.starts_with("HTTP/"), "{answer:?}");
    // Silence, and half a ClientHello.
    for bytes in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut stream = TcpStream::connect(gate.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        soon(rest(&mut stream)).await;
    }
    // A TLS handshake, followed by silence.
    let mut silent = certificate.dial(&gate, "gate.example").await.unwrap();
    let mut answer = Vec::new();
    let _ = soon(tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut answer)).await;
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    good.text("fine").await;
    assert_eq!(good.data().await, Got::text("fine"));
}

#[tokio::test]
async fn a_new_certificate_without_a_drop() {
    let mut certificate = Certificate::new();
    let echo = Echo::start().await;
    let gate = Gate::start(echo.address, &certificate.toml()).await;
    let mut old = certificate.connect(&gate, &[]).await;
    certificate.renew("new.example");
    assert!(certificate.dial(&gate, "new.example").await.is_err(), "not before the reload");
    gate.gateway.reload_tls().unwrap();
    assert!(certificate.dial(&gate, "new.example").await.is_ok());
    old.text("still here").await;
    assert_eq!(old.data().await, Got::text("still here"));
}

/// A backend with TLS and a private authority, and one whose certificate is not trusted.
#[tokio::test]
async fn a_backend_over_tls() {
    let certificate = Certificate::new();
    let backend = Backend::new().await;
    let tls = certificate.server();
    let url = format!("wss://{}", backend.address);
    let trusting = format!("[backend]\nca = {:?}", certificate.path("cert.pem"));
    let gate = Gate::start_at(&url, &trusting).await;
    let accept = async {
        let (tcp, _) = backend.connection().await;
        let deadline = Instant::now() + support::PATIENCE;
        let mut stream = tls::accept(Stream::from(tcp), &tls, deadline).await.unwrap();
        let head = support::read_request(&mut stream).await;
        stream.write_all(&answer(&head, &[])).await.unwrap();
        stream.flush().await.unwrap();
        Peer::new(stream, Role::Server, Vec::new())
    };
    let (mut client, mut server) = tokio::join!(Session::open(&gate), accept);
    // The backend reads late; data that the TLS layer holds by then still arrives.
    for len in [100, 700_000, 3 << 20] {
        let message = vec![len as u8; len];
        client.unit(OpCode::Binary, &message).await;
        sleep(Duration::from_millis(50)).await;
        assert!(server.next().await == Got::Binary(message));
        client.all_acked().await;
    }
    server.text("and back").await;
    assert_eq!(client.read_text().await, "and back");

    let other = Certificate::new();
    let distrusting = format!("[backend]\nca = {:?}", other.path("cert.pem"));
    let gate = Gate::start_at(&url, &distrusting).await;
    let accept = async {
        let (tcp, _) = backend.connection().await;
        tls::accept(Stream::from(tcp), &tls, Instant::now() + support::PATIENCE).await
    };
    let (refused, failed) = tokio::join!(support::connect(gate.address, "/", &[], &[]), accept);
    assert!(failed.is_err());
    let (status, text) = refused.err().expect("a refusal");
    assert!(status == 502 && text.contains("certificate"), "{text}");
}
