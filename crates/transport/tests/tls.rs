//! TLS on both sides with certificates made for the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::Instant;
use undrop_frame::{Message, Role, TlsFault};
use undrop_transport::tls::{self, ClientTls, ServerTls, TlsError, Trust, server_config};
use undrop_transport::{
    DialOptions, Ending, ListenOptions, Listener, Received, Stream, WebSocket, WebSocketConfig, dial,
};
use url::Url;

/// A private CA, and a folder for what it signs.
struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    folder: TempDir,
}

impl Ca {
    fn new(name: &str) -> Ca {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Ca { issuer: Issuer::new(params, key), pem, folder: TempDir::new().unwrap() }
    }

    /// Writes certificate and key for `name`; returns their paths.
    fn sign(&self, name: &str, until: i32) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let paths = (self.folder.path().join("cert.pem"), self.folder.path().join("key.pem"));
        std::fs::write(&paths.0, certificate.pem()).unwrap();
        std::fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }

    fn server(&self, name: &str, until: i32) -> ServerTls {
        let (cert, key) = self.sign(name, until);
        server_config(&cert, &key).unwrap()
    }

    fn client(&self) -> ClientTls {
        ClientTls::new(&Trust::Only(self.pem.clone().into_bytes())).unwrap()
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

async fn handshake(
    client: &ClientTls,
    server: &ServerTls,
    name: &str,
) -> (Result<Stream, TlsError>, Result<Stream, TlsError>) {
    let (a, b) = duplex(1 << 16);
    tokio::join!(tls::connect(a.into(), client, name, soon()), tls::accept(b.into(), server, soon()))
}

#[tokio::test]
async fn an_own_ca_alpn_and_sni() {
    let ca = Ca::new("ours");
    let (client, server) = handshake(&ca.client(), &ca.server("example.org", 2999), "example.org").await;
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    assert_eq!(server.tls().unwrap().server_name(), Some("example.org"));
    assert_eq!(client.tls().unwrap().alpn(), Some(&b"http/1.1"[..]));
    assert_eq!(client.tls().unwrap().version(), Some("TLSv1_3"));
    client.write_all(b"hello").await.unwrap();
    client.flush().await.unwrap();
    let mut read = [0; 5];
    server.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"hello");
    client.shutdown().await.unwrap();
    assert_eq!(server.read(&mut read).await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said() {
    let (ca, other, namesake) = (Ca::new("ours"), Ca::new("theirs"), Ca::new("ours"));
    let good = ca.server("example.org", 2999);

    let (result, at_server) = handshake(&ca.client(), &ca.server("example.org", 2021), "example.org").await;
    assert!(matches!(result, Err(TlsError::Fault(TlsFault::Expired))), "{result:?}");
    assert!(matches!(at_server, Err(TlsError::Fault(TlsFault::Alert(_)))), "{at_server:?}");

    let (result, _) = handshake(&ca.client(), &good, "example.com").await;
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "the certificate is not for example.com, but for example.org");

    let (result, _) = handshake(&other.client(), &good, "example.org").await;
    assert!(matches!(result, Err(TlsError::Fault(TlsFault::UnknownIssuer))), "{result:?}");

    // A private CA that was made anew under its old name: the signature is what differs.
    let (result, _) = handshake(&namesake.client(), &good, "example.org").await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("made anew"), "{error}");

    let insecure = ClientTls::new(&Trust::Insecure).unwrap();
    for bad in [ca.server("example.org", 2021), good] {
        handshake(&insecure, &bad, "whatever.example").await.0.unwrap();
    }
}

