//! Finds Socket.IO behind a balancer without session affinity.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::{HttpOutcome, RequestVariant};

pub(super) const CHECK: Check = Check {
    id: "sticky-sessions",
    doc: "
# Socket.IO requires that each client stays with one server

Socket.IO starts with HTTP requests that refer to a session, and upgrades later. Behind a balancer without session affinity,
the second request reaches a server that does not know the session: 400 “Session ID unknown”, in a loop.

The check sends two requests. Responses from different servers without an affinity cookie are the evidence.
",
    cases: &[52],
    evaluate,
};

const AFFINITY: [&str; 8] =
    ["awsalb", "arraffinity", "sticky", "route", "serverid", "ingresscookie", "io", "jsessionid"];

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let polls: Vec<&HttpOutcome> = case
        .target
        .attempts
        .iter()
        .filter(|attempt| attempt.variant == RequestVariant::EngineIo)
        .map(|attempt| &attempt.outcome)
        .collect();
    let unknown = polls
        .iter()
        .chain(case.target.handshake().iter())
        .any(|outcome| outcome.body().contains("Session ID unknown"));
    let opened: Vec<&&HttpOutcome> = polls.iter().filter(|outcome| outcome.status() == Some(200)).collect();
    let bound = opened.iter().any(|outcome| {
        let cookie = outcome.header("Set-Cookie").unwrap_or_default().to_lowercase();
        AFFINITY.iter().any(|name| cookie.starts_with(name))
    });
    let servers = |name: &str| {
        let mut seen: Vec<&str> = opened.iter().filter_map(|outcome| outcome.header(name)).collect();
        seen.dedup();
        seen.len()
    };
    let several = ["X-Served-By", "X-Backend", "X-Upstream", "X-Server", "X-Backend-Server"]
        .into_iter()
        .find(|name| servers(name) > 1);
    let (confidence, sign) = match (unknown, several) {
        (true, _) => (Confidence::High, "a response says “Session ID unknown”".to_owned()),
        (false, Some(field)) if !bound => (
            Confidence::Medium,
            format!("two requests reached different servers ({field}), and no cookie binds a client to one"),
        ),
        _ => return Vec::new(),
    };
    vec![
        Finding::new(
            CHECK.id,
            Severity::Error,
            confidence,
            "The requests of Socket.IO reach different servers, and a server does not know the sessions of another.",
        )
        .at("the balancer in front of the servers")
        .evidence(sign)
        .refuted_by("a single server behind the balancer")
        .candidate("a server that restarted between two requests")
        .fix(Fix::words("Enable cookie-based session affinity in the balancer, or disable polling: transports: [\"websocket\"].")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{attempt, fires, healthy, http, silent, with};

    #[test]
    fn two_servers_without_a_cookie_are_the_sign() {
        let polled = |first: HttpOutcome, second: HttpOutcome| {
            with(|target| {
                target.attempts.push(attempt(RequestVariant::EngineIo, first));
                target.attempts.push(attempt(RequestVariant::EngineIo, second));
            })
        };
        let from = |server: &str| http(200, &[("X-Served-By", server)], "0{\"sid\":\"x\"}");
        assert_eq!(fires(&CHECK, &polled(from("a"), from("b"))).confidence, Confidence::Medium);
        silent(&CHECK, &polled(from("a"), from("a")));
        let unknown = http(400, &[], "{\"code\":1,\"message\":\"Session ID unknown\"}");
        assert_eq!(fires(&CHECK, &polled(from("a"), unknown)).confidence, Confidence::High);
        silent(&CHECK, &healthy());
    }
}
