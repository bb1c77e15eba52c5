//! Finds a Sec-WebSocket-Accept that does not match the key.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::{HttpOutcome, RequestVariant, UpgradeFlaw};

pub(super) const CHECK: Check = Check {
    id: "accept-mismatch",
    doc: "
# Sec-WebSocket-Accept does not match the key

The server has to respond to each key with a hash of it (RFC 6455 §4.2.2). A wrong value means that the sender of the response
did not receive this key: a cache returned an old response (two keys then get the same value), two proxies perform separate
handshakes, or the server computes the value incorrectly.
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
            "A cache responds to the handshake: two different keys get the same Sec-WebSocket-Accept.",
        )
        .at("a cache in front of the server")
        .evidence("the response to the second key carries the value for the first key")
        .candidate("a server that sends a fixed value")
        .fix(Fix::words(
            "Configure the cache to pass requests with Upgrade, and never to store a 101 response.",
        ))
    } else {
        Finding::new(
            CHECK.id,
            Severity::Error,
            Confidence::High,
            "Sec-WebSocket-Accept does not match the key that was sent.",
        )
        .at("the server, or a proxy that performs a separate handshake")
        .candidate("two proxies in a row that both perform a handshake")
        .fix(Fix::words(
            "Let only one party perform the handshake; proxies must forward Sec-WebSocket-Key and Sec-WebSocket-Accept unchanged.",
        ))
    };
    vec![
        finding
            .evidence(format!("Sec-WebSocket-Accept was {first:?}"))
            .refuted_by("a correct value directly from the server (--direct URL; then a proxy is the cause)"),
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
        assert!(fires(&CHECK, &accepts("a", "b")).cause.starts_with("Sec-WebSocket-Accept does not match"));
        silent(&CHECK, &healthy());
    }
}
