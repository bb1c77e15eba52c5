//! An axum backend for the gateway. It is an ordinary WebSocket server: sessions need no change in it.
//!
//! ```sh
//! cargo run -p undrop-gateway --example axum_backend
//! cargo run -- gateway --upstream ws://127.0.0.1:9000
//! cargo run -- connect ws://127.0.0.1:8080/chat?name=ada
//! ```
//!
//! Unplug the network, or kill and restart a proxy in between: the client resumes its session, and the handler below keeps
//! its WebSocket and its state, because the gateway keeps the connection to the backend open.
#![allow(clippy::print_stdout, reason = "an example prints its results")]

use axum::Router;
use axum::extract::Query;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:9000").await?;
    println!("listening on ws://{}/chat", listener.local_addr()?);
    serve(listener).await
}

/// Serves the backend until the future is dropped.
pub async fn serve(listener: TcpListener) -> Result<(), Error> {
    let app = Router::new().route("/chat", get(upgrade));
    Ok(axum::serve(listener, app).await?)
}

#[derive(serde::Deserialize)]
struct Parameters {
    name: Option<String>,
}

/// Accepts the WebSocket. The gateway forwards the path, the query and the headers of the client.
async fn upgrade(Query(parameters): Query<Parameters>, upgrade: WebSocketUpgrade) -> Response {
    let name = parameters.name.unwrap_or_else(|| "stranger".to_owned());
    upgrade.on_upgrade(move |socket| chat(socket, name))
}

async fn chat(mut socket: WebSocket, name: String) {
    let mut count = 0;
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(text) = message {
            count += 1;
            let reply = format!("{name} ({count}): {text}");
            if socket.send(Message::Text(reply.into())).await.is_err() {
                return;
            }
        }
    }
}
