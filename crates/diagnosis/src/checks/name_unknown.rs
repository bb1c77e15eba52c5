//! Finds a host name without an address.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;

pub(super) const CHECK: Check = Check {
    id: "name-unknown",
    doc: "
# The name has no address

The resolver of this machine has no address for the host of the URL. The later stages were not run.

The usual causes are a typing error, a record that is missing or not yet published everywhere, and a name that exists only
inside a network or a VPN. Compare with another resolver (`dig NAME @1.1.1.1`). To continue without the name, give an address
with `--resolve HOST:PORT:ADDRESS`.
",
    cases: &[50],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(error) = case.target.dns.as_ref().and_then(|dns| dns.error.clone()) else { return Vec::new() };
    let host = &case.target.host;
    vec![
        Finding::new(
            CHECK.id,
            Severity::Error,
            Confidence::High,
            format!("The name {host} cannot be resolved on this machine."),
        )
        .at("DNS")
        .evidence(error)
        .refuted_by("another resolver or another network that resolves the name")
        .fix(Fix::words(format!(
            "Correct the name or its A and AAAA records, or give an address: --resolve {host}:{}:ADDRESS",
            case.target.port
        ))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, silent, with};
    use crate::observations::DnsLookup;

    #[test]
    fn an_unknown_name_is_found() {
        let seen = with(|target| {
            let error = Some("looking up example.com: no such name".to_owned());
            target.dns = Some(DnsLookup { took_s: 0.1, addresses: Vec::new(), error });
        });
        assert!(fires(&CHECK, &seen).evidence[0].contains("no such name"));
        silent(&CHECK, &healthy());
    }
}
