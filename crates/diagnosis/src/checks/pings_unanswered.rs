//! Finds endpoints that do not answer Pings.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, seconds};
use crate::observations::MessageOutcome;

pub(super) const CHECK: Check = Check {
    id: "pings-unanswered",
    doc: "
# Pings are not answered

RFC 6455 §5.5.3 requires every endpoint to answer Pings. A service that does not (such as API Gateway), or a hop that drops
control frames, makes every client with a Ping heartbeat assume that the connection is dead, and reconnect repeatedly.
",
    cases: &[16],
    evaluate,
};

/// The time after which a missing Pong is no longer expected, in seconds.
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
    // A server whose other replies are slow may also be slow with Pongs.
    let hasty = waited_s < PATIENT_S
        && !matches!(&case.target.echo, Some(echo) if matches!(echo.result, MessageOutcome::Returned { .. }));
    let (severity, confidence) =
        if hasty { (Severity::Note, Confidence::Low) } else { (Severity::Warning, Confidence::High) };
    let finding = Finding::new(
        CHECK.id,
        severity,
        confidence,
        format!(
            "Pings are not answered within {}: a client with a Ping heartbeat assumes that the connection is dead.",
            seconds(waited_s)
        ),
    )
    .at(known.map_or("the server, or a hop that drops control frames", |product| product.entry.name.as_str()))
    .evidence(format!("Pings without a Pong: {}", pings.unanswered))
    .evidence(if echoes { "messages are answered" } else { "messages are not answered either" })
    .refuted_by("a Pong that arrives later (a longer --patience)")
    .fix(Fix::words(
        "Use messages as heartbeat and disable the Pings of the client, or let the server answer Pings.",
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
        assert!(fires(&CHECK, &seen).evidence[1].contains("messages are answered"));
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
