//! The connection to the backend of a route, with the request of the client.

use std::borrow::Cow;
use std::net::IpAddr;

use undrop_frame::handshake::{Headers, RequestHead, ResponseHead};
use undrop_transport::{
    ConnectError, ConnectRequest, Connected, DialError, DialOptions, OfferedExtensions, UpgradeError, WsUrl,
    connect,
};
use url::Url;

use crate::config::BackendOptions;

/// Returns the status for the client where the backend sent none: 504 for a timeout, otherwise 502.
pub(crate) fn status(error: &ConnectError) -> u16 {
    match error {
        ConnectError::Dial(DialError::Timeout(_)) | ConnectError::Upgrade(UpgradeError::Timeout) => 504,
        _ => 502,
    }
}

/// The part of a client's request that is forwarded to the backend.
pub(crate) struct Forward<'a> {
    pub(crate) head: &'a RequestHead,
    pub(crate) host: &'a str,
    /// The client's `Sec-WebSocket-Key`; `None` for a fresh one.
    pub(crate) key: Option<&'a str>,
    pub(crate) protocols: &'a [String],
    pub(crate) extensions: Option<&'a str>,
    pub(crate) client: IpAddr,
    pub(crate) secure: bool,
}

/// Opens a connection to the backend at `url` with the client's request.
pub(crate) async fn open(
    url: &WsUrl,
    forward: Forward<'_>,
    options: &DialOptions,
    config: &BackendOptions,
) -> Result<Connected, ConnectError> {
    let headers = forwarded_headers(&forward);
    let target = target(url.as_url(), &forward.head.target);
    let request = ConnectRequest {
        host: config.preserve_host.then_some(forward.host),
        target: Some(&target),
        key: forward.key,
        protocols: forward.protocols,
        extensions: forward.extensions.map_or(OfferedExtensions::None, OfferedExtensions::Forwarded),
        upgrade_timeout: config.handshake_timeout,
        ..ConnectRequest::new(url, &headers)
    };
    connect(&request, options).await
}

/// Returns the request target for the backend: the path of the upstream, followed by path and query of the client.
fn target(upstream: &Url, client: &str) -> String {
    format!("{}{}", upstream.path().trim_end_matches('/'), origin_form(client))
}

/// Returns path and query of a request target. An absolute target (RFC 9112 §3.2.2) starts with scheme and host.
pub(crate) fn origin_form(target: &str) -> Cow<'_, str> {
    if target.starts_with('/') {
        return target.into();
    }
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    match rest.find(['/', '?']) {
        Some(at) if rest[at..].starts_with('/') => rest[at..].into(),
        Some(at) => format!("/{}", &rest[at..]).into(),
        None => "/".into(),
    }
}

/// The header fields that are valid for one hop only (RFC 9110 §7.6.1), and those that the handshake sets.
const HOP: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn forwarded_headers(forward: &Forward<'_>) -> Headers {
    let mut headers = Headers::new();
    let named: Vec<String> = forward.head.headers.tokens("Connection").map(str::to_ascii_lowercase).collect();
    for (name, value) in forward.head.headers.iter() {
        let lower = name.to_ascii_lowercase();
        let hop =
            HOP.contains(&lower.as_str()) || named.contains(&lower) || lower.starts_with("sec-websocket-");
        if !hop && !lower.starts_with("x-forwarded-") {
            headers.append(name, value.to_vec());
        }
    }
    let chain = match forward.head.headers.joined("X-Forwarded-For") {
        Some(before) => format!("{before}, {}", forward.client),
        None => forward.client.to_string(),
    };
    headers.insert("X-Forwarded-For", chain);
    let known = |name: &str| forward.head.headers.get_str(name).map(str::to_owned);
    let proto = if forward.secure { "https" } else { "http" };
    headers.insert("X-Forwarded-Proto", known("X-Forwarded-Proto").unwrap_or_else(|| proto.to_owned()));
    headers.insert("X-Forwarded-Host", known("X-Forwarded-Host").unwrap_or_else(|| forward.host.to_owned()));
    headers
}

/// Returns the response of the backend for the client. Hop-by-hop fields are replaced by those of the gateway.
pub(crate) fn relayed_response(head: &ResponseHead, body: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(format!("HTTP/1.1 {} {}\r\n", head.status, head.reason).as_bytes());
    for (name, value) in head.headers.iter() {
        if !HOP.contains(&name.to_ascii_lowercase().as_str()) {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
    }
    match body {
        None => out.extend_from_slice(b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
        Some(body) => {
            out.extend_from_slice(
                format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()).as_bytes(),
            );
            out.extend_from_slice(body);
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_upstream_precedes_that_of_the_client() {
        let at = |upstream: &str, client: &str| target(&upstream.parse().unwrap(), client);
        assert_eq!(at("ws://b", "/chat?x=1"), "/chat?x=1");
        assert_eq!(at("ws://b/", "/"), "/");
        assert_eq!(at("ws://b/api/", "/chat?x=1"), "/api/chat?x=1");
        assert_eq!(at("ws://b/api", "http://gate/chat"), "/api/chat");
        assert_eq!(at("ws://b/api", "http://gate"), "/api/");
        assert_eq!(at("ws://b/api", "http://gate?to=a://b/c"), "/api/?to=a://b/c");
        assert_eq!(at("ws://b/api", "/chat?to=a://b/c"), "/api/chat?to=a://b/c");
    }
}
