//! Nobody would notice a dead peer.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, seconds, server_heartbeat};
use crate::observations::Traffic;

pub(super) const CHECK: Check = Check {
    id: "dead-peers-stay",
    doc: "
# The server does not notice dead clients

No Ping and no message of the server came in all the time, and a connection that reads and answers nothing was kept. A client
that vanishes (battery, tunnel, a NAT that forgot it) is then noticed only when the server next sends something and TCP gives
up after 15 to 20 minutes of retransmission (`tcp_retries2`); until then messages for it are lost and it counts as present.

Nothing drops because of this, so it is a note.
",
    cases: &[48],
    evaluate,
};

/// From here on silence of the server says something, seconds.
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
            "The server sends no heartbeat, so it notices a vanished client only after TCP gives up.",
        )
        .at("the server")
        .evidence(format!("no Ping and no message came in {}", seconds(case.seen.plan.horizon_s)))
        .evidence(format!("a connection that answered nothing for {} was kept", seconds(kept.age_s)))
        .refuted_by("a heartbeat that is slower than this run was long")
        .candidate("a heartbeat that a proxy answers before it reaches the client")
        .fix(Fix::words(
            "Send a Ping every 20 to 30 s from the server and end connections whose Pong does not come; or set TCP_USER_TIMEOUT.",
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
