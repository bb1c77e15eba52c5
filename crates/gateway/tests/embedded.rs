//! A gateway without an upstream serves the embedded backend.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;

use support::session::Session;
use support::{Got, connect};
use undrop_frame::OpCode;
use undrop_gateway::Gateway;
use undrop_gateway::config::{Config, parse};
use undrop_store::MemoryStore;

fn gateway() -> Gateway {
    let config = parse("listen = \"127.0.0.1:0\"\nworkers = 2").and_then(Config::try_from).unwrap();
    Gateway::start(config, Arc::new(MemoryStore::new()), "n1").unwrap()
}

#[tokio::test]
async fn echo_broadcast_and_nothing_else() {
    let gateway = gateway();
    let address = gateway.addresses()[0];
    assert!(gateway.embedded().is_some());
    let mut plain = connect(address, "/echo?x=1", &["chat".into()], &[]).await.expect("101");
    assert_eq!(plain.header("Sec-WebSocket-Protocol"), Some("chat"));
    plain.send(OpCode::Binary, &[7; 200_000]).await;
    assert_eq!(plain.data().await, Got::Binary(vec![7; 200_000]));
    plain.close(4001, "bye").await;
    assert!(matches!(plain.data().await, Got::Close(4001, _)));

    let mut one = connect(address, "/broadcast", &[], &[]).await.expect("101");
    let mut two = Session::open_at(address, "/broadcast").await;
    // Each client has received an echo, so all of them are members from here on.
    one.text("first").await;
    assert_eq!(one.data().await, Got::text("first"));
    two.text("second").await;
    while two.read_text().await != "second" {}
    assert_eq!(one.data().await, Got::text("second"));
    two.cut();
    one.text("while you were away").await;
    assert_eq!(one.data().await, Got::text("while you were away"));
    two.resume().await;
    assert_eq!(two.read_text().await, "while you were away");

    let (status, text) = connect(address, "/other", &[], &[]).await.err().unwrap();
    assert!(status == 404 && text.contains("/echo"), "{text}");
}

/// A client that violates the protocol gets the same close code from the embedded backend as from any other.
#[tokio::test]
async fn bad_text_is_refused() {
    let gateway = gateway();
    let mut client = connect(gateway.addresses()[0], "/echo", &[], &[]).await.expect("101");
    client.send(OpCode::Text, b"good").await;
    client.send(OpCode::Text, b"bad \xff").await;
    assert_eq!(client.data().await, Got::text("good"));
    assert!(matches!(client.data().await, Got::Close(1007, _)));
    let mut session = Session::open_at(gateway.addresses()[0], "/echo").await;
    session.link().send(OpCode::Text, b"bad \xff").await;
    let undrop_session::Packet::Close(close) = session.news().await else { panic!("no x") };
    assert_eq!(close.code.get(), 1007);
}
