//! Finds proxies that cannot reach their backend.

use undrop_infra::{HandshakeProblem, NoResponse};
use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, Http2, seconds};
use crate::observations::{HttpOutcome, RequestVariant};
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "backend-unreachable",
    doc: "
# The proxy does not reach the backend

A proxy received the handshake and responded itself, because its upstream refused the connection, ended it, or did not respond
in time. The status and the delay show which: 502 or 503 without a delay means that the upstream refuses connections or is
down; 504, or 502 after several seconds, means that the upstream hangs.

Browsers do not report the status to the page: `new WebSocket()` fails with 1006.
",
    cases: &[],
    evaluate,
};

/// The delay at or above which a proxy waited for its upstream, in seconds.
const SLOW_S: f64 = 2.0;

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    // A server that speaks HTTP/2 only ends connections that speak HTTP/1.1.
    if case.http2 == Some(Http2::Only) {
        return Vec::new();
    }
    let Some(attempt) = case.target.attempt(&RequestVariant::AsRequested) else { return Vec::new() };
    let slow = attempt.took_s >= SLOW_S;
    let (cause, what) = match (&attempt.outcome, attempt.outcome.status()) {
        (_, Some(504 | 524)) => {
            ("hangs: it does not respond to the handshake in time", HandshakeProblem::UpstreamHangs)
        }
        // A proxy that retries a backend which refuses is as slow as one that waits for a backend which hangs.
        (_, Some(502 | 503)) if slow => {
            ("refuses several attempts, or hangs", HandshakeProblem::UpstreamHangs)
        }
        (_, Some(502 | 503 | 520..=523 | 525 | 526 | 530)) => (
            "refuses connections, ends them before it responds, or is down",
            HandshakeProblem::UpstreamRefuses,
        ),
        (_, Some(status)) if status >= 500 && is_known_for(case, status) => {
            ("ends connections before it responds, or refuses them", HandshakeProblem::UpstreamDies)
        }
        (HttpOutcome::Failed(Ending::BlackHole), _) => return vec![hangs(case, attempt.took_s)],
        (HttpOutcome::Failed(end @ (Ending::Fin | Ending::Reset)), _) => return vec![ends(case, end)],
        _ => return Vec::new(),
    };
    let product = case.products.iter().find(|product| product.is_seen());
    let who = product.map_or("A proxy", |product| product.entry.name.as_str());
    let status = attempt.outcome.status().unwrap_or_default();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        if product.is_some() { Confidence::High } else { Confidence::Medium },
        format!("{who} responds with {status}: its backend {cause}."),
    )
    .evidence(format!("status {status} after {}", seconds(attempt.took_s)))
    .refuted_by("a handshake directly with the backend (--direct URL) that succeeds")
    .candidate("the backend responds with this status itself, for example because it is overloaded")
    .fix(Fix::words(
        "Check that the backend runs and listens where the proxy connects to (address, port, plain or TLS), and read its log \
         for this time.",
    ));
    if let Some(product) = product {
        finding = finding.at(format!("the backend of {}", product.entry.name));
        for refusal in product.entry.refusals.iter().filter(|refusal| refusal.status == Some(status)) {
            let when = words(refusal.when);
            finding = finding.evidence(format!("{} responds with {status} if {when}", product.entry.name));
        }
        if what == HandshakeProblem::UpstreamHangs {
            finding = finding.candidate("the backend is reached and slow to accept the handshake");
        }
    } else {
        finding = finding.at("the backend of the proxy that responds");
    }
    vec![finding]
}

/// Returns whether a recognised product responds with this status if its upstream fails.
fn is_known_for(case: &Case<'_>, status: u16) -> bool {
    let mut seen = case.products.iter().filter(|product| product.is_seen());
    seen.any(|product| {
        product.entry.refusals.iter().any(|refusal| {
            refusal.status == Some(status)
                && matches!(refusal.when, HandshakeProblem::UpstreamDies | HandshakeProblem::UpstreamRefuses)
        })
    })
}

fn hangs(case: &Case<'_>, took_s: f64) -> Finding {
    Finding::new(
        CHECK.id,
        Severity::Error,
        Confidence::Medium,
        "The handshake gets no response: the server, or the backend of a proxy, hangs.",
    )
    .at(where_silent(case, NoResponse::Hangs))
    .evidence(format!("TCP connects, and no response was received within {}", seconds(took_s)))
    .refuted_by("a response with a longer --timeout")
    .candidate("a port that speaks another protocol, such as TLS or the PROXY protocol")
    .fix(Fix::words("Check whether the server is blocked, has no free worker, or waits for its own backend."))
}

fn ends(case: &Case<'_>, end: &Ending) -> Finding {
    Finding::new(
        CHECK.id,
        Severity::Error,
        Confidence::Medium,
        format!("The handshake gets no response: the connection ends with {end}."),
    )
    .at(where_silent(case, NoResponse::Empty))
    .evidence(format!("TCP connects, then {end} without a response"))
    .refuted_by("the same handshake from another network that gets a response")
    .candidate("a TCP proxy whose backend is down")
    .candidate("a firewall that ends requests for an upgrade")
    .candidate("a port that speaks another protocol, such as TLS or the PROXY protocol")
    .fix(Fix::words(
        "Check that the backend of the proxy listens, and that the port is meant for plain HTTP.",
    ))
}

/// Returns where the connection fails: at the backend of a recognised product that behaves like this, if there is one.
fn where_silent(case: &Case<'_>, like: NoResponse) -> String {
    let mut seen = case.products.iter().filter(|product| product.is_seen());
    let known =
        seen.find(|product| product.entry.refusals.iter().any(|refusal| refusal.without == Some(like)));
    known.map_or_else(
        || "the server, or a proxy in front of it".to_owned(),
        |product| format!("the backend of {}", product.entry.name),
    )
}

fn words(trouble: HandshakeProblem) -> &'static str {
    match trouble {
        HandshakeProblem::UpstreamRefuses => "its upstream refuses the connection",
        HandshakeProblem::UpstreamDies => "its upstream ends the connection before it responds",
        HandshakeProblem::UpstreamHangs => "its upstream does not respond",
        HandshakeProblem::NotConfigured => "it is not configured for WebSockets",
        _ => "it rejects the request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, http, refused, silent};

    #[test]
    fn a_dead_and_a_hung_backend_behind_nginx() {
        let found = fires(&CHECK, &refused(http(502, &[("Server", "nginx/1.22.1")], "")));
        assert_eq!(found.hop.as_deref(), Some("the backend of nginx (proxy_pass)"));
        assert!(found.cause.contains("refuses connections"), "{}", found.cause);
        let found = fires(&CHECK, &refused(http(504, &[("Server", "nginx/1.22.1")], "")));
        assert!(found.cause.contains("hangs"), "{}", found.cause);
    }

    #[test]
    fn silence_and_a_sudden_end() {
        let found = fires(&CHECK, &refused(HttpOutcome::Failed(Ending::BlackHole)));
        assert!(found.cause.contains("gets no response"), "{}", found.cause);
        let found = fires(&CHECK, &refused(HttpOutcome::Failed(Ending::Reset)));
        assert!(found.cause.contains("RST"), "{}", found.cause);
    }

    #[test]
    fn other_answers_are_not_its_business() {
        silent(&CHECK, &healthy());
        silent(&CHECK, &refused(http(404, &[], "")));
    }
}
