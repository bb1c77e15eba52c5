//! Finds subprotocols that the server does not select.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::RequestVariant;

pub(super) const CHECK: Check = Check {
    id: "subprotocol-missing",
    doc: "
# The subprotocol is not selected

A client that offers subprotocols expects the server to select one of them. Chrome closes the connection if the response
selects none; other clients continue. In the opposite case, a server refuses a client that offers no subprotocol.
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
                    "The server selects none of the subprotocols {}: Chrome closes such a connection.",
                    wanted.join(", ")
                ),
            )
            .at("the server, or a proxy that drops Sec-WebSocket-Protocol")
            .evidence("101 without Sec-WebSocket-Protocol")
            .refuted_by("the field in the response of the backend itself (then a proxy drops it)")
            .fix(Fix::words(
                "Let the server select one of the offered subprotocols, or offer none in the client.",
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
                format!("The server requires a subprotocol: with {chosen} offered, the handshake succeeds."),
            )
            .at("the server")
            .evidence(format!("without subprotocols: {}", asked.status().unwrap_or_default()))
            .evidence(format!("with several offered: 101, and {chosen} is selected"))
            .refuted_by("a handshake without subprotocols that succeeds")
            .fix(Fix::words(format!(
                "Offer the subprotocol: new WebSocket(url, \"{chosen}\"); with this program: --subprotocol {chosen}"
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
        assert!(fires(&CHECK, &seen).cause.contains("none of the subprotocols mqtt"));
        let mut seen = refused(http(400, &[], ""));
        let outcome = switched(&[("Sec-WebSocket-Protocol", "mqtt")]);
        seen.endpoints[0].attempts.push(attempt(RequestVariant::Protocols(vec!["mqtt".to_owned()]), outcome));
        assert!(fires(&CHECK, &seen).cause.contains("with mqtt offered, the handshake succeeds"));
        silent(&CHECK, &healthy());
    }
}
