//! Finds paths that drop large packets.

use undrop_report::{Confidence, Finding, Fix, Measure, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::{MessageOutcome, SizeTest};

pub(super) const CHECK: Check = Check {
    id: "packet-size",
    doc: "
# Large packets are dropped

Small messages arrive, and nothing is received for messages above the size of a packet, not even an end of the connection. A
tunnel (VPN, VXLAN, PPPoE) carries smaller packets than its ends assume, and the ICMP message that reports this is filtered:
a path MTU black hole. The kernel retransmits the same segment again and again.
",
    cases: &[49],
    evaluate,
};

/// The message sizes at which the packet size is the cause, rather than a limit of the server.
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
    // The kernel of the peer has received what it acknowledged.
    if acked == Some(true) {
        return Vec::new();
    }
    let again = bad.retransmits.unwrap_or(0);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        if again > 0 { Confidence::High } else { Confidence::Medium },
        format!("Messages of more than {good} bytes are lost: large packets are dropped (path MTU)."),
    )
    .at("a tunnel on the path, or the network of this machine")
    .value(Measure::between(good as f64, bad.size as f64, "bytes", 1))
    .evidence(format!("{good} bytes arrive, and {} bytes get no reply and no acknowledgement", bad.size))
    .evidence(format!("the kernel retransmitted {again} segments"))
    .refuted_by("the same message that is still lost after the MTU of this machine was lowered")
    .fix(Fix::block(
        "sh",
        "iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu\nsysctl net.ipv4.tcp_mtu_probing=1",
        "Run the first command on the router in front of the tunnel and the second on both ends, or lower the MTU of the interface to 1420.",
    ));
    if let Some(segment) = bad.segment {
        finding = finding.evidence(format!("the segments were up to {segment} bytes long"));
    }
    if case.seen.local.mtu_probing == Some(0) {
        finding =
            finding.evidence("this machine does not probe the path MTU (net.ipv4.tcp_mtu_probing is 0)");
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
    fn nothing_arrives_from_the_size_of_a_packet_on() {
        assert!(fires(&CHECK, &vanishes(1500, Some(false))).cause.contains("more than 1400 bytes are lost"));
        silent(&CHECK, &vanishes(1500, Some(true)));
        silent(&CHECK, &vanishes(65_536, Some(false)));
        silent(&CHECK, &healthy());
    }
}
