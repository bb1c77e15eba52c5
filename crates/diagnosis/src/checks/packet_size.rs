//! Large packets vanish on the way.

use undrop_report::{Confidence, Finding, Fix, Measure, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::{MessageOutcome, SizeTest};

pub(super) const CHECK: Check = Check {
    id: "packet-size",
    doc: "
# Large packets vanish on the way

Small messages pass, and from about the size of a packet on nothing comes, not even an end of the connection. A tunnel (VPN,
VXLAN, PPPoE) carries smaller packets than its ends believe, and the ICMP message that would tell them is filtered: a black
hole of path MTU. The kernel sends the same segment again and again.
",
    cases: &[49],
    evaluate,
};

/// Sizes at which packets, rather than limits of servers, are the cause.
const PACKETS: std::ops::RangeInclusive<u64> = 1_000..=16_384;

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let sizes = &case.target.sizes;
    let vanished = |one: &&SizeTest| matches!(one.result, MessageOutcome::Silent { .. });
    let Some(bad) = sizes.iter().filter(vanished).min_by_key(|one| one.size) else { return Vec::new() };
    let good =
        sizes.iter().filter(|one| one.result.arrived() && one.size < bad.size).map(|one| one.size).max();
    let Some(good) = good.filter(|_| PACKETS.contains(&bad.size)) else { return Vec::new() };
    let acked = match &bad.result {
        MessageOutcome::Silent { acked, .. } => *acked,
        _ => None,
    };
    // Acknowledged bytes did arrive at the other kernel.
    if acked == Some(true) {
        return Vec::new();
    }
    let again = bad.retransmits.unwrap_or(0);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        if again > 0 { Confidence::High } else { Confidence::Medium },
        format!("Messages of more than {good} bytes vanish on the way: large packets do not get through (path MTU)."),
    )
    .at("a tunnel on the way, or this machine's network")
    .value(Measure::between(good as f64, bad.size as f64, "bytes", 1))
    .evidence(format!("{good} bytes arrive, {} bytes get no sign of life", bad.size))
    .evidence(format!("the kernel sent {again} segments again"))
    .refuted_by("the same message that arrives after the MTU of this machine was lowered")
    .fix(Fix::block(
        "sh",
        "iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu\nsysctl net.ipv4.tcp_mtu_probing=1",
        "The first line on the router before the tunnel, the second on the ends; or lower the MTU of the interface to 1420.",
    ));
    if let Some(segment) = bad.segment {
        finding = finding.evidence(format!("segments of {segment} bytes were sent"));
    }
    if case.seen.local.mtu_probing == Some(0) {
        finding = finding
            .evidence("this machine does not probe for the MTU by itself (net.ipv4.tcp_mtu_probing is 0)");
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, silent, with};
    use crate::observations::Observations;

    fn vanishes(at: u64, acked: Option<bool>) -> Observations {
        let one = |size: u64, result: MessageOutcome| SizeTest {
            size,
            result,
            retransmits: Some(3),
            segment: Some(1448),
        };
        with(|target| {
            target.sizes = vec![
                one(at - 100, MessageOutcome::Returned { rtt_s: 0.1 }),
                one(at, MessageOutcome::Silent { waited_s: 5.0, acked }),
            ];
        })
    }

    #[test]
    fn from_the_size_of_a_packet_on_nothing_comes() {
        assert!(fires(&CHECK, &vanishes(1500, Some(false))).cause.contains("more than 1400 bytes vanish"));
        silent(&CHECK, &vanishes(1500, Some(true)));
        silent(&CHECK, &vanishes(65_536, Some(false)));
        silent(&CHECK, &healthy());
    }
}