#[tokio::test]
async fn an_inspection_shows_what_would_have_ended_the_handshake() {
    let ca = Ca::new("ours");
    let trust = Trust::Only(ca.pem.clone().into_bytes());
    let look = async |server: &ServerTls, name: &str, versions: tls::Versions, alpn: &[&str]| {
        let (a, b) = duplex(1 << 16);
        let inspect = tls::Inspect { name, alpn, versions, trust: &trust };
        let (seen, served) =
            tokio::join!(tls::inspect(a.into(), &inspect, soon()), tls::accept(b.into(), server, soon()));
        drop(served);
        seen
    };
    let good = ca.server("example.org", 2999);
    let seen = look(&good, "example.org", tls::Versions::Only12, &["http/1.1"]).await.unwrap();
    assert!(seen.verdict.is_ok() && seen.chain.len() == 1, "{:?}", seen.verdict);
    let layer = seen.stream.tls().unwrap();
    assert_eq!((layer.version(), layer.alpn()), (Some("TLSv1_2"), Some(&b"http/1.1"[..])));

    let seen = look(&good, "example.com", tls::Versions::Only13, &[]).await.unwrap();
    assert!(matches!(seen.verdict, Err(TlsError::Fault(TlsFault::WrongName { .. }))), "{:?}", seen.verdict);
    assert_eq!(seen.stream.tls().unwrap().alpn(), None);

    let seen = look(&ca.server("example.org", 2021), "example.org", tls::Versions::All, &[]).await.unwrap();
    assert!(matches!(seen.verdict, Err(TlsError::Fault(TlsFault::Expired))), "{:?}", seen.verdict);

    let refused = look(&good, "example.org", tls::Versions::All, &["h2"]).await.unwrap_err();
    assert!(matches!(refused, TlsError::Fault(TlsFault::Alert(_))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn peers_without_tls() {
    let ca = Ca::new("ours");
    let (a, mut raw) = duplex(1 << 16);
    raw.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let error = tls::connect(a.into(), &ca.client(), "example.org", soon()).await.unwrap_err();
    assert!(matches!(error, TlsError::Fault(TlsFault::NotTls)), "{error:?}");

    let (a, raw) = duplex(1 << 16);
    drop(raw);
    let error = tls::connect(a.into(), &ca.client(), "example.org", soon()).await.unwrap_err();
    assert!(matches!(error, TlsError::Closed | TlsError::Io(_)), "{error:?}");

    let server = ca.server("example.org", 2999);
    let (a, _silent) = duplex(1 << 16);
    let start = Instant::now();
    let error = tls::accept(a.into(), &server, start + Duration::from_secs(3)).await.unwrap_err();
    assert!(matches!(error, TlsError::Timeout), "{error:?}");
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}

#[tokio::test]
async fn a_new_certificate_is_served_without_dropping_open_connections() {
    let ca = Ca::new("ours");
    let server = ca.server("old.example", 2999);
    let client = ca.client();
    let (old_client, old_server) = handshake(&client, &server, "old.example").await;
    let (mut old_client, mut old_server) = (old_client.unwrap(), old_server.unwrap());

    ca.sign("new.example", 2999);
    assert!(handshake(&client, &server, "new.example").await.0.is_err(), "not before the reload");
    server.reload().unwrap();
    handshake(&client, &server, "new.example").await.0.unwrap();
    assert!(handshake(&client, &server, "old.example").await.0.is_err());

    old_server.write_all(b"still here").await.unwrap();
    old_server.flush().await.unwrap();
    let mut read = [0; 10];
    old_client.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"still here");
}

#[tokio::test]
async fn a_bad_reload_changes_nothing_and_names_the_file() {
    let ca = Ca::new("ours");
    let (cert, key) = ca.sign("example.org", 2999);
    let server = server_config(&cert, &key).unwrap();
    let good_key = std::fs::read(&key).unwrap();

    std::fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let error = server.reload().unwrap_err().to_string();
    assert!(error.contains("key.pem") && error.contains("does not belong to"), "{error}");
    std::fs::write(&key, good_key).unwrap();
    std::fs::write(&cert, "no certificate here").unwrap();
    let error = server.reload().unwrap_err().to_string();
    assert!(error.contains("cert.pem"), "{error}");
    handshake(&ca.client(), &server, "example.org").await.0.unwrap();

    let missing = ca.folder.path().join("missing.pem");
    assert!(server_config(&missing, &key).unwrap_err().to_string().contains("missing.pem"));
    assert!(ClientTls::new(&Trust::Only(b"nothing".to_vec())).is_err());
}

#[tokio::test]
async fn dial_over_tls_with_resolve_and_server_name() {
    let ca = Ca::new("ours");
    let server = ca.server("example.org", 2999);
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), ListenOptions::default()).unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = tls::accept(stream.into(), &server, soon()).await;
        }
    });
    let resolve = vec!["example.org:*:127.0.0.1".parse().unwrap()];
    let options = DialOptions { tls: Some(ca.client()), resolve, ..DialOptions::default() };
    let url = Url::parse(&format!("wss://example.org:{port}/")).unwrap();
    assert!(dial(&url, &options).await.unwrap().tls().is_some());

    let by_address = Url::parse(&format!("wss://127.0.0.1:{port}/")).unwrap();
    let error = dial(&by_address, &options).await.unwrap_err();
    assert!(error.is_permanent() && matches!(error.ending(), Ending::ProtocolError(_)), "{error}");
    let named = DialOptions { server_name: Some("example.org".to_owned()), ..options };
    dial(&by_address, &named).await.unwrap();
}

async fn websockets(ca: &Ca) -> (WebSocket, WebSocket) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = ca.server("example.org", 2999);
    let client = ca.client();
    let near = async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        tls::connect(stream.into(), &client, "example.org", soon()).await.unwrap()
    };
    let far = async {
        let (stream, _) = listener.accept().await.unwrap();
        tls::accept(stream.into(), &server, soon()).await.unwrap()
    };
    let (near, far) = tokio::join!(near, far);
    let config = WebSocketConfig::default();
    let socket = |stream, role| WebSocket::new(stream, role, Vec::new(), &config);
    (socket(near, Role::Client), socket(far, Role::Server))
}

#[tokio::test]
async fn websockets_over_tls_echo_16_mib_and_close_cleanly() {
    let (mut near, mut far) = websockets(&Ca::new("ours")).await;
    let echo = tokio::spawn(async move {
        loop {
            match far.recv().await {
                Ok(Received::Message(message)) => far.send(&message).await.unwrap(),
                Ok(_) => {}
                Err(ending) => return ending,
            }
        }
    });
    for len in [0, 1, 4096, 16_385, 16 << 20] {
        let message = Message::Binary((0..len).map(|i| (i % 251) as u8).collect());
        near.send(&message).await.unwrap();
        assert!(near.recv().await == Ok(Received::Message(message)), "{len} bytes differ");
    }
    assert_eq!(near.close(1000.into(), "").await.to_string(), "clean 1000");
    assert_eq!(echo.await.unwrap().to_string(), "clean 1000");
}

#[tokio::test]
async fn endings_are_told_apart_through_tls_as_well() {
    let ca = Ca::new("ours");
    let (mut near, far) = websockets(&ca).await;
    drop(far);
    assert_eq!(near.recv().await, Err(Ending::Fin));
    let (mut near, far) = websockets(&ca).await;
    far.abort();
    assert_eq!(near.recv().await, Err(Ending::Reset));
}
