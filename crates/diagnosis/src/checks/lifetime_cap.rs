//! Finds maximum connection ages.

use undrop_infra::TimerKind;
use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{
    Case, Drops, attribute, described, kept_and_lost, measure_s, seconds, without_end_delay,
};
use crate::observations::{Endpoint, Traffic};
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "lifetime-cap",
    doc: "
# Connections end at a fixed age, busy or not

All connections end at the same age, whatever their traffic, although they were opened at different times. Either a request
timeout applies to the whole WebSocket (Google's classic balancers 30 s, Cloud Run 5 min, an Envoy route 15 s), or a service
has a maximum connection age (API Gateway 2 h, Front Door 4 h). A heartbeat does not help.

Raise the maximum age where it is configurable. In any case, clients have to reconnect before it, preferably each at its own
time.
",
    cases: &[8, 9, 10, 12, 16, 19],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    if case.ended_at_once.is_some() {
        return Vec::new();
    }
    let Some(seen) = measure_s(case.drops.capped_s()) else { return Vec::new() };
    let ends: Vec<Ending> =
        case.drops.capped.iter().filter_map(|connection| connection.end.clone()).collect();
    let found = attribute(case, &seen, TimerKind::Lifetime, &ends, |other| same_age(other, seen.value));
    let (value, late) = without_end_delay(&seen, found.late);
    let place = found.place();
    let place = place.trim_end_matches(',');
    let cause = format!(
        "Connections end at an age of {}, whatever their traffic: a maximum connection age{place}.",
        seconds(value.value)
    );
    let with_data = case.traffic(&Traffic::Data).any(|connection| connection.opened());
    let confidence = if with_data { Confidence::High } else { Confidence::Medium };
    let mut finding = Finding::new(CHECK.id, Severity::Error, confidence, cause).value(value.clone());
    if let Some(end) = ends.first() {
        let ending = described(end);
        finding = finding.evidence(format!("{} connections ended with {ending} at this age", ends.len()));
    }
    if let Some((first, last)) = spread(case) {
        finding = finding.evidence(format!(
            "they were opened up to {} apart, so they did not end at the same moment",
            seconds(last - first)
        ));
    }
    for line in kept_and_lost(case) {
        finding = finding.evidence(line);
    }
    if let Some(late) = late {
        finding = finding.evidence(late);
    }
    finding =
        finding.refuted_by(format!("a connection that lives longer than {}", seconds(seen.value * 1.1)));
    let mut finding = found.complete(finding);
    if !with_data {
        finding
            .candidates
            .insert(0, "an idle timeout that Pings do not reset (messages could not be tried)".to_owned());
    }
    let (low, high) = (value.value * 0.7, value.value * 0.9);
    finding.fixes.push(Fix::words(format!(
        "Reconnect before this age, each client after a random time between {} and {}; a heartbeat does not help.",
        seconds(low),
        seconds(high)
    )));
    vec![finding]
}

/// Returns the first and the last opening time of the connections that ended, if they differ by a second or more.
fn spread(case: &Case<'_>) -> Option<(f64, f64)> {
    let opened = case.drops.capped.iter().map(|connection| connection.at_s);
    let (first, last) = opened.fold((f64::MAX, f64::MIN), |(a, b), at| (a.min(at), b.max(at)));
    (last - first >= 1.0).then_some((first, last))
}

/// Returns whether connections to another endpoint end at the same age, `None` if they were not watched that long.
fn same_age(other: &Endpoint, value_s: f64) -> Option<bool> {
    if let Some(found) = measure_s(Drops::of(other).capped_s()) {
        return Some((found.value - value_s).abs() <= (value_s * 0.03).max(1.2));
    }
    other
        .connections
        .iter()
        .any(|connection| connection.alive() && connection.age_s > value_s * 1.05)
        .then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{attempt, connections, dropped, fires, healthy, silent, switched};
    use crate::observations::{Observations, RequestVariant};

    fn capped(at_s: f64, headers: &[(&str, &str)]) -> Observations {
        let mut seen = healthy();
        seen.endpoints = vec![connections(|connection| dropped(connection, at_s, Ending::Fin))];
        seen.endpoints[0].attempts = vec![attempt(RequestVariant::AsRequested, switched(headers))];
        seen
    }

    #[test]
    fn the_classic_balancer_of_google() {
        let found = fires(&CHECK, &capped(30.0, &[("Via", "1.1 google")]));
        assert!(found.hop.as_deref().is_some_and(|hop| hop.contains("timeoutSec")), "{found:#?}");
        assert!(found.cause.contains("30.0 s"), "{}", found.cause);
        assert_eq!(found.confidence, Confidence::High);
    }

    #[test]
    fn a_cap_of_nobody_known() {
        let found = fires(&CHECK, &capped(77.0, &[]));
        assert_eq!(found.hop, None);
        assert!(
            found.cause.ends_with("a maximum connection age somewhere between you and the origin."),
            "{}",
            found.cause
        );
    }

    #[test]
    fn idle_cuts_and_health_are_no_caps() {
        let mut seen = healthy();
        silent(&CHECK, &seen);
        let quiet = |connection: crate::observations::WatchedConnection| {
            if connection.traffic.is_quiet() { dropped(connection, 60.0, Ending::Fin) } else { connection }
        };
        seen.endpoints = vec![connections(quiet)];
        silent(&CHECK, &seen);
    }
}
