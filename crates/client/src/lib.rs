//! A WebSocket client whose sessions survive their connections.
//!
//! ```no_run
//! use undrop_client::{Client, Message};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect("ws://127.0.0.1:8080/echo").await?;
//! let receipt = client.send(Message::Text("hello".into())).await?;
//! receipt.await?; // the backend's connection took it, whatever happened on the way
//! while let Some(message) = client.recv().await {
//!     println!("{message:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Against an undrop gateway every message arrives exactly once and in order, over any number of lost links; what cannot
//! be kept is told as [`Event::Gap`]. Against any other server the client goes on in plain mode: it reconnects by the
//! same rules and keeps what was not sent, but knows nothing of what was lost on the way.

mod attempt;
mod builder;
mod driver;
mod event;
mod handle;
mod shared;

pub use builder::{BuildError, ClientBuilder};
pub use event::{Event, Events};
pub use handle::{Client, Closed, ConnectError, Receipt, SendError, Sender, Undelivered};
pub use undrop_frame::{CloseCode, Message, deflate};
pub use undrop_session::{
    Backoff, ClientConfig, ClosedBy, GapReason, LossReason, PlainHeartbeat, QueuePolicy, SessionMode,
};
pub use undrop_transport::{ConnectStage, DialOptions, Ending, Stream, UrlError};
