//! Finds a certificate with little time left.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;

pub(super) const CHECK: Check = Check {
    id: "certificate-expiring",
    doc: "
# The certificate expires soon

The certificate is valid, but less than 14 days are left. Automatic renewal usually happens 30 days before the expiry, so the
renewal has probably failed, or the server was not reloaded after it. On the day of expiry all clients fail at once.
",
    cases: &[43],
    evaluate,
};

const DAYS: i64 = 14;
const DAY_S: i64 = 86_400;

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(tls) = case.target.tls.as_ref().filter(|tls| tls.distrust.is_none()) else { return Vec::new() };
    let Some(leaf) = tls.chain.first() else { return Vec::new() };
    let left = leaf.not_after_unix_s - case.now_unix_s();
    // Short-lived certificates are renewed often; for them, the last quarter of the validity counts.
    let validity = leaf.not_after_unix_s - leaf.not_before_unix_s;
    if left >= DAYS * DAY_S || left * 4 >= validity {
        return Vec::new();
    }
    vec![
        Finding::new(
            CHECK.id,
            Severity::Warning,
            Confidence::High,
            format!("The certificate expires in {} days.", left.max(0) / DAY_S),
        )
        .at("TLS")
        .evidence(format!("issued by {}", leaf.issuer))
        .refuted_by("a renewal that is scheduled before that day")
        .fix(Fix::words(
            "Renew the certificate, reload the server, and find out why the automatic renewal did not run.",
        )),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, silent, with};
    use crate::observations::{Certificate, Observations, TlsResult};

    fn left(days: i64, of: i64) -> Observations {
        let now = healthy().started_unix_s as i64;
        let leaf = Certificate {
            subject: "CN=x".to_owned(),
            issuer: "CN=R11".to_owned(),
            names: Vec::new(),
            not_before_unix_s: now + (days - of) * DAY_S,
            not_after_unix_s: now + days * DAY_S,
            authority: false,
        };
        with(|target| target.tls = Some(TlsResult { chain: vec![leaf], ..TlsResult::default() }))
    }

    #[test]
    fn days_are_counted_and_short_lives_are_no_fault() {
        assert_eq!(fires(&CHECK, &left(5, 90)).cause, "The certificate expires in 5 days.");
        silent(&CHECK, &left(40, 90));
        silent(&CHECK, &left(5, 7));
        silent(&CHECK, &healthy());
    }
}
