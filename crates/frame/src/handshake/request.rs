//! The client's half of the handshake: writing the request, and checking it on the server.

use super::headers::{is_token, push_field};
use super::{HandshakeError, Headers, RequestHead, is_key};

/// The content of a client's request, which follows every rule of RFC 6455 §4.2.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeRequest {
    /// The value of `Sec-WebSocket-Key`.
    pub key: String,
    /// `Sec-WebSocket-Protocol`, in order of preference; may be empty.
    pub protocols: Vec<String>,
    /// `Sec-WebSocket-Extensions`, all fields as one list.
    pub extensions: Option<String>,
    /// `Origin`; browsers always send it.
    pub origin: Option<String>,
    /// The value of `Host`.
    pub host: String,
}

/// Checks that a request opens a WebSocket, and returns its content.
///
/// # Errors
/// See [`HandshakeError`]; answer with its [`status`](HandshakeError::status) and
/// [`headers`](HandshakeError::headers).
pub fn check_upgrade(head: &RequestHead) -> Result<UpgradeRequest, HandshakeError> {
    let headers = &head.headers;
    if head.version_minor != 1 {
        return Err(HandshakeError::Version(head.version_minor));
    }
    if head.method != "GET" {
        return Err(HandshakeError::Method(head.method.clone()));
    }
    let field =
        |name: &'static str| headers.single(name).map_err(|()| HandshakeError::RequestField(name.into()));
    let host = match field("Host")? {
        Some(host) if is_host(host) => host.to_owned(),
        _ => return Err(HandshakeError::RequestField("Host".into())),
    };
    if !headers.has_token("Upgrade", "websocket") {
        return Err(HandshakeError::NotUpgrade);
    }
    if !headers.has_token("Connection", "upgrade") {
        return Err(HandshakeError::RequestField("Connection".into()));
    }
    match field("Sec-WebSocket-Version")? {
        Some("13") => {}
        Some(other) => return Err(HandshakeError::WebSocketVersion(other.to_owned())),
        None => return Err(HandshakeError::RequestField("Sec-WebSocket-Version".into())),
    }
    let key = match field("Sec-WebSocket-Key")? {
        Some(key) if is_key(key) => key.to_owned(),
        _ => return Err(HandshakeError::RequestField("Sec-WebSocket-Key".into())),
    };
    // A body would be read as frames here and as a body by an intermediary.
    if headers.contains("Transfer-Encoding") {
        return Err(HandshakeError::RequestField("Transfer-Encoding".into()));
    }
    if !matches!(field("Content-Length")?, None | Some("0")) {
        return Err(HandshakeError::RequestField("Content-Length".into()));
    }
    let protocols = protocols(headers)?;
    let extensions = match headers.joined("Sec-WebSocket-Extensions") {
        None if headers.contains("Sec-WebSocket-Extensions") => {
            return Err(HandshakeError::RequestField("Sec-WebSocket-Extensions".into()));
        }
        list => list,
    };
    let origin = field("Origin")?.map(str::to_owned);
    Ok(UpgradeRequest { key, protocols, extensions, origin, host })
}

/// The offered subprotocols: tokens, none twice (RFC 6455 §4.1).
fn protocols(headers: &Headers) -> Result<Vec<String>, HandshakeError> {
    const NAME: &str = "Sec-WebSocket-Protocol";
    let mut offered: Vec<String> = Vec::new();
    for value in headers.get_all(NAME) {
        if std::str::from_utf8(value).is_err() {
            return Err(HandshakeError::RequestField(NAME.into()));
        }
    }
    for protocol in headers.tokens(NAME) {
        if !is_token(protocol) || offered.iter().any(|known| known == protocol) {
            return Err(HandshakeError::RequestField(NAME.into()));
        }
        offered.push(protocol.to_owned());
    }
    Ok(offered)
}

/// A host with an optional port; only the characters are checked, names are resolved elsewhere.
fn is_host(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&b))
}

/// Writes a client's request head. `key` comes from [`key`](super::key). Fields of `extra` that the handshake
/// itself owns (Host, Upgrade, Connection, `Sec-WebSocket-*`) or that HTTP does not allow are left out.
///
/// `host` and `target` come from a parsed URL; a space or control character in them is written as `%XX`.
pub fn request(
    host: &str,
    target: &str,
    key: &str,
    protocols: &[String],
    extensions: Option<&str>,
    extra: &Headers,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(b"GET ");
    for byte in target.bytes() {
        if (0x21..0x7f).contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    push_field(&mut out, "Host", host.as_bytes());
    push_field(&mut out, "Upgrade", b"websocket");
    push_field(&mut out, "Connection", b"Upgrade");
    push_field(&mut out, "Sec-WebSocket-Key", key.as_bytes());
    push_field(&mut out, "Sec-WebSocket-Version", b"13");
    if !protocols.is_empty() {
        push_field(&mut out, "Sec-WebSocket-Protocol", protocols.join(", ").as_bytes());
    }
    if let Some(extensions) = extensions {
        push_field(&mut out, "Sec-WebSocket-Extensions", extensions.as_bytes());
    }
    for (name, value) in extra.iter() {
        if !is_own(name) {
            push_field(&mut out, name, value);
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Fields that the handshake writes itself.
fn is_own(name: &str) -> bool {
    const OWN: [&str; 7] = [
        "Host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
    ];
    OWN.iter().any(|own| own.eq_ignore_ascii_case(name))
}
