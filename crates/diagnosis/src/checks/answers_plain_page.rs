//! Finds paths that serve a page instead of a WebSocket.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;

pub(super) const CHECK: Check = Check {
    id: "answers-plain-page",
    doc: "
# The response to the handshake is a page

A status of 200 means that a server treated the handshake as an ordinary request. Browsers report “Unexpected response code:
200”. With HTML in the body, it is usually the fallback of a single-page application or another `location`: the path of the
WebSocket is not routed to its backend. With an empty body, it is often Caddy, which responds with 200 to a Host for which no
site is configured.
",
    cases: &[35],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(asked) = case.target.handshake() else { return Vec::new() };
    let Some(status @ (200..=206 | 404)) = asked.status() else { return Vec::new() };
    let kind = asked.header("Content-Type").unwrap_or("no content type").to_owned();
    let empty = asked.body().trim().is_empty();
    if status == 404 {
        return not_found(case);
    }
    let caddy = case.product("caddy").filter(|product| product.is_seen());
    let (cause, hop, fix) = match caddy {
        Some(product) if empty => (
            format!(
                "{} responds with {status} and an empty body: no site is configured for the host {}.",
                product.entry.name, case.target.host
            ),
            product.entry.name.clone(),
            "Add the host to the address of the site in the Caddyfile, or connect by the name that is configured.",
        ),
        _ => (
            format!(
                "The path is not routed to a WebSocket server: the response to the handshake is {status} ({kind}{}).",
                if empty { ", empty" } else { "" }
            ),
            "the server of this path".to_owned(),
            "Route the path of the WebSocket to its backend, with precedence over the fallback to the page.",
        ),
    };
    let mut finding = Finding::new(CHECK.id, Severity::Error, Confidence::High, cause)
        .at(hop)
        .evidence(format!("status {status}, {kind}, {} bytes of the body read", asked.body().len()))
        .refuted_by("a WebSocket library that responds to handshakes with this status by design")
        .fix(Fix::words(fix));
    if let Some(name) = caddy.and_then(|product| product.entry.first_preset()) {
        finding = finding.preset(name);
    }
    vec![finding]
}

fn not_found(case: &Case<'_>) -> Vec<Finding> {
    // If the same handshake succeeds at another endpoint, the upgrade was dropped.
    if case.seen.others().iter().any(|other| other.opens()) {
        return Vec::new();
    }
    vec![
        Finding::new(
            CHECK.id,
            Severity::Error,
            Confidence::High,
            "The path does not exist: the response to the handshake is 404.",
        )
        .at("the server of this path")
        .evidence("status 404")
        .refuted_by("an upgrade of the same path that succeeds at the backend (--direct URL)")
        .candidate("a proxy that drops the upgrade, in front of a framework (Express, Starlette) that has no page at this path")
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
            "The path is not routed to a WebSocket server: the response to the handshake is 200 (text/html)."
        );
        let found = fires(&CHECK, &refused(http(200, &[("Server", "Caddy")], "")));
        assert!(found.cause.contains("no site is configured for the host example.com"), "{}", found.cause);
        assert!(fires(&CHECK, &refused(http(404, &[], ""))).cause.contains("path does not exist"));
        silent(&CHECK, &healthy());
    }
}
