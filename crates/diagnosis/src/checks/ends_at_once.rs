//! Connections are ended as soon as they are open.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, EARLY_S, described, ended_before_sending, is_early, seconds};
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "ends-at-once",
    doc: "
# Connections are ended as soon as they are open

The handshake is answered with 101, and the connection ends before the client has said anything. A server does that which
checks credentials, the Origin or the path only after the upgrade (1008 and codes from 4000 up), which fails when it takes the
connection over (1011), or which stands behind a proxy that answers the upgrade by itself and then finds no backend. No timer
is at work, and reconnecting changes nothing.
",
    cases: &[],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(end) = case.ended_at_once else { return Vec::new() };
    let fix = match end {
        Ending::Close { code, .. } if matches!(code.get(), 1008 | 4000..=4999) => {
            "See what the code and reason mean to the application: mostly credentials, an Origin or a path that it does not take."
        }
        Ending::Close { .. } => "See the log of the server at this time.",
        _ => {
            "See the logs of the server and of the proxy before it at this time; try the server directly (--direct URL)."
        }
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Confidence::High,
        format!("Connections are ended as soon as they are open: {}.", described(end)),
    )
    .at("the server, or a proxy before it")
    .refuted_by(
        "a connection that stays open with the credentials, origin and sub-protocol of the real client",
    )
    .fix(Fix::words(fix));
    if ended_before_sending(case.target).is_some() {
        finding = finding.evidence("one ended before anything was sent on it");
    }
    let opened = case.target.connections.iter().filter(|connection| connection.opened()).count();
    if opened > 0 {
        let early = case.target.connections.iter().filter(|connection| is_early(connection)).count();
        finding = finding
            .evidence(format!("{early} of {opened} that were watched ended within {}", seconds(EARLY_S)));
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use undrop_frame::CloseCode;

    use super::*;
    use crate::checks::sample::{connections, dropped, fires, healthy, silent, with};
    use crate::observations::MessageOutcome;

    fn told(end: &Ending, after_s: f64) -> crate::observations::Observations {
        with(|target| {
            target.connections.clear();
            let echo = target.echo.as_mut();
            echo.into_iter()
                .for_each(|echo| echo.result = MessageOutcome::Ended { end: end.clone(), after_s });
        })
    }

    #[test]
    fn a_server_that_hangs_up_before_anything_is_said() {
        let end = Ending::Close { code: CloseCode::new(1008), reason: "token".to_owned() };
        let found = fires(&CHECK, &told(&end, 0.0));
        assert!(found.cause.contains("close 1008, reason “token”"), "{}", found.cause);
        // After a message it is an answer to the message, which may just be none of its own.
        silent(&CHECK, &told(&end, 0.01));
        silent(&CHECK, &healthy());
    }

    #[test]
    fn no_cap_of_milliseconds() {
        let mut seen = healthy();
        seen.endpoints = vec![connections(|connection| dropped(connection, 0.002, Ending::Fin))];
        let report = crate::diagnose(&seen);
        let ids: Vec<&str> = report.findings.iter().map(|finding| finding.id.as_str()).collect();
        assert_eq!(ids, [CHECK.id]);
    }

    #[test]
    fn one_that_failed_to_stay_among_many_is_not_the_rule() {
        let mut seen = told(&Ending::Fin, 0.0);
        seen.endpoints[0].connections = healthy().endpoints.remove(0).connections;
        silent(&CHECK, &seen);
    }
}
