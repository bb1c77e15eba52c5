//! One direction stops while the other goes on.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, seconds};
use crate::observations::WatchedConnection;

pub(super) const CHECK: Check = Check {
    id: "one-way-loss",
    doc: "
# Messages stop in one direction

Messages were answered, and then were not any more, while the connection went on to answer Pings: neither side sees an error.
Some balancers and kube-proxy paths come into such a state after half an hour; an application whose handler hangs does too.

Only a heartbeat that goes through the application notices it.
",
    cases: &[54],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let stalled: Vec<(&WatchedConnection, f64)> = case
        .target
        .connections
        .iter()
        .filter_map(|connection| Some((connection, connection.stalled_s?)))
        .collect();
    let Some((connection, at)) = stalled.first() else { return Vec::new() };
    vec![
        Finding::new(
            CHECK.id,
            Severity::Error,
            Confidence::Medium,
            format!("Replies stopped after {} although the connection went on to answer Pings.", seconds(*at)),
        )
        .at("a hop before the application, or the application itself")
        .evidence(format!("{} messages were sent, {} replies came, the last at {}", connection.sent, connection.received, seconds(*at)))
        .evidence("Pings behind them were answered")
        .evidence(format!("{} connections did so", stalled.len()))
        .refuted_by("a log of the application that shows replies after that time")
        .candidate("an application that limits how often it replies, or hangs in its handler")
        .fix(Fix::words(
            "Use a heartbeat of messages with a deadline for the reply, and reconnect when it passes; on Kubernetes behind Azure, \
             externalTrafficPolicy: Local.",
        )),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{connections, fires, healthy, silent};
    use crate::observations::Traffic;

    #[test]
    fn replies_that_stop() {
        let mut seen = healthy();
        let stall = |connection: WatchedConnection| {
            let stalled_s = (connection.traffic == Traffic::Data).then_some(44.0);
            WatchedConnection { stalled_s, ..connection }
        };
        seen.endpoints = vec![connections(stall)];
        assert!(fires(&CHECK, &seen).cause.contains("stopped after 44.0 s"));
        silent(&CHECK, &healthy());
    }
}
