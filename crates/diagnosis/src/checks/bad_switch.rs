//! Finds 101 responses that browsers refuse.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::{HttpOutcome, UpgradeFlaw};

pub(super) const CHECK: Check = Check {
    id: "bad-switch",
    doc: "
# The 101 response is incomplete

The server, or a proxy that altered its response, switches protocols without the fields that RFC 6455 §4.1 requires. Browsers
refuse such a response (“'Upgrade' header is missing”), and lenient libraries accept it, so it works in one client and fails
in another. The usual cause is a proxy that removes hop-by-hop fields from responses. A subprotocol or extension that was not
offered is a fault of the server.
",
    cases: &[32, 37],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(HttpOutcome::Response { status: 101, flaws, .. }) = case.target.handshake() else {
        return Vec::new();
    };
    // `accept-mismatch` handles a wrong Sec-WebSocket-Accept.
    let flaws: Vec<&UpgradeFlaw> =
        flaws.iter().filter(|flaw| !matches!(flaw, UpgradeFlaw::Accept(_))).collect();
    let Some(first) = flaws.first() else { return Vec::new() };
    let stripped = flaws
        .iter()
        .any(|flaw| matches!(flaw, UpgradeFlaw::Upgrade | UpgradeFlaw::Connection | UpgradeFlaw::NoAccept));
    let (hop, fix) = if stripped {
        (
            "a proxy that removes fields from the response, or the server",
            "Configure the proxy to forward Upgrade, Connection and Sec-WebSocket-Accept of the 101 response.",
        )
    } else {
        ("the server", "Let the server select only subprotocols and extensions that were offered, or none.")
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Confidence::High,
        format!("The response is 101, but browsers refuse it: {first}."),
    )
    .at(hop)
    .refuted_by("for a proxy as the cause: the same flaw in the response of the backend itself; for the server: a complete 101 response there")
    .fix(Fix::words(fix));
    for flaw in flaws {
        finding = finding.evidence(flaw.to_string());
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, refused, silent};

    fn flawed(flaws: Vec<UpgradeFlaw>) -> crate::Observations {
        refused(HttpOutcome::Response { status: 101, headers: Vec::new(), body: String::new(), flaws })
    }

    #[test]
    fn stripped_fields_and_choices_that_were_not_offered() {
        let found = fires(&CHECK, &flawed(vec![UpgradeFlaw::Upgrade, UpgradeFlaw::Connection]));
        assert!(found.hop.is_some_and(|hop| hop.starts_with("a proxy")) && found.evidence.len() == 2);
        let found = fires(&CHECK, &flawed(vec![UpgradeFlaw::Protocol("mqtt".to_owned())]));
        assert_eq!(found.hop.as_deref(), Some("the server"));
        silent(&CHECK, &flawed(vec![UpgradeFlaw::Accept("x".to_owned())]));
        silent(&CHECK, &healthy());
    }
}
