//! Finds servers whose response depends on the Origin.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::RequestVariant;

pub(super) const CHECK: Check = Check {
    id: "origin-refused",
    doc: "
# The Origin is refused

Browsers send the origin of the page; other clients send none. A server that compares the origin with its own host name
refuses pages that it should allow if a proxy rewrote `Host`, dropped the port, or terminated TLS without forwarding the
scheme. The result is 403 in browsers only, or behind the proxy only.

The check compares handshakes without an Origin, with the origin of the page, with the other scheme, and with a foreign
origin. The refusal of a foreign origin is correct and is not reported.
",
    cases: &[36],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let asked = case.target.handshake();
    let refused = asked.and_then(|asked| asked.status()).filter(|status| matches!(status, 400 | 401 | 403));
    let Some(status) = refused else { return Vec::new() };
    let with = case.target.attempts.iter().filter_map(|attempt| match &attempt.variant {
        RequestVariant::Origin(origin) => Some((origin.as_str(), attempt.outcome.opened())),
        _ => None,
    });
    let tried: Vec<(&str, bool)> = with.collect();
    let Some((good, _)) = tried.iter().find(|(_, opened)| *opened) else { return Vec::new() };
    let ours = case.seen.plan.page.as_deref();
    let (cause, fix) = match ours {
        Some(page) => (
            format!("The server refuses the origin of the page {page} ({status}) and accepts {good}."),
            format!("Allow the origin of {page} in the server; behind a proxy, forward Host with its port, and X-Forwarded-Proto."),
        ),
        None => (
            format!("The server requires an Origin: without one it responds with {status}, and with {good} it accepts the handshake."),
            "Send an Origin from clients that are not browsers, or allow handshakes without an Origin in the server.".to_owned(),
        ),
    };
    let mut finding = Finding::new(CHECK.id, Severity::Error, Confidence::High, cause).at("the server");
    for (origin, opened) in &tried {
        let outcome = if *opened { "101" } else { "refused" };
        finding = finding.evidence(format!("Origin {origin}: {outcome}"));
    }
    vec![
        finding
            .evidence(format!("as requested: {status}"))
            .refuted_by(
                "the same Origin that the backend accepts directly (then a proxy changes the host or scheme)",
            )
            .fix(Fix::words(fix)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{attempt, fires, healthy, http, refused, silent, switched};
    use crate::observations::Observations;

    fn only(origin: &str) -> Observations {
        let mut seen = refused(http(403, &[], "forbidden"));
        for tried in ["http://example.com", "https://example.com"] {
            let outcome = if tried == origin { switched(&[]) } else { http(403, &[], "") };
            seen.endpoints[0].attempts.push(attempt(RequestVariant::Origin(tried.to_owned()), outcome));
        }
        seen
    }

    #[test]
    fn which_origin_is_taken_is_said() {
        let found = fires(&CHECK, &only("https://example.com"));
        assert!(found.cause.contains("with https://example.com it accepts"), "{}", found.cause);
        let mut seen = only("http://example.com");
        seen.plan.page = Some("https://example.com/".to_owned());
        assert!(fires(&CHECK, &seen).cause.contains("refuses the origin of the page https://example.com/"));
    }

    #[test]
    fn refused_whatever_the_origin_is_something_else() {
        silent(&CHECK, &only("none"));
        silent(&CHECK, &healthy());
    }
}
