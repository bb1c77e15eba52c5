//! One attempt to connect: from a URL and an offer to a WebSocket, or to the reason why there is none.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use undrop_frame::deflate;
use undrop_frame::handshake::{Headers, ResponseHead};
use undrop_session::{Attempt, LinkEnd, LinkMode, is_session_protocol, offer};
use undrop_transport::{
    ConnectError, ConnectRequest, ConnectStage, DialError, DialOptions, Ending, OfferedExtensions, Stream,
    UpgradeError, WebSocket, WebSocketConfig, WsUrl, connect, ending_of, upgrade,
};

/// The resource to connect to, with all options.
#[derive(Debug)]
pub(crate) struct ConnectTarget {
    pub(crate) url: WsUrl,
    pub(crate) protocols: Vec<String>,
    pub(crate) headers: Headers,
    pub(crate) dial: DialOptions,
    pub(crate) socket: WebSocketConfig,
    pub(crate) deflate: Option<deflate::Config>,
    pub(crate) connector: Option<Connector>,
}

/// The function of the application that opens the byte stream of an attempt in place of TCP, TLS and forward proxies.
#[derive(Clone)]
pub(crate) struct Connector(pub(crate) Arc<dyn Fn() -> StreamFuture + Send + Sync>);

/// The future of a [`Connector`].
pub(crate) type StreamFuture = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector(…)")
    }
}

/// A WebSocket whose handshake is complete.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) socket: WebSocket,
    pub(crate) mode: LinkMode,
    /// The application's subprotocol, in plain mode.
    pub(crate) protocol: Option<String>,
}

/// The reason why an attempt failed: for the machine, and for people.
#[derive(Debug)]
pub(crate) struct AttemptFailure {
    pub(crate) end: LinkEnd,
    pub(crate) stage: ConnectStage,
    pub(crate) ending: Ending,
    pub(crate) why: String,
}

/// Opens a WebSocket for an attempt of the machine.
pub(crate) async fn make(target: Arc<ConnectTarget>, attempt: Attempt) -> Result<Linked, AttemptFailure> {
    let protocols = match &attempt.hello {
        Some(hello) => offer(&target.protocols, hello),
        None => target.protocols.clone(),
    };
    let request = ConnectRequest {
        protocols: &protocols,
        // Control packets are never compressed, and an undrop gateway relays messages as they are.
        extensions: target.deflate.as_ref().map_or(OfferedExtensions::None, OfferedExtensions::Deflate),
        upgrade_timeout: target.dial.handshake_timeout,
        ..ConnectRequest::new(&target.url, &target.headers)
    };
    let connected = match &target.connector {
        Some(Connector(open)) => {
            let stream = open().await.map_err(|error| connector_failed(&error))?;
            upgrade(stream, &request).await.map_err(ConnectError::from)
        }
        None => connect(&request, &target.dial).await,
    };
    let mut connected = connected.map_err(|error| connect_failed(&error))?;
    let protocol = connected.accepted.protocol.take();
    let session = attempt.hello.is_some() && protocol.as_deref().is_some_and(is_session_protocol);
    Ok(Linked {
        socket: connected.into_websocket(&target.socket),
        mode: if session { LinkMode::Session } else { LinkMode::Plain },
        protocol: protocol.filter(|_| !session),
    })
}

/// The failure of a connector that the application provided. It may wrap a typed error of the transport.
fn connector_failed(error: &io::Error) -> AttemptFailure {
    let dial = error.get_ref().and_then(|inner| inner.downcast_ref::<DialError>());
    AttemptFailure {
        end: LinkEnd { fatal: dial.is_some_and(DialError::is_permanent), ..LinkEnd::default() },
        stage: dial.map_or(ConnectStage::Connect, DialError::stage),
        ending: ending_of(error),
        why: error.to_string(),
    }
}

fn connect_failed(error: &ConnectError) -> AttemptFailure {
    let end = match error {
        ConnectError::Upgrade(UpgradeError::Refused { head, .. }) => {
            LinkEnd { status: Some(head.status), retry_after: retry_after(head), ..LinkEnd::default() }
        }
        _ => LinkEnd { fatal: error.is_permanent(), ..LinkEnd::default() },
    };
    AttemptFailure { end, stage: error.stage(), ending: error.ending(), why: error.explain() }
}

/// Returns the value of `Retry-After` in seconds (RFC 9110 §10.2.3). A date is ignored.
fn retry_after(head: &ResponseHead) -> Option<Duration> {
    head.headers.get_str("Retry-After")?.trim().parse().ok().map(Duration::from_secs)
}
