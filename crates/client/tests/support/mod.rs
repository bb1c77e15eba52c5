//! A server by hand, over streams inside the process: with tokio's clock paused, every second is exact.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::Instant;
use undrop_client::{Client, ClientBuilder, Event, Events, Message, Stream};
use undrop_frame::Role;
use undrop_frame::handshake::{check_upgrade, response_101, response_plain};
use undrop_session::{Hello, Packet, parse_offer, response_protocol};
use undrop_transport::{Ending, Received, WebSocket, WebSocketConfig, read_request};

pub const SESSION: &str =
    r#""key":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","hb":25000,"win":262144,"ttl":120000}"#;

/// Where the client's streams arrive.
pub struct Server {
    streams: mpsc::UnboundedReceiver<(Instant, DuplexStream)>,
}

/// A request that waits for its answer.
pub struct Request {
    pub at: Instant,
    stream: Stream,
    key: String,
    pub tokens: Vec<String>,
}

/// The server side of an accepted link.
pub struct Link(pub WebSocket);

/// Returns a builder and the server at which its streams arrive.
pub fn pair() -> (ClientBuilder, Server) {
    pair_with(|| duplex(64 * 1024))
}

/// Like [`pair`], with streams of the caller's choice.
pub fn pair_with(
    streams: impl Fn() -> (DuplexStream, DuplexStream) + Send + Sync + 'static,
) -> (ClientBuilder, Server) {
    let (sender, accepted) = mpsc::unbounded_channel();
    let builder = Client::builder("ws://server.test/path").unwrap().connector(move || {
        let (ours, theirs) = streams();
        let sent = sender.send((Instant::now(), theirs)).map_err(|_| io::ErrorKind::ConnectionRefused.into());
        std::future::ready(sent.map(|()| Stream::Memory(ours)))
    });
    (builder, Server { streams: accepted })
}

/// A builder that never reaches anything, and the times of its tries.
pub fn unreachable() -> (ClientBuilder, mpsc::UnboundedReceiver<Instant>) {
    let (sender, tries) = mpsc::unbounded_channel();
    let builder = Client::builder("ws://nowhere.test/").unwrap().connector(move || {
        let _ = sender.send(Instant::now());
        std::future::ready(Err(io::ErrorKind::ConnectionRefused.into()))
    });
    (builder, tries)
}

impl Server {
    pub async fn request(&mut self) -> Request {
        let (at, stream) = self.streams.recv().await.expect("the client is there");
        let mut stream = Stream::Memory(stream);
        let deadline = Instant::now() + Duration::from_secs(5);
        let (head, _) = read_request(&mut stream, 16 * 1024, deadline).await.expect("a request");
        let request = check_upgrade(&head).expect("an upgrade");
        Request { at, stream, key: request.key, tokens: request.protocols }
    }

    /// Accepts the next link and opens a session on it.
    pub async fn session(&mut self) -> (Hello, Link) {
        let (hello, mut link) = self.request().await.upgrade().await;
        let att = hello.attempt();
        link.packet(&format!(r#"S{{"sid":"n1.a","att":{att},{SESSION}"#)).await;
        (hello, link)
    }
}

impl Request {
    pub fn hello(&self) -> Hello {
        parse_offer(&self.tokens).hello.expect("a hello").expect("a valid hello")
    }

    /// Accepts the link with the session protocol.
    pub async fn upgrade(self) -> (Hello, Link) {
        let hello = self.hello();
        let protocol = response_protocol(&parse_offer(&self.tokens), None);
        (hello, self.answer(Some(&protocol)).await)
    }

    /// Accepts the link without the session protocol.
    pub async fn plain(self) -> Link {
        self.answer(None).await
    }

    async fn answer(mut self, protocol: Option<&str>) -> Link {
        let response = response_101(&self.key, protocol, None, &[]);
        self.stream.write_all(&response).await.expect("the client reads");
        Link(WebSocket::new(self.stream, Role::Server, Vec::new(), &WebSocketConfig::default()))
    }

    pub async fn refuse(mut self, status: u16, headers: &[(&str, &str)]) {
        let response = response_plain(status, headers, "no");
        let _ = self.stream.write_all(&response).await;
        let _ = self.stream.shutdown().await;
    }
}

impl Link {
    pub async fn packet(&mut self, text: &str) {
        self.0.send(&Message::Text(format!("\u{1f}{text}"))).await.expect("an open link");
    }

    pub async fn send(&mut self, text: &str) {
        self.0.send(&text.into()).await.expect("an open link");
    }

    /// Returns the next message, a packet with a leading `|`, `ping`, `pong`, or the ending.
    pub async fn next(&mut self) -> String {
        match self.0.recv().await {
            Ok(Received::Message(Message::Text(text))) => match text.strip_prefix('\u{1f}') {
                Some(packet) => format!("|{packet}"),
                None => text,
            },
            Ok(Received::Message(Message::Binary(bytes))) => format!("{bytes:?}"),
            Ok(Received::Ping(_)) => "ping".to_owned(),
            Ok(Received::Pong(_)) => "pong".to_owned(),
            Err(Ending::Close { code, reason }) => {
                format!("close {} {reason}", code.get()).trim_end().to_owned()
            }
            Err(ending) => format!("{ending}"),
        }
    }

    pub async fn resumed(&mut self, att: u64, rx: u64, start: u64) {
        let packet = Packet::Resumed(undrop_session::Resumed {
            att,
            rx,
            start,
            ttl: 1,
            backend: undrop_session::BackendIdentity::Same,
            away: false,
        });
        self.packet(&packet.encode()[1..]).await;
    }
}

/// The next event that `pick` knows.
pub async fn until<T>(events: &mut Events, mut pick: impl FnMut(Event) -> Option<T>) -> T {
    loop {
        let event = events.next().await.expect("an event");
        if let Some(found) = pick(event) {
            return found;
        }
    }
}
