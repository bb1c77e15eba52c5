//! Reports drops without a known pattern.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, described, measure_s, seconds};
use crate::observations::{Traffic, WatchedConnection};
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "unexplained-drop",
    doc: "
# Connections ended without a known pattern

Connections ended, but neither after the same idle time, nor at the same age, nor at the same moment. Possible causes are a
network with packet loss, a server that crashes or limits connections, a proxy under load, or a pattern that needs a longer run
to show. The ages are listed; run again, for longer.
",
    cases: &[],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    if case.ended_at_once.is_some() {
        return Vec::new();
    }
    // The end of a connection with unusual traffic can be the server's reaction to it.
    let odd = |connection: &&&WatchedConnection| {
        !matches!(
            connection.traffic,
            Traffic::NoPongs | Traffic::Suspended { .. } | Traffic::OneWay | Traffic::Pong
        )
    };
    let idle = measure_s(case.drops.idle_s()).map(|idle| idle.value);
    let like_idle = |connection: &WatchedConnection| {
        idle.is_some_and(|idle| {
            (connection.age_s - idle).abs() <= (idle * 0.1).max(2.0)
                || connection.traffic == Traffic::HiddenTab
        })
    };
    let broken = case.violation.is_some();
    let explained = |connection: &WatchedConnection| {
        like_idle(connection) || broken && matches!(connection.end, Some(Ending::ProtocolError(_)))
    };
    let connections: Vec<&&WatchedConnection> =
        case.drops.other.iter().filter(odd).filter(|connection| !explained(connection)).collect();
    let Some(first) = connections.first() else { return Vec::new() };
    if case.drops.silent.is_empty() || connections.iter().any(|connection| connection.ended_visibly()) {
        let total = case.target.connections.iter().filter(|connection| connection.opened()).count();
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            Confidence::Low,
            format!(
                "{} of {total} connections ended, the first at {}, without a known pattern.",
                connections.len(),
                seconds(first.age_s)
            ),
        )
        .refuted_by("a longer run in which the endings show a pattern")
        .candidate(
            "a network with packet loss, a server that restarts or limits connections, a proxy under load",
        )
        .fix(Fix::words(
            "Run again with --horizon 15m, and with --direct URL to see whether the server itself is the cause.",
        ));
        for connection in connections.iter().take(8) {
            let end = connection.end.as_ref().map(described).unwrap_or_default();
            finding = finding.evidence(format!(
                "{}: {end} at {}",
                connection.traffic.name(),
                seconds(connection.age_s)
            ));
        }
        return vec![finding];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{connections, dropped, fires, healthy, silent};

    #[test]
    fn one_end_without_a_pattern() {
        let mut seen = healthy();
        seen.endpoints = vec![connections(|connection| {
            if connection.traffic == Traffic::Data {
                dropped(connection, 33.0, Ending::Reset)
            } else {
                connection
            }
        })];
        assert!(fires(&CHECK, &seen).evidence[0].contains("RST"));
        silent(&CHECK, &healthy());
    }

    #[test]
    fn an_idle_timer_explains_its_ends() {
        let mut seen = healthy();
        seen.endpoints = vec![connections(|connection| {
            if connection.traffic.is_quiet() { dropped(connection, 60.0, Ending::Fin) } else { connection }
        })];
        silent(&CHECK, &seen);
    }
}
