//! Plain HTTP on a port that speaks TLS.

use crate::observations::{Endpoint, HttpOutcome};

/// The texts with which servers refuse plain HTTP on a port that speaks TLS (nginx, Apache, Go).
const PLAIN_TO_TLS: [&str; 3] = [
    "plain HTTP request was sent to HTTPS port",
    "speaking plain HTTP to an SSL-enabled server port",
    "Client sent an HTTP request to an HTTPS server",
];

/// Returns whether the response says that the port speaks TLS.
pub(super) fn wants_tls(target: &Endpoint) -> bool {
    let body = target.handshake().map_or("", HttpOutcome::body);
    PLAIN_TO_TLS.iter().any(|text| body.contains(text))
}
