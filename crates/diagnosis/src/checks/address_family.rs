//! Finds addresses of a name that do not work while others do.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, seconds};
use crate::observations::TcpConnect;
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "address-family",
    doc: "
# Some addresses of the name do not work

The name has several addresses, and connections succeed to some of them only. Clients try the addresses in turn, so clients
that start with one that fails are slow or fail. Examples: `localhost` resolves to `::1` first and the server listens on
127.0.0.1 only; an AAAA record exists for a host without IPv6; a member of a pool is down.
",
    cases: &[50],
    evaluate,
};

/// The connect time at or above which users notice a delay, in seconds.
const SLOW_S: f64 = 2.0;

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let connects = &case.target.connects;
    let (bad, good): (Vec<&TcpConnect>, Vec<&TcpConnect>) =
        connects.iter().partition(|connect| connect.failed.is_some() || connect.took_s >= SLOW_S);
    // A machine without IPv6 reports a local error; nothing was sent, so the address is not at fault.
    let bad: Vec<&TcpConnect> =
        bad.into_iter().filter(|connect| !matches!(connect.failed, Some(Ending::Local(_)))).collect();
    let (Some(first), false) = (bad.first(), good.is_empty()) else { return Vec::new() };
    let six = bad.iter().all(|connect| connect.address.is_ipv6()) && good.iter().all(|c| c.address.is_ipv4());
    let four =
        bad.iter().all(|connect| connect.address.is_ipv4()) && good.iter().all(|c| c.address.is_ipv6());
    let which = match (six, four) {
        (true, _) => "IPv6 does not work for this name, IPv4 does",
        (_, true) => "IPv4 does not work for this name, IPv6 does",
        _ => "Some addresses of the name do not work",
    };
    let how = first.failed.as_ref().map_or("slow".to_owned(), ToString::to_string);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Confidence::High,
        format!("{which} ({how}): some clients are slow or fail."),
    )
    .at("DNS, or the server's addresses")
    .refuted_by("another network from which all addresses work")
    .fix(Fix::words("Listen on all addresses of the name ([::] as well as 0.0.0.0), or remove the records for addresses that do not work."));
    for connect in connects {
        let how = connect.failed.as_ref().map_or_else(|| "connected".to_owned(), ToString::to_string);
        finding = finding.evidence(format!("{}: {how} in {}", connect.address, seconds(connect.took_s)));
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::checks::sample::{fires, healthy, silent, with};
    use crate::observations::Observations;

    fn six(failed: Ending) -> Observations {
        with(|target| {
            let address = "[2001:db8::7]:80".parse().unwrap();
            target.connects.insert(0, TcpConnect { address, took_s: 0.01, failed: Some(failed) });
        })
    }

    #[test]
    fn a_dead_family_is_named() {
        assert!(fires(&CHECK, &six(Ending::Refused)).cause.starts_with("IPv6 does not work"));
        silent(&CHECK, &six(undrop_frame::LocalFault::NoPermission.into()));
        silent(&CHECK, &healthy());
    }
}
