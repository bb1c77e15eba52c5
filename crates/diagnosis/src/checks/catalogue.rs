//! The catalogue of causes: for each, what is seen from outside, and what the report has to say first.
#![allow(clippy::unwrap_used)]

use super::CHECKS;
use super::sample::{alive, attempt, healthy, http, refused, switched};
use crate::diagnose;
use crate::observations::{
    AliveProbe, Endpoint, HttpOutcome, Observations, RequestVariant, Traffic, UpgradeFlaw, WatchedConnection,
};
use undrop_frame::{CloseCode, Ending, HeadFault};

/// Quiet connections end after so long, busy ones live; the server answers with these fields.
fn idle(after_s: f64, host: &str, headers: &[(&str, &str)]) -> Observations {
    watched(host, headers, |traffic, at_s| match traffic.is_quiet() {
        true => ended(traffic, at_s, after_s, Ending::Fin),
        false => alive(traffic, at_s, after_s * 2.0),
    })
}

/// All connections end at this age.
fn capped(age_s: f64, host: &str, headers: &[(&str, &str)]) -> Observations {
    watched(host, headers, |traffic, at_s| ended(traffic, at_s, age_s, Ending::Fin))
}

/// All connections end at the same moment.
fn together(end: &Ending, headers: &[(&str, &str)]) -> Observations {
    watched("example.com", headers, |traffic, at_s| ended(traffic, at_s, 60.0 - at_s, end.clone()))
}

/// Probes after a longer idle time than this get no reply.
fn silent(after_s: f64, end: &Ending) -> Observations {
    let mut seen = watched("example.com", &[], |traffic, at_s| alive(traffic, at_s, after_s * 2.0));
    for part in [0.9, 0.97, 1.03, 1.2] {
        let quiet_s = after_s * part;
        let mut connection = alive(Traffic::IdleProbe { quiet_s }, 1.0, quiet_s);
        if part > 1.0 {
            connection.probe = Some(AliveProbe { sent_s: quiet_s, reply_after_s: None, acked: None });
            connection.end = Some(end.clone());
        }
        seen.endpoints[0].connections.push(connection);
    }
    seen
}

fn watched(
    host: &str,
    headers: &[(&str, &str)],
    connection: impl Fn(Traffic, f64) -> WatchedConnection,
) -> Observations {
    let mut seen = healthy();
    let target = &mut seen.endpoints[0];
    target.host = host.to_owned();
    target.attempts = vec![attempt(RequestVariant::AsRequested, switched(headers))];
    target.connections = [Traffic::Silent, Traffic::TcpKeepalive, Traffic::Ping, Traffic::Data]
        .map(|traffic| connection(traffic, 1.0))
        .into();
    target.connections.extend([5.0, 12.0, 25.0].map(|at_s| connection(Traffic::Staggered, at_s)));
    seen
}

fn ended(traffic: Traffic, at_s: f64, age_s: f64, end: Ending) -> WatchedConnection {
    let last_byte_s = if traffic.is_busy() { age_s - 1.0 } else { 0.0 };
    WatchedConnection { end: Some(end), last_byte_s, probe: None, ..alive(traffic, at_s, age_s) }
}

fn changed(change: impl FnOnce(&mut Endpoint)) -> Observations {
    super::sample::with(change)
}

