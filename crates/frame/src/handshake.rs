//! The opening handshake, both sides, without I/O: HTTP/1.1 heads in and out (RFC 6455 §4, RFC 9112).
//!
//! Parsing is strict where leniency helps attackers (line ends, duplicate or missing fields, a body after the request),
//! bounded by the caller's limit, and never panics on input.

mod error;
mod head;
mod headers;
mod request;
mod response;

pub use error::{HandshakeError, MalformedHead};
pub use head::{MAX_HEADERS, RequestHead, ResponseHead, parse_request, parse_response};
pub use headers::Headers;
pub use request::{UpgradeRequest, check_upgrade, request};
pub use response::{Accepted, check_response, response_101, response_plain};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The default limit of a request or response head: 16 KiB.
pub const DEFAULT_LIMIT: usize = 16 * 1024;

/// The fixed text that the server appends to the key (RFC 6455 §1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Returns the value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
///
/// ```
/// use undrop_frame::handshake::accept_key;
/// assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(GUID.as_bytes());
    STANDARD.encode(hash.finalize())
}

/// Returns a `Sec-WebSocket-Key` made of 16 random bytes, which must be fresh for each attempt (RFC 6455 §4.1).
pub fn key(random: [u8; 16]) -> String {
    STANDARD.encode(random)
}

/// Returns whether a key is the base64 form of 16 bytes (RFC 6455 §4.2.1).
fn is_key(key: &str) -> bool {
    key.len() == 24 && STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}
