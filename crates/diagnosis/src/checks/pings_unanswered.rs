//! Nobody answers Pings.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, seconds};
use crate::observations::MessageOutcome;

pub(super) const CHECK: Check = Check {
    id: "pings-unanswered",
    doc: "
# Pings are not answered

RFC 6455 5.5.3 asks every endpoint to answer a Ping. A service that does not (API Gateway is one), or a hop that drops control
frames, makes every client that uses Pings as its heartbeat believe the connection dead and reconnect for ever.
",
    cases: &[16],
    evaluate,
};

/// A Pong that is not there after this long will not come, seconds.
const PATIENT_S: f64 = 5.0;

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(pings) =
        case.target.pings.as_ref().filter(|pings| pings.pongs_s.is_empty() && pings.unanswered > 0)
    else {
        return Vec::new();
    };
    let known = case.products.iter().find(|product| {
        product.is_seen() && product.entry.handshake.pings == undrop_infra::Treatment::Stripped
    });
    let echoes = case.target.echoes();
    let waited_s = case.seen.plan.patience_s;
    // A server that is slow with everything may be slow with Pongs.
    let hasty = waited_s < PATIENT_S
        && !matches!(&case.target.echo, Some(echo) if matches!(echo.result, MessageOutcome::Returned { .. }));
    let (severity, confidence) =
        if hasty { (Severity::Note, Confidence::Low) } else { (Severity::Warning, Confidence::High) };
    let finding = Finding::new(
        CHECK.id,
        severity,
        confidence,
        format!(
            "Pings are not answered within {}: a client that uses them as its heartbeat takes the connection for dead.",
            seconds(waited_s)
        ),
    )
    .at(known.map_or("the server, or a hop that drops control frames", |product| product.entry.name.as_str()))
    .evidence(format!("Pings without a Pong: {}", pings.unanswered))
    .evidence(if echoes { "messages come" } else { "no message came either" })
    .refuted_by("a Pong that comes later than was waited for (--patience)")
    .fix(Fix::words(
        "Use a heartbeat of messages, and turn the Pings of the client off; or let the server answer Pings.",
    ));
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, silent, with};
    use crate::observations::PingTest;

    #[test]
    fn no_pong_at_all() {
        let seen = with(|target| {
            target.pings =
                Some(PingTest { pongs_s: Vec::new(), unanswered: 1, echoes_s: Vec::new(), tcp_rtt_s: None });
        });
        assert!(fires(&CHECK, &seen).evidence[1].contains("messages come"));
        silent(&CHECK, &healthy());
    }

    #[test]
    fn a_server_that_is_slow_with_everything_is_not_accused_in_a_hurry() {
        let mut seen = with(|target| {
            let echo = target.echo.as_mut();
            echo.into_iter().for_each(|echo| echo.result = MessageOutcome::Accepted { waited_s: 2.0 });
            target.pings =
                Some(PingTest { pongs_s: Vec::new(), unanswered: 1, echoes_s: Vec::new(), tcp_rtt_s: None });
        });
        assert_eq!(fires(&CHECK, &seen).severity, Severity::Warning);
        seen.plan.patience_s = 2.0;
        let found = fires(&CHECK, &seen);
        assert_eq!((found.severity, found.confidence), (Severity::Note, Confidence::Low));
        assert!(found.cause.contains("within 2.0 s"), "{}", found.cause);
    }
}
