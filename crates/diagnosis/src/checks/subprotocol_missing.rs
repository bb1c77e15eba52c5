//! The sub-protocols do not fit.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::RequestVariant;

pub(super) const CHECK: Check = Check {
    id: "subprotocol-missing",
    doc: "
# The sub-protocol is not chosen

A client that offers sub-protocols expects the server to choose one. Chrome ends the connection when none comes back; other
clients go on. The other way round, a server may refuse a client that offers none.
",
    cases: &[37],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(asked) = case.target.handshake() else { return Vec::new() };
    let wanted = &case.seen.plan.protocols;
    if !wanted.is_empty() && asked.opened() && asked.header("Sec-WebSocket-Protocol").is_none() {
        return vec![
            Finding::new(
                CHECK.id,
                Severity::Error,
                Confidence::High,
                format!(
                    "The server chooses none of the sub-protocols {}: Chrome closes such a connection.",
                    wanted.join(", ")
                ),
            )
            .at("the server, or a proxy that drops Sec-WebSocket-Protocol")
            .evidence("101 without Sec-WebSocket-Protocol")
            .refuted_by("the field in the answer of the backend itself: then a proxy drops it")
            .fix(Fix::words(
                "Let the server return one of the offered sub-protocols, or offer none in the client.",
            )),
        ];
    }
    let offered = case.target.attempts.iter().find_map(|attempt| match &attempt.variant {
        RequestVariant::Protocols(_) if attempt.outcome.opened() => {
            attempt.outcome.header("Sec-WebSocket-Protocol")
        }
        _ => None,
    });
    match (asked.opened(), offered) {
        (false, Some(chosen)) => vec![
            Finding::new(
                CHECK.id,
                Severity::Error,
                Confidence::High,
                format!("The server wants a sub-protocol: with {chosen} offered it works."),
            )
            .at("the server")
            .evidence(format!("without sub-protocols: {}", asked.status().unwrap_or_default()))
            .evidence(format!("with several offered: 101, {chosen} chosen"))
            .refuted_by("a handshake without sub-protocols that works")
            .fix(Fix::words(format!(
                "Offer it: new WebSocket(url, \"{chosen}\"); here: --subprotocol {chosen}"
            ))),
        ],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{attempt, fires, healthy, http, refused, silent, switched};

    #[test]
    fn offered_and_not_chosen_or_wanted_and_not_offered() {
        let mut seen = healthy();
        seen.plan.protocols = vec!["mqtt".to_owned()];
        assert!(fires(&CHECK, &seen).cause.contains("none of the sub-protocols mqtt"));
        let mut seen = refused(http(400, &[], ""));
        let outcome = switched(&[("Sec-WebSocket-Protocol", "mqtt")]);
        seen.endpoints[0].attempts.push(attempt(RequestVariant::Protocols(vec!["mqtt".to_owned()]), outcome));
        assert!(fires(&CHECK, &seen).cause.contains("with mqtt offered it works"));
        silent(&CHECK, &healthy());
    }
}
