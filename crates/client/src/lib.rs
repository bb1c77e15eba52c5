//! A WebSocket client whose sessions survive their connections.
//!
//! ```no_run
//! use undrop_client::{Client, Message};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect("ws://127.0.0.1:8080/echo").await?;
//! let receipt = client.send(Message::Text("hello".into())).await?;
//! receipt.await?; // the gateway handed the message to the backend, on whichever connection
//! while let Some(message) = client.recv().await {
//!     println!("{message:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! With an undrop gateway, every message is delivered exactly once and in order, across any number of lost connections.
//! Where that is impossible, for example because the gateway was restarted, the client reports an [`Event::Gap`]. With
//! any other server the client works in plain mode: it reconnects by the same rules and keeps the messages that were not
//! sent, but it cannot know which messages were lost on the way.
//!
//! The guide `docs/rust-client.md` explains events, gaps, receipts and all options.

mod attempt;
mod builder;
mod driver;
mod error;
mod event;
mod handle;
mod shared;

pub use builder::ClientBuilder;
pub use error::{BuildError, Closed, ConnectError, SendError, Undelivered};
pub use event::Event;
pub use handle::{Client, Events, Receipt, Sender};
pub use undrop_frame::{CloseCode, Limits, Message, deflate};
pub use undrop_session::{
    Backoff, ClientConfig, ClosedBy, GapReason, LossReason, PageState, PlainHeartbeat, QueuePolicy,
    SessionMode,
};
pub use undrop_transport::{ConnectStage, DialOptions, Ending, Stream, UrlError};
