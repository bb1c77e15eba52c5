//! One attempt: from a URL and an offer to a WebSocket, or to the reason why there is none.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use tokio::time::Instant;
use undrop_frame::handshake::{Headers, ResponseHead, request};
use undrop_frame::{Role, deflate};
use undrop_session::{Attempt, Down, Mode, is_session_answer, offer};
use undrop_transport::{
    DialError, DialOptions, Ending, Offer, Stream, UpgradeError, Upgraded, WebSocket, WebSocketConfig, dial,
    ending_of, host_header, random_key, upgrade,
};
use url::Url;

use crate::event::Stage;

/// Where to connect to, and how.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) url: Url,
    pub(crate) protocols: Vec<String>,
    pub(crate) headers: Headers,
    pub(crate) dial: DialOptions,
    pub(crate) socket: WebSocketConfig,
    pub(crate) deflate: Option<deflate::Config>,
    pub(crate) connector: Option<Connector>,
}

/// Opens the byte stream of an attempt in place of TCP, TLS and forward proxies.
#[derive(Clone)]
pub(crate) struct Connector(pub(crate) Arc<dyn Fn() -> Opening + Send + Sync>);

/// A stream that is being opened.
pub(crate) type Opening = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector(…)")
    }
}

/// A WebSocket whose handshake is done.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) socket: WebSocket,
    pub(crate) mode: Mode,
    /// The application's sub-protocol, in plain mode.
    pub(crate) protocol: Option<String>,
}

/// Why there is none: for the machine, and for people.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) down: Down,
    pub(crate) stage: Stage,
    pub(crate) ending: Ending,
    pub(crate) why: String,
}

/// Dials and upgrades.
pub(crate) async fn make(target: Arc<Target>, attempt: Attempt) -> Result<Connected, Failed> {
    let stream = match &target.connector {
        Some(Connector(open)) => open().await.map_err(|error| Failed {
            down: Down::default(),
            stage: Stage::Connect,
            ending: ending_of(&error),
            why: error.to_string(),
        })?,
        None => dial(&target.url, &target.dial).await.map_err(dial_failed)?,
    };
    let protocols = match &attempt.hello {
        Some(hello) => offer(&target.protocols, hello),
        None => target.protocols.clone(),
    };
    let key = random_key().map_err(|error| Failed {
        down: Down::default(),
        stage: Stage::Connect,
        ending: ending_of(&error),
        why: format!("no random bytes: {error}"),
    })?;
    // Control packets are never compressed, and an undrop gateway relays messages as they are.
    let extensions = target.deflate.as_ref().map(deflate::Config::offer);
    let bytes = request(
        &host_header(&target.url),
        &target.url[url::Position::BeforePath..url::Position::AfterQuery],
        &key,
        &protocols,
        extensions.as_deref(),
        &target.headers,
    );
    let deadline = Instant::now() + target.dial.handshake_timeout;
    let offered = Offer::new(&key, &protocols, extensions.is_some());
    let Upgraded { stream, accepted, leftover, .. } =
        upgrade(stream, &bytes, &offered, deadline).await.map_err(upgrade_failed)?;
    let mut config = target.socket.clone();
    if let Some(ours) = &target.deflate {
        let agreed = ours.accept(accepted.extensions.as_deref()).map_err(|error| Failed {
            down: Down::default(),
            stage: Stage::Handshake,
            why: error.to_string(),
            ending: error.into(),
        })?;
        config.deflate = agreed.map(|params| (params, ours.clone()));
    }
    let session = attempt.hello.is_some() && accepted.protocol.as_deref().is_some_and(is_session_answer);
    Ok(Connected {
        socket: WebSocket::new(stream, Role::Client, leftover, &config),
        mode: if session { Mode::Session } else { Mode::Plain },
        protocol: accepted.protocol.filter(|_| !session),
    })
}

fn dial_failed(error: DialError) -> Failed {
    Failed {
        down: Down { fatal: error.is_permanent(), ..Down::default() },
        stage: if matches!(error, DialError::Tls(_)) { Stage::Tls } else { Stage::Connect },
        ending: error.ending(),
        why: error.to_string(),
    }
}

fn upgrade_failed(error: UpgradeError) -> Failed {
    let down = match &error {
        UpgradeError::Refused { head, .. } => {
            Down { status: Some(head.status), retry_after: retry_after(head), ..Down::default() }
        }
        _ => Down::default(),
    };
    Failed { down, stage: Stage::Handshake, ending: error.ending(), why: error.explain() }
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3); a date is not understood.
fn retry_after(head: &ResponseHead) -> Option<Duration> {
    head.headers.get_str("Retry-After")?.trim().parse().ok().map(Duration::from_secs)
}
