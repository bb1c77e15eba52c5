//! The parts that the tests of the gateway share: a gateway on a free port, a scripted backend, and clients that write
//! given bytes.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

pub mod peer;
pub mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use undrop_frame::handshake::{RequestHead, parse_request, response_101};
use undrop_frame::{OpCode, Role};
use undrop_gateway::config::{Config, parse};
use undrop_gateway::{Drained, Gateway};
use undrop_store::MemoryStore;
use undrop_transport::Stream;

pub use peer::{Got, Peer, connect};

/// Far more than anything here needs; only a hang takes so long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that must happen.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it never came")
}

/// Looks again and again until it is so.
pub async fn until(mut so: impl FnMut() -> bool) {
    soon(async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// A running gateway with one worker.
pub struct Gate {
    pub gateway: Gateway,
    pub address: SocketAddr,
    bystanders: Echo,
}

impl Gate {
    /// In front of `upstream`, with more configuration in TOML (top-level keys first). The route `/bystander` leads to
    /// a separate echo backend.
    pub async fn start(upstream: SocketAddr, more: &str) -> Gate {
        Gate::start_at(&format!("ws://{upstream}"), more).await
    }

    pub async fn start_at(upstream: &str, more: &str) -> Gate {
        let bystanders = Echo::start().await;
        let text = format!(
            "listen = \"127.0.0.1:0\"\nworkers = 1\nupstream = \"{upstream}\"\n{more}\n\
             [[route]]\npath = \"/bystander\"\nupstream = \"ws://{}\"\n",
            bystanders.address
        );
        let config = Config::try_from(parse(&text).unwrap()).unwrap();
        let gateway = Gateway::start(config, Arc::new(MemoryStore::new()), "n1").unwrap();
        Gate { address: gateway.addresses()[0], gateway, bystanders }
    }

    pub async fn drain(self) -> Drained {
        soon(self.gateway.drain()).await
    }

    /// A plain connection that must not notice what others do.
    pub async fn bystander(&self) -> Bystander {
        let peer = connect(self.address, "/bystander", &[], &[]).await.expect("101");
        Bystander { peer, count: 0 }
    }

    /// Sends raw bytes; returns everything that comes until the connection ends.
    pub async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        soon(rest(&mut stream)).await
    }
}

/// Returns all bytes until the end of the connection, by FIN or RST.
pub async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A RST ends it as well as a FIN.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

pub struct Bystander {
    peer: Peer,
    count: u32,
}

impl Bystander {
    /// It still gets its echoes, in order.
    pub async fn is_fine(&mut self) {
        for _ in 0..3 {
            self.count += 1;
            let text = format!("bystander {}", self.count);
            self.peer.text(&text).await;
            assert_eq!(self.peer.data().await, Got::Text(text));
        }
    }
}

/// A backend that the test plays.
pub struct Backend {
    listener: TcpListener,
    pub address: SocketAddr,
}

impl Backend {
    pub async fn new() -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Backend { listener, address }
    }

    /// The next connection, nothing read.
    pub async fn connection(&self) -> (TcpStream, SocketAddr) {
        soon(self.listener.accept()).await.unwrap()
    }

    /// The next connection and its request, not answered.
    pub async fn request(&self) -> (TcpStream, RequestHead) {
        let (mut stream, _) = self.connection().await;
        let head = soon(read_request(&mut stream)).await;
        (stream, head)
    }

    /// Accepts the next connection with its first subprotocol, and returns it with the request.
    pub async fn accept_with_head(&self) -> (Peer, RequestHead) {
        let (mut stream, head) = self.request().await;
        stream.write_all(&answer(&head, &[])).await.unwrap();
        (Peer::new(Stream::from(stream), Role::Server, Vec::new()), head)
    }

    pub async fn accept(&self) -> Peer {
        self.accept_with_head().await.0
    }

    /// Returns `true` if no client has connected so far.
    pub async fn is_lonely(&self) -> bool {
        timeout(Duration::ZERO, self.listener.accept()).await.is_err()
    }
}

/// Returns the response with status 101 that selects the first subprotocol.
pub fn answer(head: &RequestHead, extra: &[(&str, &str)]) -> Vec<u8> {
    let key = head.headers.get_str("Sec-WebSocket-Key").unwrap();
    let protocol = head.headers.tokens("Sec-WebSocket-Protocol").next();
    response_101(key, protocol, None, extra)
}

pub async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> RequestHead {
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).await.unwrap(), 1, "the request is incomplete");
        bytes.push(byte[0]);
        if let Some((head, _)) = parse_request(&bytes, 64 * 1024).unwrap() {
            return head;
        }
    }
}

/// A backend that returns every message, answers a Close with its own code, and counts.
pub struct Echo {
    pub address: SocketAddr,
    pub opened: Arc<AtomicUsize>,
    pub open: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Echo {
    pub async fn start() -> Echo {
        let backend = Backend::new().await;
        let address = backend.address;
        let (opened, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counters = (opened.clone(), open.clone());
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = backend.listener.accept().await {
                let (opened, open) = counters.clone();
                opened.fetch_add(1, Ordering::SeqCst);
                open.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    stream.set_nodelay(true).unwrap();
                    let head = read_request(&mut stream).await;
                    stream.write_all(&answer(&head, &[])).await.unwrap();
                    echo(Peer::new(Stream::from(stream), Role::Server, Vec::new())).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Echo { address, opened, open, task }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns every message until the other side closes or goes.
pub async fn echo(mut peer: Peer) {
    loop {
        // A failed write shows at the next read.
        let _ = match peer.reader.next().await {
            Got::Text(text) => peer.try_send(OpCode::Text, text.as_bytes()).await,
            Got::Binary(bytes) => peer.try_send(OpCode::Binary, &bytes).await,
            Got::Ping(payload) => peer.try_send(OpCode::Pong, &payload).await,
            Got::Pong(_) => Ok(()),
            Got::Close(code, _) => {
                let _ = peer.try_close(code, "").await;
                return;
            }
            Got::Fin | Got::Reset | Got::Broken(_) => return,
        };
    }
}
