//! Finds ws:// URLs on https pages.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;

pub(super) const CHECK: Check = Check {
    id: "mixed-content",
    doc: "
# An https page cannot open ws://

Browsers block an unencrypted WebSocket on an encrypted page before anything is sent: the server receives nothing, and other
clients connect. Most browsers exempt loopback addresses.

The page is given with `--page`.
",
    cases: &[42],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(page) = case.seen.plan.page.as_deref().filter(|page| page.starts_with("https:")) else {
        return Vec::new();
    };
    if case.target.secure || !case.target.public {
        return Vec::new();
    }
    let secure = case.seen.plan.url.replacen("ws:", "wss:", 1);
    vec![
        Finding::new(
            CHECK.id,
            Severity::Error,
            Confidence::High,
            "Browsers block ws:// URLs on https pages (mixed content).",
        )
        .at("the page")
        .evidence(format!("page {page}, WebSocket {}", case.seen.plan.url))
        .refuted_by("a page that is opened over http")
        .fix(Fix::words(format!("Serve the WebSocket over TLS, and use {secure} in the page."))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, silent};

    #[test]
    fn only_from_https_to_ws() {
        let mut seen = healthy();
        seen.plan.page = Some("https://example.com/".to_owned());
        assert!(fires(&CHECK, &seen).fixes[0].text.contains("wss://example.com/chat"));
        seen.endpoints[0].secure = true;
        silent(&CHECK, &seen);
        let mut seen = healthy();
        seen.plan.page = Some("http://example.com/".to_owned());
        silent(&CHECK, &seen);
    }
}
