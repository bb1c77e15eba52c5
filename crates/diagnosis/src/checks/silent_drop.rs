//! Finds devices that drop idle connections without notice.

use undrop_infra::{ClosingManner, Intermediary, Occasion, Timer, TimerKind, all};
use undrop_report::{Confidence, Finding, Fix, Measure, Severity};
use undrop_text::duration;

use super::Check;
use crate::analysis::{Case, heartbeat_below, seconds};
use crate::observations::WatchedConnection;
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "silent-drop",
    doc: "
# Quiet connections are dropped without notice

A NAT, a TCP balancer or a connection table forgets a connection that is idle for too long, and notifies neither end. Both ends
assume that it is open; data that is sent later is lost, or is answered with a reset (NLB 350 s, Azure 4 min, IPVS 15 min). A
connection that only waits never notices. Therefore several connections are probed once each, after increasing idle times.

The timeout lies between the longest idle time that a connection survived and the shortest that none survived.

Send data more often than that, in either direction; where only packets count, TCP keepalive is sufficient. Applications need a
deadline for the reply to their heartbeat; otherwise they notice the loss after 15 minutes of retransmission.
",
    cases: &[4, 5, 30],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let asked = |connection: &WatchedConnection| connection.probe.as_ref().map(|probe| probe.sent_s);
    let Some(bad) =
        case.drops.silent.iter().filter_map(|connection| asked(connection)).min_by(f64::total_cmp)
    else {
        return Vec::new();
    };
    let quiet = || case.target.connections.iter().filter(|connection| connection.traffic.is_quiet());
    let survived =
        quiet().filter(|connection| connection.alive()).filter_map(asked).filter(|quiet| *quiet < bad);
    let good = survived.max_by(f64::total_cmp).unwrap_or(0.0);
    let reset = case.drops.silent.iter().any(|connection| connection.end == Some(Ending::Reset));
    let samples = u32::try_from(case.drops.silent.len()).unwrap_or(u32::MAX);
    let value = Measure::between(good, bad, "s", samples);
    let suspects = suspects(good, bad, reset);
    let named = case.products.iter().filter(|product| product.is_seen());
    let culprit = named.filter_map(|p| suspects.iter().find(|(entry, _)| entry.id == p.entry.id)).next();
    let whom = culprit
        .map_or("somewhere between you and the origin".to_owned(), |(entry, _)| format!("at {}", entry.name));
    let then = if reset { "; the next packet gets a reset" } else { "" };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        if samples >= 2 { Confidence::High } else { Confidence::Medium },
        format!(
            "Connections that are idle for {} to {} are dropped without notice {whom}{then}.",
            seconds(good),
            seconds(bad)
        ),
    )
    .value(value)
    .evidence(format!(
        "idle for {}, then probed: {}",
        seconds(bad),
        if reset { "RST" } else { "no reply (black hole)" }
    ));
    if good > 0.0 {
        finding = finding.evidence(format!("idle for {}, then probed: alive", seconds(good)));
    }
    let acked = case
        .drops
        .silent
        .iter()
        .filter_map(|connection| connection.probe.as_ref()?.acked)
        .collect::<Vec<_>>();
    if acked.contains(&true) && !reset {
        finding = finding
            .evidence("a kernel acknowledged the probe, so a proxy received it and did not forward it");
    } else if acked.contains(&false) {
        finding = finding.evidence("the probe was never acknowledged: packets are dropped on the path");
    }
    let busy: Vec<String> = case
        .target
        .connections
        .iter()
        .filter(|connection| connection.traffic.is_busy() && connection.alive())
        .map(|connection| connection.traffic.name())
        .collect();
    if let Some(first) = busy.first() {
        finding = finding.evidence(format!("busy connections live on ({first} and {} more)", busy.len() - 1));
    }
    if case.lived(&crate::observations::Traffic::TcpKeepalive) {
        finding = finding.evidence("TCP keepalive keeps the connection alive: packets count, not data");
    }
    finding =
        finding.refuted_by(format!("a connection that is idle for {} and then alive", seconds(bad * 1.2)));
    match culprit {
        Some((entry, timer)) => {
            finding = finding.at(format!("{}, {}", entry.name, timer.name));
            for known in entry.fixes_of(&timer.name) {
                finding = finding.fix(known.into());
            }
            finding.preset = entry.first_preset().map(str::to_owned);
        }
        None => {
            finding.preset = suspects.iter().find_map(|(entry, _)| entry.first_preset().map(str::to_owned))
        }
    }
    let others = suspects.iter().filter(|(entry, _)| culprit.is_none_or(|(named, _)| named.id != entry.id));
    for (entry, timer) in others.take(6) {
        let at = timer.expected().map(duration::spell).unwrap_or_default();
        finding = finding.candidate(format!("{} ({}, {at})", entry.name, timer.name));
    }
    if suspects.is_empty() {
        finding = finding.candidate("no known timeout of this kind is in this range");
    }
    vec![finding.fix(Fix::words(heartbeat_below(case, good.max(bad * 0.5))))]
}

