//! Finds servers without a heartbeat.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, seconds, server_heartbeat};
use crate::observations::Traffic;

pub(super) const CHECK: Check = Check {
    id: "dead-peers-stay",
    doc: "
# The server does not detect dead clients

During the whole run the server sent no Ping and no message, and it kept a connection that neither read nor answered. The
server then notices a vanished client (battery, tunnel, expired NAT entry) only when it next sends something and TCP gives up
after 15 to 20 minutes of retransmission (`tcp_retries2`). Until then, messages to it are lost and it counts as present.

No connection drops because of this, so it is a note.
",
    cases: &[48],
    evaluate,
};

/// The time without data from the server at or above which it counts as having no heartbeat, in seconds.
const LONG_S: f64 = 100.0;

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    if server_heartbeat(case).is_some() {
        return Vec::new();
    }
    let asleep = case
        .target
        .connections
        .iter()
        .filter(|connection| matches!(connection.traffic, Traffic::Suspended { .. }));
    let Some(kept) =
        asleep.filter(|connection| connection.alive()).max_by(|a, b| a.age_s.total_cmp(&b.age_s))
    else {
        return Vec::new();
    };
    let silent = case
        .traffic(&Traffic::Silent)
        .any(|connection| connection.alive() && connection.received == 0 && connection.age_s >= LONG_S);
    if !silent || kept.age_s < LONG_S {
        return Vec::new();
    }
    vec![
        Finding::new(
            CHECK.id,
            Severity::Note,
            Confidence::Medium,
            "The server sends no heartbeat, so it detects a vanished client only after TCP gives up.",
        )
        .at("the server")
        .evidence(format!("no Ping and no message was received in {}", seconds(case.seen.plan.horizon_s)))
        .evidence(format!("a connection that answered nothing for {} was kept", seconds(kept.age_s)))
        .refuted_by("a heartbeat interval that is longer than this run")
        .candidate("a heartbeat that a proxy answers in place of the client")
        .fix(Fix::words(
            "Send a Ping every 20 s to 30 s from the server and end connections without a Pong, or set TCP_USER_TIMEOUT.",
        )),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{alive, fires, healthy, silent};

    #[test]
    fn silence_of_the_server_and_a_sleeper_that_is_kept() {
        let mut seen = healthy();
        seen.endpoints[0].connections.push(alive(Traffic::Suspended { for_s: 120.0 }, 1.0, 120.5));
        assert_eq!(fires(&CHECK, &seen).severity, Severity::Note);
        let silent_lane =
            seen.endpoints[0].connections.iter_mut().find(|connection| connection.traffic == Traffic::Silent);
        silent_lane.into_iter().for_each(|connection| connection.server_pings_s = vec![25.0, 50.0]);
        silent(&CHECK, &seen);
        silent(&CHECK, &healthy());
    }
}
