//! The proof of the handshake does not fit.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::{HttpOutcome, RequestVariant, UpgradeFlaw};

pub(super) const CHECK: Check = Check {
    id: "accept-mismatch",
    doc: "
# Sec-WebSocket-Accept does not fit the key

The server has to answer each key with a hash of it (RFC 6455 4.2.2). A wrong one means that whoever answered did not see
this key: a cache gave an older answer again (two keys then get the same Accept), two proxies each make a handshake of
their own, or the server computes it wrongly.
",
    cases: &[38],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let accept = |variant: &RequestVariant| match case.target.attempt(variant).map(|attempt| &attempt.outcome)
    {
        Some(HttpOutcome::Response { flaws, .. }) => flaws.iter().find_map(|flaw| match flaw {
            UpgradeFlaw::Accept(accept) => Some(accept.clone()),
            _ => None,
        }),
        _ => None,
    };
    let Some(first) = accept(&RequestVariant::AsRequested) else { return Vec::new() };
    let cached = accept(&RequestVariant::SecondKey).is_some_and(|second| second == first);
    let finding = if cached {
        Finding::new(
            CHECK.id,
            Severity::Error,
            Confidence::High,
            "A cache answers the handshake: two different keys get the same Sec-WebSocket-Accept.",
        )
        .at("a cache before the server")
        .evidence("the second of two keys was answered with the first one's Accept")
        .candidate("a server that sends a fixed value")
        .fix(Fix::words("Let the cache pass requests with Upgrade, and never store a 101."))
    } else {
        Finding::new(
            CHECK.id,
            Severity::Error,
            Confidence::High,
            "The server's Sec-WebSocket-Accept does not fit the key that was sent.",
        )
        .at("the server, or a proxy that makes a handshake of its own")
        .candidate("two proxies in a row that both answer the handshake")
        .fix(Fix::words(
            "Let only one party make the handshake: proxies pass Sec-WebSocket-Key and -Accept on unchanged.",
        ))
    };
    vec![
        finding
            .evidence(format!("Sec-WebSocket-Accept was {first:?}"))
            .refuted_by("a right Accept directly from the server (--direct URL): then a proxy is at fault"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{attempt, fires, healthy, refused, silent};

    fn accepts(first: &str, second: &str) -> crate::Observations {
        let outcome = |accept: &str| HttpOutcome::Response {
            status: 101,
            headers: Vec::new(),
            body: String::new(),
            flaws: vec![UpgradeFlaw::Accept(accept.to_owned())],
        };
        let mut seen = refused(outcome(first));
        seen.endpoints[0].attempts.push(attempt(RequestVariant::SecondKey, outcome(second)));
        seen
    }

    #[test]
    fn a_cache_gives_one_answer_to_two_keys() {
        assert!(fires(&CHECK, &accepts("a", "a")).cause.starts_with("A cache"));
        assert!(fires(&CHECK, &accepts("a", "b")).cause.starts_with("The server's"));
        silent(&CHECK, &healthy());
    }
}
