//! Finds connections that end as soon as they are open.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, EARLY_S, described, ended_before_sending, is_early, seconds};
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "ends-at-once",
    doc: "
# Connections end as soon as they are open

The response to the handshake is 101, and the connection ends before the client has sent anything. The server checks
credentials, the origin or the path only after the upgrade (1008 and codes from 4000 on), fails when it takes over the
connection (1011), or is behind a proxy that responds to the upgrade itself and then finds no backend. No timer is involved,
and reconnecting does not help.
",
    cases: &[],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(end) = case.ended_at_once else { return Vec::new() };
    let fix = match end {
        Ending::Close { code, .. } if matches!(code.get(), 1008 | 4000..=4999) => {
            "Find out what the code and reason mean in the application: usually credentials, an origin or a path that it does not accept."
        }
        Ending::Close { .. } => "Read the log of the server for this time.",
        _ => {
            "Read the logs of the server and of the proxy in front of it for this time, and try the server directly (--direct URL)."
        }
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Confidence::High,
        format!("Connections end as soon as they are open: {}.", described(end)),
    )
    .at("the server, or a proxy in front of it")
    .refuted_by(
        "a connection with the credentials, origin and subprotocol of the real client that stays open",
    )
    .fix(Fix::words(fix));
    if ended_before_sending(case.target).is_some() {
        finding = finding.evidence("a connection ended before anything was sent on it");
    }
    let opened = case.target.connections.iter().filter(|connection| connection.opened()).count();
    if opened > 0 {
        let early = case.target.connections.iter().filter(|connection| is_early(connection)).count();
        finding = finding
            .evidence(format!("{early} of {opened} watched connections ended within {}", seconds(EARLY_S)));
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use undrop_frame::CloseCode;

    use super::*;
    use crate::checks::sample::{connections, dropped, fires, healthy, silent, with};
    use crate::observations::MessageOutcome;

    fn text(end: &Ending, after_s: f64) -> crate::observations::Observations {
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
        let found = fires(&CHECK, &text(&end, 0.0));
        assert!(found.cause.contains("close 1008, reason “token”"), "{}", found.cause);
        // If a message came first, the close may be the server's reaction to an unknown message.
        silent(&CHECK, &text(&end, 0.01));
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
        let mut seen = text(&Ending::Fin, 0.0);
        seen.endpoints[0].connections = healthy().endpoints.remove(0).connections;
        silent(&CHECK, &seen);
    }
}
