//! Sockets, TLS, HTTP upgrade and forward proxies for WebSockets.
//!
//! A client calls [`connect`]. A server calls [`Listener::accept`], [`tls::accept`] and [`read_request`], and writes the
//! response. Both then have a [`Stream`] to relay bytes or a [`WebSocket`] to exchange messages, and finally an [`Ending`],
//! which is how the connection ended.
//!
//! All time limits use tokio's clock, which tests can pause. An idle connection holds no buffers: all connections of a
//! thread share one read buffer ([`Stream::poll_read_shared`]).

mod accept;
mod alarm;
mod body;
mod connect;
mod dial;
mod ending;
mod head;
mod io_ending;
mod listener;
mod net;
mod proxy;
mod proxy_protocol;
mod random;
mod request;
pub mod scratch;
mod stage;
mod stream;
pub mod sync;
mod tcp;
pub mod tls;
mod upgrade;
mod url;
mod websocket;

pub use accept::{AcceptError, read_request};
pub use alarm::Alarm;
pub use body::read_body;
pub use connect::{ConnectError, connect};
pub use dial::{DialError, DialOptions, DialPhase, Resolve, ResolveError, dial, lookup};
pub use ending::ending_of;
pub use listener::{ListenOptions, Listener, Peer};
pub use net::{Net, NetError};
pub use proxy::{Proxies, Proxy, ProxyChoice, ProxyError};
pub use proxy_protocol::{ProxyHeaderError, read_proxy_header};
pub use random::random_key;
pub use request::{ConnectRequest, Connected, OfferedExtensions};
pub use stage::{ConnectStage, ConnectTimings};
pub use stream::Stream;
pub use tcp::{Keepalive, TcpInfo, TcpOptions, reset, tcp_info};
pub use undrop_frame::{Ending, SocksReply};
pub use upgrade::{UpgradeError, upgrade};
pub use url::{UrlError, WsUrl, host_header};
pub use websocket::{Received, SendError, WebSocket, WebSocketConfig};
