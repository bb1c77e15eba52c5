//! Finds intermediaries that answer Pings.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, measure_s, seconds};

pub(super) const CHECK: Check = Check {
    id: "pings-answered-early",
    doc: "
# Pings are answered before they reach the application

Pongs return much faster than messages: a gateway or tunnel answers the Pings itself. A Ping heartbeat then proves only that
the gateway is alive. The connection looks healthy while the application is dead.
",
    cases: &[53],
    evaluate,
};

/// The factor, and the difference in seconds, by which a message has to be slower than a Ping.
const TIMES: f64 = 3.0;
const APART_S: f64 = 0.01;

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(pings) = &case.target.pings else { return Vec::new() };
    let (Some(pong), Some(echo)) =
        (measure_s(pings.pongs_s.iter().copied()), measure_s(pings.echoes_s.iter().copied()))
    else {
        return Vec::new();
    };
    // Every message has to be slower than every Ping, by a clear margin.
    let fastest = pings.echoes_s.iter().copied().fold(f64::MAX, f64::min);
    let slowest = pings.pongs_s.iter().copied().fold(0.0, f64::max);
    if fastest <= slowest || echo.value < pong.value * TIMES || echo.value - pong.value < APART_S {
        return Vec::new();
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        Confidence::Medium,
        format!(
            "An intermediary probably answers Pings: a Pong takes {}, a reply to a message {}.",
            seconds(pong.value),
            seconds(echo.value)
        ),
    )
    .at("a gateway or tunnel in front of the application")
    .evidence(format!("{} Pings: {} each", pings.pongs_s.len(), seconds(pong.value)))
    .evidence(format!("{} messages: {} each", pings.echoes_s.len(), seconds(echo.value)))
    .refuted_by("Pongs that stop when the application is stopped")
    .candidate("an application that needs this time for a message")
    .fix(Fix::words("Let the application send and answer heartbeats as messages."));
    if let Some(rtt) = pings.tcp_rtt_s {
        finding = finding.evidence(format!(
            "the TCP round-trip time to the first hop that terminates TCP is {}",
            seconds(rtt)
        ));
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, silent, with};
    use crate::observations::{Observations, PingTest};

    fn rtts(pong: f64, echo: f64) -> Observations {
        with(|target| {
            target.pings = Some(PingTest {
                pongs_s: vec![pong, pong, pong * 1.1],
                unanswered: 0,
                echoes_s: vec![echo, echo, echo * 1.1],
                tcp_rtt_s: Some(pong),
            });
        })
    }

    #[test]
    fn a_pong_that_is_much_faster_than_a_message() {
        assert!(
            fires(&CHECK, &rtts(0.012, 0.09))
                .cause
                .contains("a Pong takes 12.0 ms, a reply to a message 90.0 ms")
        );
        silent(&CHECK, &rtts(0.0001, 0.0009));
        silent(&CHECK, &rtts(0.05, 0.09));
        silent(&CHECK, &healthy());
    }
}
