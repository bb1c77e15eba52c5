//! A page instead of a WebSocket.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;

pub(super) const CHECK: Check = Check {
    id: "answers-plain-page",
    doc: "
# The handshake is answered with a page

A status of 200 means that a server took the handshake for an ordinary request. Browsers say “Unexpected response code: 200”.
With HTML in the body it is usually the fallback of a single-page application or another `location`: the path of the
WebSocket is not routed to its backend. Empty, it is often Caddy, which answers 200 without a body to a Host that no site
of its configuration has.
",
    cases: &[35],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(asked) = case.target.handshake() else { return Vec::new() };
    let Some(status @ (200..=206 | 404)) = asked.status() else { return Vec::new() };
    let kind = asked.header("Content-Type").unwrap_or("no type").to_owned();
    let empty = asked.body().trim().is_empty();
    if status == 404 {
        return not_found(case);
    }
    let caddy = case.product("caddy").filter(|product| product.is_seen());
    let (cause, hop, fix) = match caddy {
        Some(product) if empty => (
            format!(
                "{} answers {status} without a body: no site of its configuration has the host {}.",
                product.entry.name, case.target.host
            ),
            product.entry.name.clone(),
            "Add the host to the address of the site in the Caddyfile, or connect by the name that is there.",
        ),
        _ => (
            format!(
                "The path is not routed to a WebSocket server: the handshake is answered {status} ({kind}{}).",
                if empty { ", empty" } else { "" }
            ),
            "whatever serves this path".to_owned(),
            "Route the path of the WebSocket to its backend, before the fallback to the page.",
        ),
    };
    let mut finding = Finding::new(CHECK.id, Severity::Error, Confidence::High, cause)
        .at(hop)
        .evidence(format!("status {status}, {kind}, {} bytes of body read", asked.body().len()))
        .refuted_by("a WebSocket library that answers a handshake with this status by design")
        .fix(Fix::words(fix));
    if let Some(name) = caddy.and_then(|product| product.entry.first_preset()) {
        finding = finding.preset(name);
    }
    vec![finding]
}

fn not_found(case: &Case<'_>) -> Vec<Finding> {
    // Where the same handshake opens elsewhere, the upgrade is what gets lost.
    if case.seen.others().iter().any(|other| other.opens()) {
        return Vec::new();
    }
    vec![
        Finding::new(
            CHECK.id,
            Severity::Error,
            Confidence::High,
            "There is no such path: the handshake is answered 404.",
        )
        .at("whatever serves this path")
        .evidence("status 404")
        .refuted_by("the same path with an upgrade that works at the backend itself (--direct URL)")
        .candidate("a proxy that drops the upgrade, before a framework (Express, Starlette) that has no page at this path")
        .fix(Fix::words("Correct the path in the URL, or route it to the WebSocket server.")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, http, refused, silent};

    #[test]
    fn a_page_and_the_empty_answer_of_caddy() {
        let page =
            refused(http(200, &[("Content-Type", "text/html"), ("Server", "nginx")], "<!doctype html>"));
        let found = fires(&CHECK, &page);
        assert_eq!(
            found.cause,
            "The path is not routed to a WebSocket server: the handshake is answered 200 (text/html)."
        );
        let found = fires(&CHECK, &refused(http(200, &[("Server", "Caddy")], "")));
        assert!(
            found.cause.contains("no site of its configuration has the host example.com"),
            "{}",
            found.cause
        );
        assert!(fires(&CHECK, &refused(http(404, &[], ""))).cause.contains("no such path"));
        silent(&CHECK, &healthy());
    }
}
