//! Finds intermediaries that terminate TLS.

use undrop_infra::{Matcher, ProductKind};
use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;

pub(super) const CHECK: Check = Check {
    id: "tls-intercepted",
    doc: "
# An intermediary opens TLS

The certificate was not issued by the authority of the site, but by an antivirus program, a corporate proxy or a firewall that
decrypts TLS to inspect it. Such intermediaries often do not support WebSockets: they drop the upgrade, buffer data, or end
long connections, and only some users are affected.

The check compares the issuer of the certificate with known products and with the other endpoints of the run.
",
    cases: &[44],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let leaf = case.target.tls.as_ref().and_then(|tls| tls.chain.first());
    let Some(leaf) = leaf else { return Vec::new() };
    let opener = case.products.iter().find(|product| {
        matches!(product.entry.kind, ProductKind::ForwardProxy | ProductKind::Firewall)
            && product.entry.fingerprints.iter().any(|print| match &print.matcher {
                Matcher::Issuer(part) => leaf.issuer.to_lowercase().contains(part.as_str()),
                _ => false,
            })
    });
    let elsewhere = case.seen.others().iter().find_map(|other| {
        let theirs = other.tls.as_ref()?.chain.first()?;
        (other.host == case.target.host && theirs.issuer != leaf.issuer).then(|| theirs.issuer.clone())
    });
    if opener.is_none() && elsewhere.is_none() {
        return Vec::new();
    }
    let who = opener.map_or("an intermediary", |product| product.entry.name.as_str());
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        if opener.is_some() { Confidence::High } else { Confidence::Medium },
        format!("TLS is intercepted: the certificate was issued by {who}."),
    )
    .at(who)
    .evidence(format!("the issuer is {}", leaf.issuer))
    .refuted_by("the same issuer from a network without such an intermediary")
    .fix(Fix::words(
        "Exclude the host from the inspection, or configure the intermediary to pass WebSockets; use wss on port 443, which is inspected least often.",
    ));
    if let Some(issuer) = elsewhere {
        finding = finding.evidence(format!("another endpoint presents the issuer {issuer}"));
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, silent, with};
    use crate::observations::{Certificate, Observations, TlsResult};

    fn issued(issuer: &str) -> Observations {
        let leaf = Certificate {
            subject: "CN=example.com".to_owned(),
            issuer: issuer.to_owned(),
            names: Vec::new(),
            not_before_unix_s: 0,
            not_after_unix_s: i64::MAX / 2,
            authority: false,
        };
        with(|target| target.tls = Some(TlsResult { chain: vec![leaf], ..TlsResult::default() }))
    }

    #[test]
    fn an_inspecting_box_is_known_by_its_issuer() {
        let found = fires(&CHECK, &issued("C=US, O=Fortinet, OU=Certificate Authority"));
        assert!(found.cause.contains("Forti"), "{}", found.cause);
        silent(&CHECK, &issued("C=US, O=Let's Encrypt, CN=R11"));
        silent(&CHECK, &healthy());
    }
}
