//! A client that reconnects by itself and resumes its session.
//!
//! ```sh
//! cargo run -- gateway     # without an upstream, it serves an echo backend at /echo
//! cargo run -p undrop-client --example echo
//! ```
#![allow(clippy::print_stdout, reason = "an example prints its results")]

use undrop_client::{Client, CloseCode, Event};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1);
    run(url.as_deref().unwrap_or("ws://127.0.0.1:8080/echo")).await
}

/// Sends three messages to an echo server and prints the replies.
pub async fn run(url: &str) -> Result<(), Error> {
    let mut client = Client::connect(url).await?;
    let mut events = client.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::Lost { ending } => println!("connection lost: {ending}"),
                Event::Resumed { resent, .. } => println!("resumed; {resent} messages were resent"),
                Event::Gap { reason, .. } => println!("messages may be lost, reload the state: {reason:?}"),
                _ => {}
            }
        }
    });
    for n in 1..=3 {
        let receipt = client.send(format!("message {n}").into()).await?;
        println!("received {:?}", client.recv().await);
        // Resolves when the message has reached the backend, on whichever connection.
        receipt.await?;
    }
    client.close(CloseCode::NORMAL, "done").await;
    Ok(())
}
