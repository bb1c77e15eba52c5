//! A proxy answers for a backend that it does not reach.

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

A proxy took the handshake and answered it itself, because its upstream refused the connection, ended it, or did not answer
in time. The status and the time it took tell which: 502 or 503 at once is an upstream that refuses or is down, 504 or a
502 after many seconds is one that hangs.

Browsers show none of this to the page: `new WebSocket()` fails with 1006.
",
    cases: &[],
    evaluate,
};

/// From here on an answer was waited for rather than given, seconds.
const SLOW_S: f64 = 2.0;

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    // A server that wants HTTP/2 ends what speaks HTTP/1.1.
    if case.http2 == Some(Http2::Only) {
        return Vec::new();
    }
    let Some(attempt) = case.target.attempt(&RequestVariant::AsRequested) else { return Vec::new() };
    let slow = attempt.took_s >= SLOW_S;
    let (cause, what) = match (&attempt.outcome, attempt.outcome.status()) {
        (_, Some(504 | 524)) => {
            ("hangs: it does not answer the handshake in time", HandshakeProblem::UpstreamHangs)
        }
        // A proxy that tries a refusing backend several times is as slow as one that waits for a hanging one.
        (_, Some(502 | 503)) if slow => {
            ("refuses each of several attempts, or hangs", HandshakeProblem::UpstreamHangs)
        }
        (_, Some(502 | 503 | 520..=523 | 525 | 526 | 530)) => (
            "refuses connections, ends them before it answers, or is down",
            HandshakeProblem::UpstreamRefuses,
        ),
        (_, Some(status)) if status >= 500 && is_known_for(case, status) => {
            ("ends connections before it answers, or refuses them", HandshakeProblem::UpstreamDies)
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
        format!("{who} answers {status}: the backend behind it {cause}."),
    )
    .evidence(format!("status {status} after {}", seconds(attempt.took_s)))
    .refuted_by("a handshake made directly to the backend that works (--direct URL)")
    .candidate("the backend answers with this status itself, for instance while it is overloaded")
    .fix(Fix::words(
        "Check that the backend runs and listens where the proxy looks for it (address, port, plain or TLS), and its log at \
         this time.",
    ));
    if let Some(product) = product {
        finding = finding.at(format!("behind {}", product.entry.name));
        for refusal in product.entry.refusals.iter().filter(|refusal| refusal.status == Some(status)) {
            let when = words(refusal.when);
            finding = finding.evidence(format!("{} answers {status} when {when}", product.entry.name));
        }
        if what == HandshakeProblem::UpstreamHangs {
            finding = finding.candidate("the backend is reached, but slow to accept the handshake");
        }
    } else {
        finding = finding.at("behind the proxy that answers");
    }
    vec![finding]
}

/// A product that was seen answers so when its upstream fails.
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
        "The handshake is taken and never answered: the server, or the backend behind a proxy, hangs.",
    )
    .at(where_silent(case, NoResponse::Hangs))
    .evidence(format!("TCP connects, and no answer came within {}", seconds(took_s)))
    .refuted_by("an answer that comes when it is waited for longer (--timeout)")
    .candidate("a port that speaks another protocol, such as TLS or PROXY protocol")
    .fix(Fix::words(
        "Look at the server: is it blocked, out of workers, or does it wait for its own backend?",
    ))
}

fn ends(case: &Case<'_>, end: &Ending) -> Finding {
    Finding::new(
        CHECK.id,
        Severity::Error,
        Confidence::Medium,
        format!("The handshake is not answered: the connection ends with {end}."),
    )
    .at(where_silent(case, NoResponse::Empty))
    .evidence(format!("TCP connects, then {end} without a byte of an answer"))
    .refuted_by("the same handshake from another network that is answered")
    .candidate("a TCP proxy whose backend is down")
    .candidate("a firewall that ends what asks for an upgrade")
    .candidate("a port that speaks another protocol, such as TLS or PROXY protocol")
    .fix(Fix::words(
        "Check that something listens behind the proxy, and that the port is meant for plain HTTP.",
    ))
}

/// The product that is known to behave like this, when it was seen.
fn where_silent(case: &Case<'_>, like: NoResponse) -> String {
    let mut seen = case.products.iter().filter(|product| product.is_seen());
    let known =
        seen.find(|product| product.entry.refusals.iter().any(|refusal| refusal.without == Some(like)));
    known.map_or_else(
        || "the server, or a proxy before it".to_owned(),
        |product| format!("behind {}", product.entry.name),
    )
}

fn words(trouble: HandshakeProblem) -> &'static str {
    match trouble {
        HandshakeProblem::UpstreamRefuses => "its upstream refuses the connection",
        HandshakeProblem::UpstreamDies => "its upstream ends the connection before it answers",
        HandshakeProblem::UpstreamHangs => "its upstream does not answer",
        HandshakeProblem::NotConfigured => "it is not set up for WebSockets",
        _ => "the request is not to its liking",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, http, refused, silent};

    #[test]
    fn a_dead_and_a_hung_backend_behind_nginx() {
        let found = fires(&CHECK, &refused(http(502, &[("Server", "nginx/1.22.1")], "")));
        assert_eq!(found.hop.as_deref(), Some("behind nginx (proxy_pass)"));
        assert!(found.cause.contains("refuses connections"), "{}", found.cause);
        let found = fires(&CHECK, &refused(http(504, &[("Server", "nginx/1.22.1")], "")));
        assert!(found.cause.contains("hangs"), "{}", found.cause);
    }

    #[test]
    fn silence_and_a_sudden_end() {
        let found = fires(&CHECK, &refused(HttpOutcome::Failed(Ending::BlackHole)));
        assert!(found.cause.contains("never answered"), "{}", found.cause);
        let found = fires(&CHECK, &refused(HttpOutcome::Failed(Ending::Reset)));
        assert!(found.cause.contains("RST"), "{}", found.cause);
    }

    #[test]
    fn other_answers_are_not_its_business() {
        silent(&CHECK, &healthy());
        silent(&CHECK, &refused(http(404, &[], "")));
    }
}
