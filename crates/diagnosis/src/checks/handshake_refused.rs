//! Finds handshakes that are refused without a more specific cause.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, seconds};
use crate::observations::RequestVariant;

pub(super) const CHECK: Check = Check {
    id: "handshake-refused",
    doc: "
# The handshake is refused

The server, or a proxy, refused the handshake: credentials are missing (401, 407), the request is not allowed (403) or not
accepted (400), there are too many requests (429), or the server failed (500). Browsers do not report the status to the page.
",
    cases: &[],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(attempt) = case.target.attempt(&RequestVariant::AsRequested) else { return Vec::new() };
    let status = attempt.outcome.status().unwrap_or_default();
    let (cause, fix) = match status {
        401 | 407 => (
            "The handshake requires credentials",
            "Send credentials: -H 'Authorization: Bearer …' or -H 'Cookie: …'.",
        ),
        403 => (
            "The handshake is not allowed",
            "Find the rule that refuses the request (origin, path, address) in the server or firewall, and allow it.",
        ),
        408 => (
            "The server timed out while it waited for the handshake",
            "Look for a proxy that delays the request.",
        ),
        429 => (
            "The server limits the rate of handshakes",
            "Reconnect with exponential backoff and jitter, or raise the limit.",
        ),
        400 | 405 | 406 | 410..=417 | 421..=428 | 431 | 505 => {
            ("The server rejects the handshake", "Read the body of the response for the reason.")
        }
        500 | 501 | 506..=511 => {
            ("The server fails to process the handshake", "Read the log of the server for this time.")
        }
        _ => return Vec::new(),
    };
    let who = case.products.iter().find(|product| product.is_seen());
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Confidence::High,
        format!("{cause}: status {status}."),
    )
    .at("the server, or a proxy in front of it")
    .evidence(format!("status {status} after {}", seconds(attempt.took_s)))
    .refuted_by(
        "the same handshake with the credentials, origin and header fields of the real client that succeeds",
    )
    .fix(Fix::words(fix));
    let body: String =
        attempt.outcome.body().split_whitespace().collect::<Vec<_>>().join(" ").chars().take(120).collect();
    if !body.is_empty() {
        finding = finding.evidence(format!("the body says: {body}"));
    }
    if let Some(product) = who {
        finding = finding.evidence(format!("{} is on the path", product.entry.name));
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{attempt, fires, healthy, http, refused, silent};

    #[test]
    fn each_status_has_its_sentence() {
        for (status, part) in
            [(401, "credentials"), (403, "not allowed"), (429, "limits the rate"), (500, "fails to process")]
        {
            let cause = fires(&CHECK, &refused(http(status, &[], "why"))).cause;
            assert!(cause.contains(part), "{cause}");
        }
        silent(&CHECK, &healthy());
        silent(&CHECK, &refused(http(502, &[], "")));
    }

    #[test]
    fn what_another_check_explains_is_left_to_it() {
        let mut seen = refused(http(426, &[], "x"));
        seen.endpoints[0].attempts.push(attempt(RequestVariant::PlainGet, http(426, &[], "x")));
        let report = crate::diagnose(&seen);
        let ids: Vec<&str> = report.findings.iter().map(|finding| finding.id.as_str()).collect();
        assert_eq!(ids, ["upgrade-stripped"]);
    }
}