/// The number of the cause, the observations, the check that has to come first, and a part of its location.
fn cases() -> Vec<(u8, Observations, &'static str, &'static str)> {
    let goodbye = Ending::Close { code: CloseCode::new(1001), reason: String::new() };
    let plain = |status: u16, headers: &[(&str, &str)], body: &str| {
        let mut seen = refused(http(status, headers, body));
        seen.endpoints[0].attempts.push(attempt(RequestVariant::PlainGet, http(status, headers, body)));
        seen
    };
    let flawed = |flaws: Vec<UpgradeFlaw>| {
        refused(HttpOutcome::Response { status: 101, headers: Vec::new(), body: String::new(), flaws })
    };
    vec![
        (1, idle(60.0, "example.com", &[("Server", "nginx")]), "idle-cut", "nginx"),
        (
            2,
            idle(60.0, "example.com", &[("Server", "awselb/2.0")]),
            "idle-cut",
            "AWS Application Load Balancer",
        ),
        (4, silent(350.0, &Ending::Reset), "silent-drop", ""),
        (5, silent(240.0, &Ending::BlackHole), "silent-drop", ""),
        (
            6,
            idle(20.0, "example.com", &[("Server", "Microsoft-Azure-Application-Gateway/v2")]),
            "idle-cut",
            "Application Gateway",
        ),
        (7, idle(230.0, "shop.azurewebsites.net", &[]), "idle-cut", "App Service"),
        (
            8,
            capped(14_400.0, "example.com", &[("x-azure-ref", "2026"), ("x-cache", "CONFIG_NOCACHE")]),
            "lifetime-cap",
            "Front Door",
        ),
        (9, capped(30.0, "example.com", &[("Via", "1.1 google")]), "lifetime-cap", "timeoutSec"),
        (
            12,
            capped(300.0, "app-x2.a.run.app", &[("Server", "Google Frontend")]),
            "lifetime-cap",
            "Cloud Run",
        ),
        (13, idle(55.0, "example.com", &[("Via", "1.1 vegur")]), "idle-cut", "Heroku"),
        (
            14,
            idle(100.0, "example.com", &[("Server", "cloudflare"), ("CF-RAY", "8f-FRA")]),
            "idle-cut",
            "Cloudflare",
        ),
        (15, together(&goodbye, &[("Server", "cloudflare"), ("CF-RAY", "8f-FRA")]), "all-at-once", ""),
        (
            16,
            capped(7_200.0, "abc.execute-api.eu-central-1.amazonaws.com", &[]),
            "lifetime-cap",
            "API Gateway",
        ),
        (19, capped(15.0, "example.com", &[("server", "envoy")]), "lifetime-cap", "Envoy"),
        (20, idle(300.0, "example.com", &[("server", "envoy")]), "idle-cut", "Envoy"),
        (25, together(&goodbye, &[("Server", "Caddy")]), "all-at-once", "Caddy"),
        (26, together(&Ending::Fin, &[("Server", "nginx")]), "all-at-once", "nginx"),
        (27, together(&Ending::Fin, &[]), "all-at-once", ""),
        (28, idle(60.0, "example.com", &[("Server", "Apache/2.4.71")]), "idle-cut", "Apache"),
        (
            29,
            idle(60.0, "example.com", &[("Via", "kong/3.9"), ("X-Kong-Request-Id", "3b")]),
            "idle-cut",
            "Kong",
        ),
        (30, silent(900.0, &Ending::BlackHole), "silent-drop", ""),
        (31, plain(426, &[("Server", "nginx")], "Upgrade Required"), "upgrade-stripped", "nginx"),
        (32, flawed(vec![UpgradeFlaw::Upgrade]), "bad-switch", "a proxy that removes"),
        (34, refused(http(301, &[("Location", "/chat/")], "")), "redirected", ""),
        (
            35,
            refused(http(200, &[("Content-Type", "text/html")], "<!doctype html>")),
            "answers-plain-page",
            "",
        ),
        (38, flawed(vec![UpgradeFlaw::Accept("x".to_owned())]), "accept-mismatch", ""),
        (
            45,
            refused(HttpOutcome::NotHttp { fault: HeadFault::Truncated, start: b"<html>".to_vec() }),
            "not-http",
            "",
        ),
        (
            54,
            changed(|target| {
                target
                    .connections
                    .iter_mut()
                    .filter(|connection| connection.traffic == Traffic::Data)
                    .for_each(|connection| connection.stalled_s = Some(40.0))
            }),
            "one-way-loss",
            "",
        ),
    ]
}

#[test]
fn each_case_is_the_first_finding_of_its_report() {
    for (case, seen, id, hop) in cases() {
        let report = diagnose(&seen);
        let first = report.findings.first();
        let first = first.unwrap_or_else(|| panic!("case {case}: nothing was found: {}", report.verdict));
        assert_eq!(first.id, id, "case {case}: {:#?}", report.findings);
        let place = first.hop.as_deref().unwrap_or_default();
        assert!(place.contains(hop), "case {case}: {place} is not {hop}: {first:#?}");
        let check = CHECKS.iter().find(|check| check.id == id).unwrap();
        assert!(check.cases.contains(&case), "case {case} is not listed by {id}");
    }
}

#[test]
fn a_length_alone_accuses_nobody() {
    for after_s in [20.0, 30.0, 55.0, 60.0, 100.0, 137.0, 230.0, 300.0, 350.0, 600.0] {
        let report = diagnose(&idle(after_s, "example.com", &[]));
        let first = report.findings.first().unwrap();
        assert_eq!((first.id.as_str(), first.hop.as_deref()), ("idle-cut", None), "{after_s}: {first:#?}");
        assert!(first.cause.contains("somewhere between you and the origin"), "{}", first.cause);
    }
}
