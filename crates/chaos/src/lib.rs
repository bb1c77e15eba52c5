//! A proxy that does to connections what real networks and proxies do: it drives `undrop-fault` between sockets, and
//! knows enough of WebSockets to cut inside of a frame, to lose Pongs, or to say goodbye with a close code.
//!
//! It is `undrop chaos` as a library, for tests of anything that speaks WebSocket.
//!
//! ```
//! use std::time::Duration;
//! use futures_util::{SinkExt as _, StreamExt as _};
//! use tokio_tungstenite::tungstenite::{Error, Message, error::ProtocolError};
//! use undrop_chaos::Chaos;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A backend that echoes; yours in a real test.
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
//! // A proxy in front of it that ends idle connections after 60 s, run a thousand times as fast.
//! let chaos = Chaos::start(backend).idle_cut(Duration::from_secs(60)).speed(1000.0).await?;
//!
//! let (mut socket, _) = tokio_tungstenite::connect_async(chaos.url()).await?;
//! socket.send(Message::text("hello")).await?;
//! assert_eq!(socket.next().await.transpose()?, Some(Message::text("hello")));
//! // Silence. The proxy's FIN comes without a Close frame, which browsers call 1006.
//! let end = socket.next().await;
//! assert!(matches!(end, Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)))));
//! assert_eq!(chaos.counts().injected["idle-cut"], 1);
//! # Ok(())
//! # }
//! ```
//!
//! Faults of a real product come by its name: `Chaos::start(backend).preset("alb")`; see `undrop chaos --list-presets`.
//! What has no method of its own is written as on the command line: `.inject("cut mid-frame=3 direction=down how=rst")`.
//! Faults come and go while the proxy runs with [`Chaos::add`] and [`Chaos::remove`]; the same seed gives the same
//! draws for the same connection, whatever else is on it.

pub mod api;
mod builder;
mod connection;
mod event;
mod interpose;
mod plan;
pub mod preset;
mod proxy;
mod replay;
mod serve;
mod shared;
mod spec;
mod timeline;
mod upstream;
mod wire;

use std::io;
use std::net::SocketAddr;

use undrop_fault::Fault;

pub use builder::Builder;
pub use event::Event;
pub use proxy::{Chaos, ConnectionInfo, Counts, FaultInfo, ToUpstream};
pub use replay::{Replay, ReplayError};
pub use spec::{
    Counts as Activity, Direction, Forget, How, KINDS, Kind, Mode, Schedule, Spec, SpecError, When,
};
pub use timeline::{Timeline, TimelineError};
pub use upstream::{Upstream, UpstreamError};

/// What is wrong with the links of one connection: towards the upstream, and back from it.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Client to upstream.
    pub forth: Fault,
    /// Upstream to client.
    pub back: Fault,
}

/// A proxy that cannot be started, or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The address to listen on is none.
    #[error("cannot listen on `{address}`: {reason}")]
    Address {
        /// The address.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The upstream is none.
    #[error(transparent)]
    Upstream(UpstreamError),
    /// A fault is none.
    #[error(transparent)]
    Fault(SpecError),
    /// A preset is none.
    #[error("{0}")]
    Preset(String),
    /// A speed that time cannot have.
    #[error("a speed of {0} is not above 0")]
    Speed(f64),
    /// The name of a fault or a proxy is taken.
    #[error("the name `{0}` is taken")]
    NameTaken(String),
}
