//! The handshake of an accepted connection: from its first byte to the relay or session that then owns it.
//!
//! The state of a handshake is a few kilobytes. It is freed before the connection can become idle.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;
use undrop_frame::handshake::{RequestHead, UpgradeRequest, check_upgrade, response_101, response_plain};
use undrop_frame::{CloseCode, Limits};
use undrop_server::{Admission, Backend, Pending, Sessions, close_frame, retire};
use undrop_session::Offer;
use undrop_transport::{AcceptError, ConnectError, Connected, Peer, Stream, UpgradeError, read_request, tls};

use crate::backend::{self, Forward, relayed_response};
use crate::config::{Route, Upstream};
use crate::process::GatewayState;
use crate::relay::{Relay, RelayOptions};

/// The refusal of a connection, with the response to the client.
struct ClientRefusal {
    status: u16,
    why: String,
    response: Vec<u8>,
}

impl ClientRefusal {
    fn new(status: u16, why: impl Into<String>) -> ClientRefusal {
        let why = why.into();
        ClientRefusal { status, response: response_plain(status, &[], &format!("{why}\n")), why }
    }
}

/// Performs the handshake of a connection and passes it to a relay or a session.
pub(crate) async fn handle(process: Arc<GatewayState>, mut stream: Stream, peer: Peer, crowded: bool) {
    let deadline = Instant::now() + process.config.limits.handshake_timeout;
    let address = peer.proxied_addr.unwrap_or(peer.addr);
    if let Some(tls) = &process.tls {
        stream = match tls::accept(stream, tls, deadline).await {
            Ok(stream) => stream,
            Err(error) => return tracing::info!(peer = %address, %error, "TLS handshake failed"),
        };
    }
    let (head, leftover) = match read_request(&mut stream, process.config.limits.max_head, deadline).await {
        Ok(read) => read,
        Err(AcceptError::Closed) => return,
        Err(error) => {
            tracing::info!(peer = %address, %error, "invalid request");
            if let Some(status) = error.status() {
                retire(stream, response_plain(status, &[], &format!("{error}\n"))).await;
            }
            return;
        }
    };
    let done = match prepare(&process, &head) {
        // A session of this gateway is already counted.
        Ok((request, offer, _)) if crowded && !process.sessions.knows(&offer) => {
            Err((stream, busy(&request, &offer)))
        }
        Ok((request, offer, route)) => {
            let sessions = route.sessions && (offer.wants_session() || offer.hello.is_some());
            let client = ClientRequest { stream, leftover, head, request, offer, address };
            if sessions {
                session(&process, route, client).await
            } else {
                plain(&process, route, client).await
            }
        }
        Err(refusal) => Err((stream, refusal)),
    };
    if let Err((stream, refusal)) = done {
        tracing::info!(peer = %address, status = refusal.status, cause = %refusal.why, "refused");
        retire(stream, refusal.response).await;
    }
}

/// A validated request with its connection.
struct ClientRequest {
    stream: Stream,
    leftover: Vec<u8>,
    head: RequestHead,
    request: UpgradeRequest,
    offer: Offer,
    address: SocketAddr,
}

/// The result of a handshake. A refusal returns the stream, to send the response on.
type HandshakeResult = Result<(), (Stream, ClientRefusal)>;

/// Validates the request and finds its route, without the backend.
fn prepare<'p>(
    process: &'p GatewayState,
    head: &RequestHead,
) -> Result<(UpgradeRequest, Offer, &'p Route), ClientRefusal> {
    let request = check_upgrade(head).map_err(|error| {
        let response = response_plain(error.status(), error.headers(), &format!("{error}\n"));
        ClientRefusal { status: error.status(), why: error.to_string(), response }
    })?;
    let offer = Sessions::offer(&request.protocols);
    if let Some(Err(error)) = &offer.hello {
        return Err(ClientRefusal::new(400, error.to_string()));
    }
    if has_dot_segment(&head.target) {
        return Err(ClientRefusal::new(400, "the path contains a segment `.` or `..`"));
    }
    let route = process
        .route(&head.target)
        .ok_or_else(|| ClientRefusal::new(404, "there is no route for this path"))?;
    if let (Some(origins), Some(origin)) = (&route.origins, &request.origin)
        && !origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    {
        return Err(ClientRefusal::new(403, format!("origin {origin} is not allowed")));
    }
    Ok((request, offer, route))
}

/// Returns `true` if a backend may resolve the path to another one than the gateway routes by (RFC 3986 §5.2.4). `%2e`
/// counts as a dot.
fn has_dot_segment(target: &str) -> bool {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).any(|segment| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        segment == "." || segment == ".."
    })
}

