//! The examples of the client and of the gateway, run against each other.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

#[path = "../examples/axum_backend.rs"]
mod axum_backend;
#[path = "../../client/examples/echo.rs"]
mod echo;
mod support;

use support::{Gate, soon};
use tokio::net::TcpListener;
use undrop_client::{Client, Message};

#[tokio::test]
async fn the_axum_backend_serves_a_session_behind_the_gateway() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate = Gate::start(listener.local_addr().unwrap(), "").await;
    let backend = tokio::spawn(axum_backend::serve(listener));
    let url = format!("ws://{}/chat?name=ada", gate.address);
    let mut client = soon(Client::connect(&url)).await.unwrap();
    for (text, reply) in [("hello", "ada (1): hello"), ("again", "ada (2): again")] {
        soon(client.send(text.into())).await.unwrap();
        assert_eq!(soon(client.recv()).await, Some(Message::Text(reply.to_owned())));
    }
    assert_eq!(gate.gateway.sessions(), 1);
    backend.abort();
}

#[tokio::test]
async fn the_client_example_talks_to_the_echo_backend() {
    let echo = support::Echo::start().await;
    let gate = Gate::start(echo.address, "").await;
    soon(echo::run(&format!("ws://{}/", gate.address))).await.unwrap();
}
