//! What answers is no HTTP.

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
# The answer is not HTTP/1.1

The handshake got an answer without a proper status line: a body alone (a firewall or an old server that answers as
HTTP/0.9), TLS records on a port that was spoken to in plain (or the other way round), the frames of HTTP/2, or another
protocol. The first bytes tell which.
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
            .evidence(format!("the server answers {status} and says that it wants TLS"))
            .refuted_by("a wss:// URL that does not work on this port")
            .fix(Fix::words("Use wss:// for this port.")),
        ];
    }
    let Some(HttpOutcome::NotHttp { fault, start }) = case.target.handshake() else { return Vec::new() };
    let (cause, hop, fix) = if let [0x15 | 0x16, 3, ..] = start[..] {
        ("The port speaks TLS, and the URL says ws://.", "the URL", "Use wss:// for this port.")
    } else if start.starts_with(b"<") || holds_html(start) {
        (
            "The answer is a page without a status line: something on the way mangles the upgrade.",
            "a firewall or proxy on the way",
            "Except the path from the web application firewall, or replace the proxy that answers.",
        )
    } else if let [0, 0, _, SETTINGS, ..] = start[..] {
        ("The port speaks HTTP/2 alone.", "the server", "Let the server speak HTTP/1.1 on this port as well.")
    } else if *fault == HeadFault::Incomplete {
        (
            "The answer begins and does not end.",
            "the server, or a proxy before it",
            "Look at the server: does it send the empty line after the fields of its answer?",
        )
    } else {
        (
            "The answer is not HTTP/1.1.",
            "whatever listens on the port",
            "Check that the port is the one of the WebSocket server.",
        )
    };
    vec![
        Finding::new(CHECK.id, Severity::Error, Confidence::High, cause)
            .at(hop)
            .evidence(fault.to_string())
            .evidence(format!("it begins: {}", printable::bytes(start, START)))
            .refuted_by("the same request made with curl that gets a proper answer")
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
        assert!(begins(b"\0\0\x12\x04\0").contains("HTTP/2 alone"));
        assert!(begins(b"SSH-2.0-OpenSSH").contains("not HTTP/1.1"));
        silent(&CHECK, &healthy());
    }
}
