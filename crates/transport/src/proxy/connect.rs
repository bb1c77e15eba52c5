//! Tunnels by HTTP CONNECT (RFC 9110 §9.3.6).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncWriteExt;
use undrop_frame::ProxyFault;
use undrop_frame::handshake::{DEFAULT_LIMIT, parse_response};

use super::{Authority, Credentials, ProxyError};
use crate::Stream;
use crate::head::{ReadHeadError, read_head};

/// Asks the proxy for a tunnel. The caller limits the time.
pub(crate) async fn http_connect(
    stream: &mut Stream,
    host: &str,
    port: u16,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyError> {
    let target = Authority(host, port);
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(known) = credentials {
        let pair = STANDARD.encode([&known.user[..], b":", &known.password[..]].concat());
        request.push_str(&format!("Proxy-Authorization: Basic {pair}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let parse = |bytes: &[u8]| parse_response(bytes, DEFAULT_LIMIT);
    let (head, behind) = match read_head(stream, Vec::new(), parse, DEFAULT_LIMIT).await {
        Ok(found) => found,
        Err(ReadHeadError::Closed(_)) => return Err(ProxyError::Closed),
        Err(ReadHeadError::Malformed(error)) => return Err(ProxyFault::Protocol(error.to_string()).into()),
        Err(ReadHeadError::Io(error)) => return Err(error.into()),
    };
    match head.status {
        // The client sends first in TLS and in HTTP, so no bytes may follow the response.
        200..=299 if behind.is_empty() => Ok(()),
        200..=299 => Err(ProxyFault::Protocol("data before the tunnel was used".to_owned()).into()),
        407 => Err(ProxyFault::Authentication.into()),
        status => Err(ProxyFault::Status(status).into()),
    }
}
