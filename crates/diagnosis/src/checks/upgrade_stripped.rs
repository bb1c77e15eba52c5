//! Finds proxies that drop the upgrade.

use undrop_infra::{HandshakeProblem, Support};
use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::{HttpOutcome, RequestVariant};

pub(super) const CHECK: Check = Check {
    id: "upgrade-stripped",
    doc: "
# A proxy drops the upgrade

`Upgrade` and `Connection` are hop-by-hop fields: a proxy forwards them only if it is configured to. Without them, the backend
receives a plain GET and responds as to a browser that opens the page: 426 (ws, websockets), 400 (gorilla, Tornado,
Socket.IO), 404, or a page.

The evidence is that a plain GET without an upgrade gets the same response.
",
    cases: &[31],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(asked) = case.target.handshake() else { return Vec::new() };
    if case.wants_tls {
        return Vec::new();
    }
    if let Some(found) = not_configured(case, asked) {
        return vec![found];
    }
    let Some(status @ (400 | 404 | 405 | 426 | 501 | 505)) = asked.status() else { return Vec::new() };
    let plain = case.target.attempt(&RequestVariant::PlainGet).map(|attempt| &attempt.outcome);
    let same = plain.is_some_and(|plain| plain.status() == Some(status) && plain.body() == asked.body());
    let elsewhere = case.seen.others().iter().any(|other| other.opens());
    if !same && !elsewhere {
        return Vec::new();
    }
    // A missing page gets 404 with and without an upgrade.
    if status == 404 && !elsewhere {
        return Vec::new();
    }
    let proxy = case.products.iter().find(|product| {
        product.is_seen() && matches!(product.entry.handshake.upgrade, Support::Configured | Support::No)
    });
    let confidence = match (proxy.is_some(), elsewhere, same) {
        (_, true, true) | (true, true, _) => Confidence::High,
        (true, false, true) if status == 426 => Confidence::High,
        _ => Confidence::Medium,
    };
    let who = proxy.map_or("A proxy", |product| product.entry.name.as_str());
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        confidence,
        format!(
            "{who} does not forward the upgrade: the server receives a plain GET and responds with {status}."
        ),
    )
    .evidence(format!("the response to the handshake is {status}{}", quoted(asked)));
    if same {
        finding = finding.evidence("a plain GET without an upgrade gets the same response");
    }
    if elsewhere {
        finding = finding.evidence("the same handshake succeeds at another endpoint");
    }
    finding = finding
        .refuted_by(
            "a handshake directly with the backend that gets the same response (then the path is not a WebSocket endpoint)",
        )
        .candidate("this path is not a WebSocket endpoint of the server");
    vec![match proxy {
        Some(product) => {
            finding = finding.at(product.entry.name.clone());
            for need in &product.entry.handshake.needs {
                finding = finding.evidence(format!("{} needs {}", product.entry.name, lower(need)));
            }
            match product.entry.fixes.first() {
                Some(known) => finding.fix(known.into()),
                None => finding,
            }
        }
        None => finding.fix(Fix::words(
            "Configure every proxy to forward Upgrade and Connection, and to speak HTTP/1.1 to the backend.",
        )),
    }]
}

/// Finds a product that refuses an upgrade with this status unless it is configured for WebSockets, and that passes a plain GET.
fn not_configured(case: &Case<'_>, asked: &HttpOutcome) -> Option<Finding> {
    let status = asked.status()?;
    let plain = case.target.attempt(&RequestVariant::PlainGet)?.outcome.status()?;
    if plain == status || status == 426 {
        return None;
    }
    let product = case.products.iter().filter(|product| product.is_seen()).find(|product| {
        let mut refusals = product.entry.refusals.iter();
        refusals
            .any(|refusal| refusal.when == HandshakeProblem::NotConfigured && refusal.status == Some(status))
    })?;
    let name = &product.entry.name;
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Confidence::High,
        format!("{name} is not configured for WebSockets: it responds to the upgrade with {status} itself."),
    )
    .at(name.clone())
    .evidence(format!("the handshake gets {status}, a plain GET {plain}"))
    .evidence(format!("{name} responds like this if it is not configured for WebSockets"))
    .refuted_by(
        "an upgrade of another path through the same product that succeeds (then this path is forbidden)",
    )
    .candidate("a rule of the product or of the server that forbids this path");
    for need in &product.entry.handshake.needs {
        finding = finding.evidence(format!("{name} needs {}", lower(need)));
    }
    if let Some(known) = product.entry.fixes.first() {
        finding = finding.fix(known.into());
    }
    Some(finding)
}

fn quoted(outcome: &HttpOutcome) -> String {
    let line = outcome.body().lines().next().unwrap_or_default().trim();
    let line: String = line.chars().take(80).collect();
    if line.is_empty() { String::new() } else { format!(": “{line}”") }
}

fn lower(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let mut chars = sentence.chars();
    match chars.next() {
        Some(first) if !sentence.starts_with('`') => first.to_lowercase().chain(chars).collect(),
        _ => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{attempt, endpoint, fires, healthy, http, refused, silent};
    use crate::observations::{EndpointRole, Observations};

    fn nginx(plain: HttpOutcome) -> Observations {
        let mut seen = refused(http(426, &[("Server", "nginx/1.22.1")], "Upgrade Required"));
        seen.endpoints[0].attempts.push(attempt(RequestVariant::PlainGet, plain));
        seen
    }

    #[test]
    fn the_same_answer_to_a_plain_get_gives_it_away() {
        let seen = nginx(http(426, &[("Server", "nginx/1.22.1")], "Upgrade Required"));
        let found = fires(&CHECK, &seen);
        assert_eq!(found.hop.as_deref(), Some("nginx (proxy_pass)"));
        assert_eq!(found.confidence, Confidence::High);
        assert!(found.fixes[0].text.contains("proxy_set_header Upgrade"));
    }

    #[test]
    fn a_server_that_answers_otherwise_without_an_upgrade_did_see_it() {
        silent(&CHECK, &nginx(http(200, &[], "a page")));
        silent(&CHECK, &healthy());
    }

    #[test]
    fn envoy_answers_403_itself() {
        let mut seen = refused(http(403, &[("server", "envoy")], ""));
        seen.endpoints[0]
            .attempts
            .push(attempt(RequestVariant::PlainGet, http(426, &[("server", "envoy")], "")));
        let found = fires(&CHECK, &seen);
        assert!(
            found.cause.contains("Envoy") && found.cause.contains("not configured for WebSockets"),
            "{}",
            found.cause
        );
        let mut forbidden = refused(http(403, &[("server", "envoy")], ""));
        forbidden.endpoints[0]
            .attempts
            .push(attempt(RequestVariant::PlainGet, http(403, &[("server", "envoy")], "")));
        silent(&CHECK, &forbidden);
    }

    #[test]
    fn a_working_way_in_proves_it() {
        let mut seen = refused(http(400, &[], "Bad Request"));
        let mut direct = endpoint();
        direct.role = EndpointRole::Direct;
        seen.endpoints.push(direct);
        assert!(
            fires(&CHECK, &seen).evidence.iter().any(|text| text.contains("succeeds at another endpoint"))
        );
    }
}
