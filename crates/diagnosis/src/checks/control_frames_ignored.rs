//! Finds idle timeouts that Pings do not reset.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, described, half_of, measure_s, seconds};
use crate::observations::Traffic;

pub(super) const CHECK: Check = Check {
    id: "control-frames-ignored",
    doc: "
# Pings do not count as activity

An idle timeout on the path counts messages only. The heartbeat of the protocol (Ping and Pong) then has no effect, although
Pings are answered: the connection with Pings ends like the one without traffic, and the one with messages lives. A gateway
that terminates WebSockets and opens its own, or a service that answers Pings at its edge, behaves like this.

Only a heartbeat of messages helps.
",
    cases: &[11],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(ping) = case.ended(&Traffic::Ping).filter(|connection| connection.ended_visibly()) else {
        return Vec::new();
    };
    let data =
        [Traffic::Data, Traffic::OneWay, Traffic::Staggered].into_iter().find(|traffic| case.lived(traffic));
    let Some(data) = data.filter(|_| case.drops.aligned.is_none() && case.drops.capped.is_empty()) else {
        return Vec::new();
    };
    let idle = measure_s(case.drops.idle_s());
    // If it ended long after the timeout for quiet connections, the cause is another one.
    if idle.as_ref().is_some_and(|idle| (ping.age_s - idle.value).abs() > (idle.value * 0.1).max(2.0)) {
        return Vec::new();
    }
    let end = ping.end.as_ref().map(described).unwrap_or_default();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        if idle.is_some() { Confidence::High } else { Confidence::Medium },
        format!(
            "Pings do not keep the connection alive, messages do: an idle timeout of {} counts messages only.",
            seconds(ping.age_s)
        ),
    )
    .evidence(format!("with Pings, {} of them answered: {end} at {}", ping.pongs, seconds(ping.age_s)))
    .evidence(format!("{}: alive", data.name()))
    .refuted_by("a connection with Pings only that lives longer")
    .candidate("a server that expects messages and closes without them")
    .fix(Fix::words(format!(
        "Send a message as heartbeat every {} or more often; Pings can still detect dead peers.",
        seconds(half_of(ping.age_s))
    )));
    if let Some(product) = case.products.iter().find(|product| product.is_seen()) {
        finding = finding.candidate(format!("{}, which is on the path", product.entry.name));
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{connections, dropped, fires, healthy, silent};
    use crate::observations::WatchedConnection;
    use undrop_frame::Ending;

    #[test]
    fn a_ping_arm_that_ends_like_the_silent_one() {
        let mut seen = healthy();
        let cut = |connection: WatchedConnection| match connection.traffic {
            Traffic::Ping | Traffic::Pong => dropped(connection, 60.0, Ending::Fin),
            _ if connection.traffic.is_quiet() => dropped(connection, 60.0, Ending::Fin),
            _ => connection,
        };
        seen.endpoints = vec![connections(cut)];
        assert!(fires(&CHECK, &seen).cause.contains("60.0 s counts messages only"));
        seen.endpoints = vec![connections(|connection| {
            if connection.traffic.is_quiet() { dropped(connection, 60.0, Ending::Fin) } else { connection }
        })];
        silent(&CHECK, &seen);
        silent(&CHECK, &healthy());
    }
}
