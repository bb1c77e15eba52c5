//! Servers with configurable behaviour for tests.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};
use undrop_diagnosis::Observations;
use undrop_doctor::{CancellationToken, NoListener, Options, examine};
use undrop_frame::deflate::Config;
use undrop_frame::handshake::{check_upgrade, response_101, response_plain};
use undrop_frame::{CloseCode, Limits, Message, Role};
use undrop_transport::tls::{ServerTls, accept, server_config};
use undrop_transport::{ListenOptions, Listener, Received, Stream, WebSocket, WebSocketConfig, read_request};

/// The behaviour of the server, by default an echo server.
#[derive(Clone, Default)]
pub(crate) struct Habit {
    /// The TLS configuration, if it speaks TLS.
    pub(crate) tls: Option<ServerTls>,
    /// The idle timeout and its close code.
    pub(crate) idle: Option<(Duration, u16)>,
    /// The interval of text messages from the server.
    pub(crate) pushes: Option<Duration>,
    /// The maximum message size in bytes.
    pub(crate) limit: Option<u64>,
    /// The status with which every handshake is refused.
    pub(crate) status: Option<u16>,
    /// Whether connections are accepted and never answered.
    pub(crate) hangs: bool,
    /// The number of messages of a connection that are answered.
    pub(crate) replies: Option<u32>,
}

/// Serves on a free loopback port until the test ends.
pub(crate) async fn serve(habit: Habit) -> SocketAddr {
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), ListenOptions::default()).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream.into(), habit.clone()));
        }
    });
    address
}

async fn connection(stream: Stream, habit: Habit) -> Option<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    if habit.hangs {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
        return None;
    }
    let mut stream = match &habit.tls {
        Some(tls) => accept(stream, tls, deadline).await.ok()?,
        None => stream,
    };
    let Ok((head, leftover)) = read_request(&mut stream, 16 * 1024, deadline).await else {
        return answer(stream, &response_plain(400, &[], "no\n")).await;
    };
    let request = match (habit.status, check_upgrade(&head)) {
        (Some(status), _) => return answer(stream, &response_plain(status, &[], "no\n")).await,
        (None, Err(error)) => {
            return answer(stream, &response_plain(error.status(), error.headers(), "no\n")).await;
        }
        (None, Ok(request)) => request,
    };
    let deflate = Config::default();
    let agreed = request.extensions.as_deref().and_then(|offers| deflate.negotiate(offers));
    let extensions = agreed.as_ref().map(|(_, answer)| answer.as_str());
    stream.write_all(&response_101(&request.key, None, extensions, &[])).await.ok()?;
    stream.flush().await.ok()?;
    let limits = Limits { message: habit.limit.unwrap_or(64 << 20), ..Limits::default() };
    let config = WebSocketConfig {
        limits,
        deflate: agreed.map(|(params, _)| (params, deflate)),
        ..Default::default()
    };
    let mut socket = WebSocket::new(stream, Role::Server, leftover, &config);
    let far = Duration::from_secs(1_000_000);
    let mut pushes = tokio::time::interval(habit.pushes.unwrap_or(far));
    pushes.tick().await;
    let mut replies = habit.replies.unwrap_or(u32::MAX);
    loop {
        let received = tokio::select! {
            received = timeout(habit.idle.map_or(far, |(after, _)| after), socket.recv()) => received,
            _ = pushes.tick() => {
                socket.send(&Message::Text("news".to_owned())).await.ok()?;
                continue;
            }
        };
        match received {
            Ok(Ok(Received::Message(message))) if replies > 0 => {
                replies -= 1;
                socket.send(&message).await.ok()?;
            }
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return None,
            Err(_) => {
                let code = habit.idle.map_or(1000, |(_, code)| code);
                socket.close(CloseCode::new(code), "idle").await;
                return None;
            }
        }
    }
}

async fn answer(mut stream: Stream, bytes: &[u8]) -> Option<()> {
    stream.write_all(bytes).await.ok()?;
    stream.shutdown().await.ok()
}

/// Returns options that are short enough for tests and long enough for timers of a second.
pub(crate) fn options() -> Options {
    Options {
        horizon: Duration::from_secs(4),
        every: Duration::from_millis(200),
        patience: Duration::from_millis(800),
        timeout: Duration::from_secs(2),
        largest: 128 << 10,
        ..Options::default()
    }
}

/// Runs the doctor for a URL.
pub(crate) async fn look(url: &str, options: &Options) -> Observations {
    let stop = CancellationToken::new();
    examine(&url.parse().unwrap(), options, &stop, &NoListener).await
}

/// A private certificate authority and a directory for its certificates.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
    folder: TempDir,
}

impl Ca {
    pub(crate) fn new(name: &str) -> Ca {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Ca { issuer: Issuer::new(params, key), pem, folder: TempDir::new().unwrap() }
    }

    /// A server with a certificate for `name` that is good until the first day of this year.
    pub(crate) fn server(&self, name: &str, until: i32) -> ServerTls {
        let (cert, key) = self.sign(name, until);
        server_config(&cert, &key).unwrap()
    }

    fn sign(&self, name: &str, until: i32) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |name: &str, text: &str| -> PathBuf {
            let path = Path::new(self.folder.path()).join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        (file("cert.pem", &certificate.pem()), file("key.pem", &key.serialize_pem()))
    }
}