/// Returns the timeouts in the range of products that drop connections without notice.
fn suspects(good: f64, bad: f64, reset: bool) -> Vec<(&'static Intermediary, &'static Timer)> {
    let silent = |entry: &Intermediary| {
        entry.closings_on(Occasion::Idle).any(|closing| match closing.how {
            ClosingManner::SilentThenRst => true,
            ClosingManner::Silent => !reset,
            _ => false,
        })
    };
    let within = |timer: &Timer| {
        timer.values().any(|(value, _)| (good * 0.99..=bad * 1.01).contains(&value.as_secs_f64()))
    };
    let mut found: Vec<(&Intermediary, &Timer)> = Vec::new();
    for entry in all().iter().filter(|entry| silent(entry)) {
        found.extend(
            entry.timers_of(TimerKind::Idle).filter(|timer| within(timer)).map(|timer| (entry, timer)),
        );
    }
    found.sort_by_key(|(_, timer)| timer.is_unsure());
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{alive, connections, fires, healthy, hole, silent};
    use crate::observations::{AliveProbe, Observations, Traffic};

    fn vanishes(after_s: f64) -> Observations {
        let mut seen = healthy();
        let quiet = |connection: WatchedConnection| {
            if connection.traffic.is_quiet() { hole(connection, after_s) } else { connection }
        };
        seen.endpoints = vec![connections(quiet)];
        seen
    }

    #[test]
    fn the_bracket_of_the_comb() {
        let found = fires(&CHECK, &vanishes(100.0));
        assert!(found.value.is_some_and(|value| value.value == 107.5 && value.spread == 17.5));
        assert!(found.cause.contains("idle for 90.0 s to 125.0 s"), "{}", found.cause);
        assert_eq!((found.hop, found.confidence), (None, Confidence::High));
    }

    #[test]
    fn a_balancer_of_aws_resets_whoever_speaks_next() {
        let mut seen = healthy();
        let tooth = |quiet_s: f64| alive(Traffic::IdleProbe { quiet_s }, 1.0, quiet_s);
        let gone = |quiet_s: f64| WatchedConnection {
            end: Some(Ending::Reset),
            probe: Some(AliveProbe { sent_s: quiet_s, reply_after_s: None, acked: None }),
            ..tooth(quiet_s)
        };
        seen.endpoints[0].connections = vec![tooth(305.0), tooth(340.0), gone(355.0), gone(365.0)];
        let found = fires(&CHECK, &seen);
        assert!(found.candidates.iter().any(|other| other.contains("Network Load Balancer")), "{found:#?}");
        assert!(found.cause.contains("gets a reset"), "{}", found.cause);
    }

    #[test]
    fn a_healthy_endpoint_is_left_alone() {
        silent(&CHECK, &healthy());
    }
}
