//! A proxy that injects the faults of real networks and proxies into connections. It applies `undrop-fault` between
//! sockets, and reads WebSocket frames, so that it can cut a connection inside a frame, drop Pongs, or send a Close frame.
//!
//! This crate is the library behind `undrop chaos`, for tests of any WebSocket client or server.
//!
//! ```
//! use std::time::Duration;
//! use futures_util::{SinkExt as _, StreamExt as _};
//! use tokio_tungstenite::tungstenite::{Error, Message, error::ProtocolError};
//! use undrop_chaos::Chaos;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A backend that echoes messages. In a real test, this is the server under test.
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let backend = listener.local_addr()?;
//! tokio::spawn(async move {
//!     while let Ok((stream, _)) = listener.accept().await {
//!         tokio::spawn(async move {
//!             let (sink, source) = tokio_tungstenite::accept_async(stream).await?.split();
//!             source.forward(sink).await
//!         });
//!     }
//! });
//!
//! // A proxy with an idle timeout of 60 s, a thousand times faster than real time.
//! let chaos = Chaos::start(backend).idle_cut(Duration::from_secs(60)).speed(1000.0).await?;
//!
//! let (mut socket, _) = tokio_tungstenite::connect_async(chaos.url()).await?;
//! socket.send(Message::text("hello")).await?;
//! assert_eq!(socket.next().await.transpose()?, Some(Message::text("hello")));
//! // After a silence, the proxy ends the connection without a Close frame, which browsers report as code 1006.
//! let end = socket.next().await;
//! assert!(matches!(end, Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)))));
//! assert_eq!(chaos.counts().injected["idle-cut"], 1);
//! # Ok(())
//! # }
//! ```
//!
//! Presets are the faults of real products: `Chaos::start(backend).preset("alb")`; see `undrop chaos --list-presets`.
//! Faults without a builder method are written as on the command line: `.inject("cut mid-frame=3 direction=down how=rst")`.
//! [`Chaos::add`] and [`Chaos::remove`] change the faults of a running proxy. The same seed gives the same random draws for
//! the same connection, whatever other faults there are.

pub mod api;
mod assignment;
mod builder;
mod clock;
mod close_frame;
mod connection;
mod counts;
mod declaration;
mod direction;
mod error;
mod event;
mod fault_set;
mod faults;
mod info;
mod injector;
pub mod kind;
mod parameters;
pub mod preset;
mod proxy;
mod proxy_state;
mod replay;
mod schedule;
mod seed;
mod serve;
mod spec;
mod spec_error;
mod timeline;
mod tunnel;
mod upstream;

pub use builder::Builder;
pub use close_frame::CloseFrame;
pub use counts::Counts;
pub use declaration::FaultDeclaration;
pub use direction::Direction;
pub use error::Error;
pub use event::Event;
pub use faults::Faults;
pub use info::{ConnectionInfo, FaultInfo};
pub use kind::{FaultKind, fault_kinds};
pub use parameters::{ParameterInfo, Presence};
pub use proxy::Chaos;
pub use replay::{Replay, ReplayError};
pub use schedule::Schedule;
pub use spec::FaultSpec;
pub use spec_error::FaultSpecError;
pub use timeline::{Timeline, TimelineError};
pub use undrop_fault::CloseManner;
pub use upstream::{ToUpstream, Upstream, UpstreamError};
