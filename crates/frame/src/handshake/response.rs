//! The server's half of the handshake: writing it, and checking it on the client.

use super::headers::push_field;
use super::{HandshakeError, ResponseHead, accept_key};

/// The subprotocol and the extensions that the server chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The chosen subprotocol, one of the offered.
    pub protocol: Option<String>,
    /// The chosen extensions, all fields as one list.
    pub extensions: Option<String>,
}

/// Writes the head that switches protocols. `key` is the client's `Sec-WebSocket-Key`. A field that HTTP does not
/// allow is left out.
pub fn response_101(
    key: &str,
    protocol: Option<&str>,
    extensions: Option<&str>,
    extra: &[(&str, &str)],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
    push_field(&mut out, "Upgrade", b"websocket");
    push_field(&mut out, "Connection", b"Upgrade");
    push_field(&mut out, "Sec-WebSocket-Accept", accept_key(key).as_bytes());
    if let Some(protocol) = protocol {
        push_field(&mut out, "Sec-WebSocket-Protocol", protocol.as_bytes());
    }
    if let Some(extensions) = extensions {
        push_field(&mut out, "Sec-WebSocket-Extensions", extensions.as_bytes());
    }
    for (name, value) in extra {
        push_field(&mut out, name, value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Writes a whole response with a text body, after which the connection is closed. A field that HTTP does not
/// allow is left out.
pub fn response_plain(status: u16, extra: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(192 + body.len());
    out.extend_from_slice(format!("HTTP/1.1 {status} {}\r\n", reason(status)).as_bytes());
    // RFC 9110 §7.8: a response with Upgrade names it in Connection too.
    let upgrade = extra.iter().any(|(name, _)| name.eq_ignore_ascii_case("Upgrade"));
    push_field(&mut out, "Connection", if upgrade { b"Upgrade, close" } else { b"close" });
    if !extra.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Type")) {
        push_field(&mut out, "Content-Type", b"text/plain; charset=utf-8");
    }
    push_field(&mut out, "Content-Length", body.len().to_string().as_bytes());
    for (name, value) in extra {
        push_field(&mut out, name, value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body.as_bytes());
    out
}

/// The registered phrase of the statuses that this product sends.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// Checks a server's response (RFC 6455 §4.1). `key` and `offered_protocols` are those of the request;
/// `offered_extensions`: the request offered some.
/// [`deflate::Config::accept`](crate::deflate::Config::accept) checks the content of the extensions.
///
/// # Errors
/// A status other than 101; Upgrade, Connection or Accept missing or wrong; a subprotocol or extension that was
/// not offered.
pub fn check_response(
    head: &ResponseHead,
    key: &str,
    offered_protocols: &[String],
    offered_extensions: bool,
) -> Result<Accepted, HandshakeError> {
    let headers = &head.headers;
    if head.status != 101 {
        return Err(HandshakeError::Refused(head.status));
    }
    if head.version_minor != 1 {
        return Err(HandshakeError::Version(head.version_minor));
    }
    let field =
        |name: &'static str| headers.single(name).map_err(|()| HandshakeError::ResponseField(name.into()));
    if !field("Upgrade")?.is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return Err(HandshakeError::ResponseField("Upgrade".into()));
    }
    if !headers.has_token("Connection", "upgrade") {
        return Err(HandshakeError::ResponseField("Connection".into()));
    }
    match field("Sec-WebSocket-Accept")? {
        Some(value) if value == accept_key(key) => {}
        Some(_) => return Err(HandshakeError::AcceptMismatch),
        None => return Err(HandshakeError::ResponseField("Sec-WebSocket-Accept".into())),
    }
    let protocol = match field("Sec-WebSocket-Protocol")? {
        Some(chosen) if offered_protocols.iter().any(|offered| offered == chosen) => Some(chosen.to_owned()),
        Some(chosen) => return Err(HandshakeError::ProtocolNotOffered(chosen.to_owned())),
        None => None,
    };
    let extensions = match headers.joined("Sec-WebSocket-Extensions") {
        Some(list) if list.trim().is_empty() => None,
        Some(list) if !offered_extensions => return Err(HandshakeError::ExtensionNotOffered(list)),
        None if headers.contains("Sec-WebSocket-Extensions") => {
            return Err(HandshakeError::ResponseField("Sec-WebSocket-Extensions".into()));
        }
        list => list,
    };
    Ok(Accepted { protocol, extensions })
}
