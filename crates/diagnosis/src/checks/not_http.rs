//! Finds responses that are not HTTP/1.1.

use undrop_frame::HeadFault;
use undrop_report::{Confidence, Finding, Fix, Severity};
use undrop_text::printable;

use super::Check;
use crate::analysis::Case;
use crate::observations::HttpOutcome;

/// The type of an HTTP/2 SETTINGS frame (RFC 9113 §6.5), the fourth byte of a frame.
const SETTINGS: u8 = 4;

/// Bytes of the response that are shown, at most.
const START: usize = 120;

pub(super) const CHECK: Check = Check {
    id: "not-http",
    doc: "
# The response is not HTTP/1.1

The response to the handshake has no proper status line. It is a body alone (from a firewall or an old server that responds as
HTTP/0.9), TLS records on a port that was addressed without TLS, HTTP/2 frames, or another protocol. The first bytes of the
response show which.
",
    cases: &[45],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    if let Some(asked) = case.target.handshake().filter(|_| case.wants_tls) {
        let status = asked.status().unwrap_or_default();
        return vec![
            Finding::new(
                CHECK.id,
                Severity::Error,
                Confidence::High,
                "The port speaks TLS, and the URL says ws://.",
            )
            .at("the URL")
            .evidence(format!("the server responds with {status} and the message that the port requires TLS"))
            .refuted_by("a wss:// URL that fails on this port")
            .fix(Fix::words("Use wss:// for this port.")),
        ];
    }
    let Some(HttpOutcome::NotHttp { fault, start }) = case.target.handshake() else { return Vec::new() };
    let (cause, hop, fix) = if let [0x15 | 0x16, 3, ..] = start[..] {
        ("The port speaks TLS, and the URL says ws://.", "the URL", "Use wss:// for this port.")
    } else if start.starts_with(b"<") || holds_html(start) {
        (
            "The response is a page without a status line: an intermediary alters the upgrade.",
            "a firewall or proxy",
            "Exclude the path from the web application firewall, or replace the proxy that responds.",
        )
    } else if let [0, 0, _, SETTINGS, ..] = start[..] {
        ("The port speaks HTTP/2 only.", "the server", "Enable HTTP/1.1 on this port as well.")
    } else if *fault == HeadFault::Incomplete {
        (
            "The head of the response does not end.",
            "the server, or a proxy before it",
            "Check that the server sends the empty line after the header fields of its response.",
        )
    } else {
        (
            "The response is not HTTP/1.1.",
            "the program that listens on the port",
            "Check that the port belongs to the WebSocket server.",
        )
    };
    vec![
        Finding::new(CHECK.id, Severity::Error, Confidence::High, cause)
            .at(hop)
            .evidence(fault.to_string())
            .evidence(format!("the first bytes are: {}", printable::bytes(start, START)))
            .refuted_by("the same request with curl that gets a proper response")
            .fix(Fix::words(fix)),
    ]
}

fn holds_html(start: &[u8]) -> bool {
    start.windows(5).any(|window| window.eq_ignore_ascii_case(b"<html"))
}

#[cfg(test)]
mod tests {
    use undrop_frame::handshake::{HandshakeError, MalformedHead};

    use super::*;
    use crate::checks::sample::{fires, healthy, http, refused, silent};

    #[test]
    fn a_server_that_says_so_itself() {
        let seen = refused(http(400, &[], "<center>The plain HTTP request was sent to HTTPS port</center>"));
        assert!(fires(&CHECK, &seen).cause.contains("speaks TLS"));
    }

    #[test]
    fn the_first_bytes_tell_which() {
        let begins = |start: &[u8]| {
            let fault = HeadFault::NotHttp(HandshakeError::Malformed(MalformedHead::StatusLine));
            let outcome = HttpOutcome::NotHttp { fault, start: start.to_vec() };
            fires(&CHECK, &refused(outcome)).cause
        };
        assert!(begins(b"\x15\x03\x01\x00\x02").contains("speaks TLS"));
        assert!(begins(b"<html><body>blocked").contains("without a status line"));
        assert!(begins(b"\0\0\x12\x04\0").contains("HTTP/2 only"));
        assert!(begins(b"SSH-2.0-OpenSSH").contains("not HTTP/1.1"));
        silent(&CHECK, &healthy());
    }
}
