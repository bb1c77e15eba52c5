//! Nobody answers Pings.

use undrop_finding::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;

pub(super) const CHECK: Check = Check {
    id: "pings-unanswered",
    doc: "
# Pings are not answered

RFC 6455 5.5.3 asks every endpoint to answer a Ping. A service that does not (API Gateway is one), or a hop that drops control
frames, makes every client that uses Pings as its heartbeat believe the connection dead and reconnect for ever.
",
    cases: &[16],
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Finding> {
    let Some(pings) =
        case.target.pings.as_ref().filter(|pings| pings.pongs_s.is_empty() && pings.unanswered > 0)
    else {
        return Vec::new();
    };
    let known = case.products.iter().find(|product| {
        product.is_seen() && product.entry.handshake.pings == undrop_infra::Treatment::Stripped
    });
    let echoes = case.target.echoes();
    let finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Confidence::High,
        "Pings are not answered: a client that uses them as its heartbeat takes the connection for dead.",
    )
    .at(known.map_or("the server, or a hop that drops control frames", |product| product.entry.name.as_str()))
    .evidence(format!("{} Pings without a Pong", pings.unanswered))
    .evidence(if echoes { "messages are answered" } else { "no message was answered either" })
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
    use crate::observations::Pings;

    #[test]
    fn no_pong_at_all() {
        let seen = with(|target| {
            target.pings =
                Some(Pings { pongs_s: Vec::new(), unanswered: 1, echoes_s: Vec::new(), tcp_rtt_s: None });
        });
        assert!(fires(&CHECK, &seen).evidence[1].contains("messages are answered"));
        silent(&CHECK, &healthy());
    }
}
