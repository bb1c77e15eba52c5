//! What answers is no HTTP.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::Outcome;

pub(super) const CHECK: Check = Check {
    id: "not-http",
    doc: "
# The answer is not HTTP/1.1

The handshake got an answer without a proper status line: a body alone (a firewall or an old server that answers as
HTTP/0.9), TLS records on a port that was spoken to in plain (or the other way round), the frames of HTTP/2, or another
protocol. The first bytes tell which.
",
    cases: &[45],
    judge,
};

/// What servers say to plain HTTP on a port that speaks TLS.
const PLAIN_TO_TLS: [&str; 3] = [
    "plain HTTP request was sent to HTTPS port",
    "speaking plain HTTP to an SSL-enabled server port",
    "Client sent an HTTP request to an HTTPS server",
];

fn judge(case: &Case<'_>) -> Vec<Finding> {
    if let Some(asked) =
        case.target.asked().filter(|asked| PLAIN_TO_TLS.iter().any(|text| asked.body().contains(text)))
    {
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
    let Some(Outcome::NotHttp { what, start }) = case.target.asked() else { return Vec::new() };
    let (cause, hop, fix) = if start.starts_with("\\x15\\x03") || start.starts_with("\\x16\\x03") {
        ("The port speaks TLS, and the URL says ws://.", "the URL", "Use wss:// for this port.")
    } else if start.starts_with('<') || start.to_lowercase().contains("<html") {
        (
            "The answer is a page without a status line: something on the way mangles the upgrade.",
            "a firewall or proxy on the way",
            "Except the path from the web application firewall, or replace the proxy that answers.",
        )
    } else if start.starts_with("\\x00\\x00") && start.contains("\\x04") {
        ("The port speaks HTTP/2 alone.", "the server", "Let the server speak HTTP/1.1 on this port as well.")
    } else if what.contains("did not end in time") {
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
            .evidence(what.clone())
            .evidence(format!("it begins: {start}"))
            .refuted_by("the same request made with curl that gets a proper answer")
            .fix(Fix::words(fix)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, http, refused, silent};

    #[test]
    fn a_server_that_says_so_itself() {
        let seen = refused(http(400, &[], "<center>The plain HTTP request was sent to HTTPS port</center>"));
        assert!(fires(&CHECK, &seen).cause.contains("speaks TLS"));
    }

    #[test]
    fn the_first_bytes_tell_which() {
        let begins = |start: &str| {
            let outcome = Outcome::NotHttp { what: "malformed".to_owned(), start: start.to_owned() };
            fires(&CHECK, &refused(outcome)).cause
        };
        assert!(begins("\\x15\\x03\\x01\\x00\\x02").contains("speaks TLS"));
        assert!(begins("<html><body>blocked").contains("without a status line"));
        assert!(begins("SSH-2.0-OpenSSH").contains("not HTTP/1.1"));
        silent(&CHECK, &healthy());
    }
}
