//! Finds connections on which one direction stops.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, seconds};
use crate::observations::WatchedConnection;

pub(super) const CHECK: Check = Check {
    id: "one-way-loss",
    doc: "
# Messages stop in one direction

Messages were answered at first and later were not, while the connection continued to answer Pings, so neither side reports an
error. Some balancers and kube-proxy paths enter such a state after half an hour; an application whose handler hangs causes the
same.

Only a heartbeat that the application answers detects this.
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
            format!("Replies stopped after {}, although the connection continued to answer Pings.", seconds(*at)),
        )
        .at("a hop in front of the application, or the application itself")
        .evidence(format!("{} messages were sent and {} replies received, the last at {}", connection.sent, connection.received, seconds(*at)))
        .evidence("later Pings were answered")
        .evidence(format!("affected connections: {}", stalled.len()))
        .refuted_by("a log of the application that shows replies after this time")
        .candidate("an application that limits its replies, or whose handler hangs")
        .fix(Fix::words(
            "Use messages with a deadline for the reply as heartbeat, and reconnect if it passes; on Kubernetes in Azure, set \
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