/// Returns the refusal of a connection above the limit. A browser cannot read a status or `Retry-After`, so it is
/// accepted and closed with the delay in the reason (PROTOCOL §8). Other clients get 503.
fn busy(request: &UpgradeRequest, offer: &Offer) -> ClientRefusal {
    let why = "too many connections".to_owned();
    let response = if request.origin.is_some() || offer.hello.is_some() {
        let plain = offer.plain.first().cloned();
        // Without the session protocol in the response, the client would conclude that the server does not support
        // sessions, and would give up its own.
        let protocol = if offer.wants_session() {
            Some(undrop_session::response_protocol(offer, plain.as_deref()))
        } else {
            plain
        };
        let mut response = response_101(&request.key, protocol.as_deref(), None, &[]);
        response.extend(close_frame(Some(CloseCode::TRY_AGAIN_LATER), "retry=2000"));
        response
    } else {
        response_plain(503, &[("Retry-After", "2")], "too many connections\n")
    };
    ClientRefusal { status: 503, why, response }
}

/// Resumes or creates the session of a client that supports the session protocol.
async fn session(process: &GatewayState, route: &Route, client: ClientRequest) -> HandshakeResult {
    let ClientRequest { stream, leftover, head, request, offer, address } = client;
    let principal = format!("{} {}", route.path, request.origin.as_deref().unwrap_or("-"));
    let pending = Pending {
        stream,
        leftover,
        peer: address,
        offer,
        key: request.key.clone(),
        principal: principal.into_boxed_str(),
    };
    let Admission::New(newcomer) = process.sessions.admit(pending).await else { return Ok(()) };
    let plain = &newcomer.pending.offer.plain;
    let forward = Forward {
        head: &head,
        host: &request.host,
        // The handshake with the backend is the gateway's own. The link is never compressed, so no extensions are
        // offered to the backend.
        key: None,
        protocols: plain,
        extensions: None,
        client: address.ip().to_canonical(),
        secure: process.tls.is_some(),
    };
    let connected = match dial(process, route, forward).await {
        Ok(connected) => connected,
        Err(refusal) => return Err((newcomer.pending.stream, refusal)),
    };
    let Connected { stream, accepted, leftover, .. } = connected;
    let peer = newcomer.pending.peer;
    if let Err(error) =
        process.sessions.create(*newcomer, Backend { stream, leftover, protocol: accepted.protocol }).await
    {
        // The connection was dropped with the attempt, so the client tries again.
        tracing::error!(%peer, %error, "failed to create session");
    }
    Ok(())
}

/// Starts the relay of a client that does not support the session protocol.
async fn plain(process: &GatewayState, route: &Route, client: ClientRequest) -> HandshakeResult {
    let ClientRequest { mut stream, leftover, head, request, offer, address } = client;
    let forward = Forward {
        head: &head,
        host: &request.host,
        key: Some(&request.key),
        protocols: &offer.plain,
        extensions: request.extensions.as_deref(),
        client: address.ip().to_canonical(),
        secure: process.tls.is_some(),
    };
    let connected = match dial(process, route, forward).await {
        Ok(connected) => connected,
        Err(refusal) => return Err((stream, refusal)),
    };
    // The backend received the client's key, so its `Sec-WebSocket-Accept` is valid for the client.
    let response = relayed_response(&connected.head, None);
    if let Err(error) = tokio::io::AsyncWriteExt::write_all(&mut stream, &response).await {
        tracing::info!(peer = %address, %error, "the client left before the response");
        return Ok(());
    }
    let options = RelayOptions {
        heartbeat: process.config.session.machine.heartbeat,
        limits: Limits {
            frame: process.config.limits.max_message,
            message: process.config.limits.max_message,
        },
        compressed: connected.accepted.extensions.is_some(),
    };
    let backend = (connected.stream, connected.leftover);
    drop(tokio::spawn(Relay::new((stream, leftover), backend, address, options, process.relays.enter())));
    Ok(())
}

/// Opens the backend connection of a route.
async fn dial(
    process: &GatewayState,
    route: &Route,
    forward: Forward<'_>,
) -> Result<Connected, ClientRefusal> {
    let url = match &route.upstream {
        Upstream::Url(url) => url,
        Upstream::Embedded => process
            .embedded
            .as_ref()
            .ok_or_else(|| ClientRefusal::new(502, "there is no embedded backend"))?,
    };
    backend::open(url, forward, &process.dial, &process.config.backend).await.map_err(|error| match &error {
        // The backend's own response reaches the client unchanged.
        ConnectError::Upgrade(UpgradeError::Refused { head, body }) => ClientRefusal {
            status: head.status,
            why: format!("the backend responded with {}", head.status),
            response: relayed_response(head, Some(body)),
        },
        ConnectError::Upgrade(upgrade) => ClientRefusal::new(
            backend::status(&error),
            format!("the handshake with the backend failed: {upgrade}"),
        ),
        _ => ClientRefusal::new(backend::status(&error), format!("cannot connect to the backend: {error}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_dot_segments_are_found() {
        for target in ["/a/../b", "/..", "/./x", "/%2e%2E/x", "/a/.%2e?x", "/a\\..\\b"] {
            assert!(has_dot_segment(target), "{target}");
        }
        for target in ["/", "/a.b/..c", "/chat?next=/../x", "/...", "http://host/a"] {
            assert!(!has_dot_segment(target), "{target}");
        }
    }
}
