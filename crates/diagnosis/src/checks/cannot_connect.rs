//! Finds a host to which no TCP connection can be opened.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, seconds};
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "cannot-connect",
    doc: "
# No TCP connection

Every address of the host failed. *Refused* means that the host is reachable and no program listens on the port: the server is
down or listens on another port or address, or a firewall rejects the connection. *Black hole* means that nothing is received
at all: a firewall drops packets, the address is wrong, or the host is down.

If only one address family or only some addresses fail, see `address-family`.
",
    cases: &[],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let connects = &case.target.connects;
    let failed: Vec<&Ending> = connects.iter().filter_map(|connect| connect.failed.as_ref()).collect();
    if connects.is_empty() || failed.len() < connects.len() {
        return Vec::new();
    }
    let port = case.target.port;
    let (cause, fix) = if failed.iter().any(|end| **end == Ending::Refused) {
        (
            format!("No program listens on port {port} of {}.", case.target.host),
            "Start the server, or correct the port or the address that it listens on.",
        )
    } else {
        (
            format!("{} does not respond on port {port}.", case.target.host),
            "Open the port in the firewall, or correct the address.",
        )
    };
    let mut finding = Finding::new(CHECK.id, Severity::Error, Confidence::High, cause)
        .at(case.target.host.clone())
        .refuted_by("a connection from another network that succeeds")
        .fix(Fix::words(fix));
    for connect in connects {
        let end = connect.failed.as_ref().map_or_else(String::new, ToString::to_string);
        finding = finding.evidence(format!("{}: {end} after {}", connect.address, seconds(connect.took_s)));
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, silent, with};

    #[test]
    fn a_refusal_and_a_black_hole_are_distinguished() {
        let failed = |end: Ending| with(|target| target.connects[0].failed = Some(end));
        assert!(fires(&CHECK, &failed(Ending::Refused)).cause.starts_with("No program listens on port 80"));
        assert!(fires(&CHECK, &failed(Ending::BlackHole)).cause.contains("does not respond"));
        silent(&CHECK, &healthy());
    }

    #[test]
    fn one_good_address_is_enough() {
        let seen = with(|target| {
            let mut other = target.connects[0].clone();
            other.failed = Some(Ending::Refused);
            target.connects.push(other);
        });
        silent(&CHECK, &seen);
    }
}
