//! One direction stops while the other goes on.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, s};
use crate::observations::Life;

pub(super) const CHECK: Check = Check {
    id: "one-way-loss",
    doc: "
# Messages stop in one direction

Messages were answered, and then were not any more, while the connection went on to answer Pings: neither side sees an error.
Some balancers and kube-proxy paths come into such a state after half an hour; an application whose handler hangs does too.

Only a heartbeat that goes through the application notices it.
",
    cases: &[54],
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Finding> {
    let stalled: Vec<(&Life, f64)> =
        case.target.lives.iter().filter_map(|life| Some((life, life.stalled_s?))).collect();
    let Some((life, at)) = stalled.first() else { return Vec::new() };
    vec![
        Finding::new(
            CHECK.id,
            Severity::Error,
            Confidence::Medium,
            format!("Replies stopped after {} although the connection went on to answer Pings.", s(*at)),
        )
        .at("a hop before the application, or the application itself")
        .evidence(format!("{} messages were sent, {} replies came, the last at {}", life.sent, life.received, s(*at)))
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
    use crate::checks::sample::{fires, healthy, lives, silent};
    use crate::observations::Arm;

    #[test]
    fn replies_that_stop() {
        let mut seen = healthy();
        let stall = |life: Life| {
            let stalled_s = (life.arm == Arm::Data).then_some(44.0);
            Life { stalled_s, ..life }
        };
        seen.endpoints = vec![lives(stall)];
        assert!(fires(&CHECK, &seen).cause.contains("stopped after 44.0 s"));
        silent(&CHECK, &healthy());
    }
}
