//! The servers behind the proxies: one that echoes, and some with bad habits.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener as Reserved};
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, interval, timeout};
use undrop_frame::deflate::Config;
use undrop_frame::handshake::{check_upgrade, response_101, response_plain};
use undrop_frame::{CloseCode, Message, Role};
use undrop_transport::{ListenOptions, Listener, Received, Stream, WebSocket, WebSocketConfig, read_request};

/// Addresses of the servers.
pub(super) struct Backends {
    /// Echoes; `/idle` closes with 4000 after 5 s of silence, `/push` sends a message each second once it got one.
    pub(super) echo: SocketAddr,
    /// Takes connections and never answers.
    pub(super) hangs: SocketAddr,
    /// Takes connections and ends them at once.
    pub(super) dies: SocketAddr,
    /// An address without a listener.
    pub(super) refuses: SocketAddr,
}

impl Backends {
    pub(super) fn start() -> anyhow::Result<Backends> {
        let (echo, hangs, dies) = (bind()?, bind()?, bind()?);
        let addresses = [echo.local_addr()?, hangs.local_addr()?, dies.local_addr()?];
        tokio::spawn(async move {
            while let Ok((stream, _)) = echo.accept().await {
                tokio::spawn(serve(stream.into()));
            }
        });
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((stream, _)) = hangs.accept().await {
                kept.push(stream);
            }
        });
        tokio::spawn(async move { while dies.accept().await.is_ok() {} });
        let refuses = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let [echo, hangs, dies] = addresses;
        Ok(Backends { echo, hangs, dies, refuses })
    }
}

fn bind() -> anyhow::Result<Listener> {
    Ok(Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), ListenOptions::default())?)
}

/// Returns a port that is free now, and that no other case was given.
pub(super) fn free_port() -> anyhow::Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    for _ in 0..1_000 {
        let port = Reserved::bind("127.0.0.1:0")?.local_addr()?.port();
        if given.insert(port) {
            return Ok(port);
        }
    }
    anyhow::bail!("no free port is left")
}

async fn serve(mut stream: Stream) -> Option<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let Ok((head, leftover)) = read_request(&mut stream, 16 * 1024, deadline).await else {
        return refuse(stream, &response_plain(400, &[], "this is the backend\n")).await;
    };
    let request = match check_upgrade(&head) {
        Ok(request) => request,
        Err(_) => {
            let upgrade = [("Upgrade", "websocket")];
            return refuse(stream, &response_plain(426, &upgrade, "Upgrade Required\n")).await;
        }
    };
    let deflate = Config::default();
    let agreed = request.extensions.as_deref().and_then(|offers| deflate.negotiate(offers));
    let extensions = agreed.as_ref().map(|(_, answer)| answer.as_str());
    stream.write_all(&response_101(&request.key, None, extensions, &[])).await.ok()?;
    stream.flush().await.ok()?;
    let config =
        WebSocketConfig { deflate: agreed.map(|(params, _)| (params, deflate)), ..Default::default() };
    let mut socket = WebSocket::new(stream, Role::Server, leftover, &config);
    let far = Duration::from_secs(86_400);
    let idle = if head.target.starts_with("/idle") { Duration::from_secs(5) } else { far };
    let pushes = head.target.starts_with("/push");
    let mut tick = interval(Duration::from_secs(1));
    let mut asked = false;
    loop {
        let received = tokio::select! {
            received = timeout(idle, socket.recv()) => received,
            _ = tick.tick(), if pushes && asked => {
                socket.send(&Message::Text("push".to_owned())).await.ok()?;
                continue;
            }
        };
        match received {
            Ok(Ok(Received::Message(Message::Text(text)))) if text == "subscribe" => asked = true,
            Ok(Ok(Received::Message(message))) => socket.send(&message).await.ok()?,
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return None,
            Err(_) => {
                socket.close(CloseCode::new(4000), "idle").await;
                return None;
            }
        }
    }
}

async fn refuse(mut stream: Stream, answer: &[u8]) -> Option<()> {
    stream.write_all(answer).await.ok()?;
    stream.shutdown().await.ok()
}
