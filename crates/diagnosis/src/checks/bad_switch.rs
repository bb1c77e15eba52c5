//! A 101 that a browser refuses.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::{HttpOutcome, UpgradeFlaw};

pub(super) const CHECK: Check = Check {
    id: "bad-switch",
    doc: "
# The 101 is not complete

The server, or a proxy that rewrote its answer, switches protocols without the fields that RFC 6455 4.1 asks for. Browsers
refuse such an answer (“'Upgrade' header is missing”), lenient libraries take it: it works in one client and not in
another. A proxy that strips hop-by-hop fields from responses is the usual cause; a sub-protocol or extension that nobody
offered is a fault of the server.
",
    cases: &[32, 37],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(HttpOutcome::Response { status: 101, flaws, .. }) = case.target.handshake() else {
        return Vec::new();
    };
    // A wrong Accept has causes of its own.
    let flaws: Vec<&UpgradeFlaw> =
        flaws.iter().filter(|flaw| !matches!(flaw, UpgradeFlaw::Accept(_))).collect();
    let Some(first) = flaws.first() else { return Vec::new() };
    let stripped = flaws
        .iter()
        .any(|flaw| matches!(flaw, UpgradeFlaw::Upgrade | UpgradeFlaw::Connection | UpgradeFlaw::NoAccept));
    let (hop, fix) = if stripped {
        (
            "a proxy that strips the answer, or the server",
            "Let the proxy pass on Upgrade, Connection and Sec-WebSocket-Accept of the 101.",
        )
    } else {
        (
            "the server",
            "Let the server choose one of the sub-protocols and extensions that were offered, or none.",
        )
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Confidence::High,
        format!("The handshake is answered 101, but browsers refuse it: {first}."),
    )
    .at(hop)
    .refuted_by("a complete 101 directly from the backend, if a proxy is blamed; the same flaw there, if not")
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
