//! Tests with the chaos proxy between a client and a server: does the client survive what real networks and proxies do?
//!
//! For your own tests, copy this file to `tests/` and replace `start_server` with your server and `Client` with your client.
//!
//! ```sh
//! cargo test -p undrop-chaos --example cargo_test     # runs the tests
//! cargo run -p undrop-chaos --example cargo_test      # shows the events of the first test
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, accept_async, connect_async};
use undrop_chaos::Chaos;

type TestResult = Result<(), Box<dyn Error>>;

/// The server under test: it echoes every message.
async fn start_server() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (sink, source) = accept_async(stream).await?.split();
                source.forward(sink).await
            });
        }
    });
    Ok(address)
}

/// The client under test: it connects again if a connection fails or if a reply takes too long.
struct Client {
    url: String,
    socket: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    /// The number of connections that were opened.
    connections: u32,
}

impl Client {
    fn new(url: String) -> Client {
        Client { url, socket: None, connections: 0 }
    }

    /// Sends a message and returns its echo.
    async fn echo(&mut self, text: &str) -> Result<String, Box<dyn Error>> {
        let mut last_error: Box<dyn Error> = "no attempt was made".into();
        for _ in 0..5 {
            match timeout(Duration::from_secs(1), self.attempt(text)).await {
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(error)) => last_error = error,
                Err(elapsed) => last_error = elapsed.into(),
            }
            self.socket = None;
        }
        Err(last_error)
    }

    async fn attempt(&mut self, text: &str) -> Result<String, Box<dyn Error>> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            None => {
                let (socket, _) = connect_async(&self.url).await?;
                self.connections += 1;
                self.socket.insert(socket)
            }
        };
        socket.send(Message::text(text)).await?;
        match socket.next().await {
            Some(Ok(Message::Text(reply))) => Ok(reply.to_string()),
            Some(Ok(other)) => Err(format!("unexpected message {other:?}").into()),
            Some(Err(error)) => Err(error.into()),
            None => Err("the connection was closed".into()),
        }
    }
}

/// nginx closes a connection after 60 s without traffic. At this speed, that is 0.2 s.
async fn an_idle_timeout() -> TestResult {
    let chaos = Chaos::start(start_server().await?)
        .preset("nginx")
        .speed(300.0)
        .observe(|event| println!("{event:?}"))
        .await?;
    let mut client = Client::new(chaos.url());
    assert_eq!(client.echo("before").await?, "before");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(client.echo("after").await?, "after");
    assert_eq!(client.connections, 2);
    assert_eq!(chaos.counts().injected["idle-cut"], 1);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> TestResult {
    an_idle_timeout().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_client_survives_an_idle_timeout() -> TestResult {
        an_idle_timeout().await
    }

    /// The first connection is reset in the middle of the reply.
    #[tokio::test]
    async fn the_client_survives_a_reset_inside_a_frame() -> TestResult {
        let chaos = Chaos::start(start_server().await?).await?;
        let fault = chaos.add("cut mid-frame=1 direction=down how=rst".parse()?);
        let mut client = Client::new(chaos.url());
        assert!(client.echo("lost").await.is_err(), "every attempt is reset");
        chaos.remove(&fault);
        assert_eq!(client.echo("hello").await?, "hello");
        assert_eq!(chaos.cut(), 5);
        Ok(())
    }

    /// A black hole sends no sign at all: only a timeout of the client helps.
    #[tokio::test]
    async fn the_client_survives_a_black_hole() -> TestResult {
        let chaos = Chaos::start(start_server().await?).await?;
        let mut client = Client::new(chaos.url());
        assert_eq!(client.echo("one").await?, "one");
        let fault = chaos.add("black-hole".parse()?);
        let (reply, ()) = tokio::join!(client.echo("two"), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            chaos.remove(&fault);
        });
        assert_eq!(reply?, "two");
        Ok(())
    }
}
