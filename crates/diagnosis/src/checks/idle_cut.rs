//! Finds idle timeouts and their owners.

use undrop_infra::TimerKind;
use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{
    Case, Drops, attribute, close_code, described, heartbeat_below, kept_and_lost, measure_s, seconds,
    without_end_delay,
};
use crate::observations::Endpoint;
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "idle-cut",
    doc: "
# An idle timeout ends quiet connections

A proxy, a balancer or the server ends a connection after a time without data. Proxies send no Close frame, so browsers report
1006, and only the age shows the cause. The timeout is measured on several connections at the same time: one without traffic,
and those that are probed after an idle time longer than the timeout.

A product is named only if it was recognised in the responses and has such a timeout. The length alone proves nothing: 60 s is
the default of a dozen products. The other products with this timeout are listed as candidates.

There are two remedies, best combined: raise the timeout, and send a heartbeat at least twice per timeout. If browsers connect,
send it from the server (pages cannot send Pings, and the timers of hidden tabs run once a minute).
",
    cases: &[1, 2, 6, 7, 8, 13, 14, 16, 17, 18, 20, 23, 28, 29],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let idle = &case.drops.idle;
    let Some(seen) = measure_s(case.drops.idle_s()) else { return Vec::new() };
    let ends: Vec<Ending> = idle.iter().filter_map(|connection| connection.end.clone()).collect();
    let same = |other: &Endpoint| same_silence(other, seen.value);
    let found = attribute(case, &seen, TimerKind::Idle, &ends, same);
    let (value, late) = without_end_delay(&seen, found.late);
    let framed = ends.iter().any(|end| close_code(end).is_some());
    let place = match (&found.culprit, &found.between) {
        (None, None) if framed => " of the server, or of a gateway that terminates WebSockets,".to_owned(),
        _ => found.place(),
    };
    let cause = format!("An idle timeout of {}{place} ends quiet connections.", seconds(value.value));
    let mut finding = Finding::new(CHECK.id, Severity::Error, Confidence::High, cause).value(value.clone());
    if let Some(first) = idle.first() {
        let end = first.end.as_ref().map_or_else(String::new, described);
        finding = finding.evidence(format!(
            "{} of {} quiet connections ended with {end} after {} without data",
            idle.len(),
            quiet_long_enough(case, seen.value),
            seconds(seen.value)
        ));
    }
    for line in kept_and_lost(case) {
        finding = finding.evidence(line);
    }
    if let Some(late) = late {
        finding = finding.evidence(late);
    }
    finding = finding
        .refuted_by(format!("a quiet connection that lives longer than {}", seconds(seen.value * 1.5)));
    if found.culprit.is_some() && found.between.is_none() {
        finding = finding.refuted_by(
            "a connection that bypasses this product (--direct URL) and ends after the same idle time",
        );
    }
    let mut finding = found.complete(finding);
    finding.fixes.push(Fix::words(heartbeat_below(case, value.value)));
    vec![finding]
}

/// Returns the number of quiet connections that were watched for longer than the timeout.
fn quiet_long_enough(case: &Case<'_>, value_s: f64) -> usize {
    let met = |connection: &&crate::observations::WatchedConnection| {
        connection.traffic.is_quiet() && connection.opened() && connection.age_s >= value_s * 0.97
    };
    case.target.connections.iter().filter(met).count()
}

/// Returns whether another endpoint ends quiet connections after the same idle time, `None` if it was not watched that long.
fn same_silence(other: &Endpoint, value_s: f64) -> Option<bool> {
    let drops = Drops::of(other);
    if let Some(found) = measure_s(drops.idle_s()) {
        return Some((found.value - value_s).abs() <= (value_s * 0.03).max(1.2));
    }
    let outlived = other.connections.iter().any(|connection| {
        connection.traffic.is_quiet() && connection.alive() && connection.quiet_s() > value_s * 1.05
    });
    outlived.then_some(false)
}

#[cfg(test)]
mod tests {
    use undrop_frame::CloseCode;

    use super::*;
    use crate::checks::sample::{attempt, connections, dropped, fires, healthy, http, silent, switched};
    use crate::observations::{EndpointRole, Observations, RequestVariant};

    /// Quiet connections end after so many seconds behind a server that answers with these fields.
    fn cut(after_s: f64, end: &Ending, headers: &[(&str, &str)]) -> Observations {
        let mut seen = healthy();
        let quiet = |connection: crate::observations::WatchedConnection| {
            if connection.traffic.is_quiet() { dropped(connection, after_s, end.clone()) } else { connection }
        };
        seen.endpoints = vec![connections(quiet)];
        seen.endpoints[0].attempts = vec![attempt(RequestVariant::AsRequested, switched(headers))];
        seen
    }

    #[test]
    fn a_default_of_a_product_that_was_seen() {
        let found = fires(&CHECK, &cut(60.02, &Ending::Fin, &[("Server", "nginx/1.22.1")]));
        assert_eq!(found.hop.as_deref(), Some("nginx (proxy_pass), proxy_read_timeout"));
        assert_eq!(found.confidence, Confidence::High);
        assert_eq!(found.cause, "An idle timeout of 60.0 s on nginx (proxy_pass) ends quiet connections.");
        assert!(
            found.fixes[0].text.contains("proxy_read_timeout") && found.preset.as_deref() == Some("nginx")
        );
        assert!(
            found.candidates.iter().any(|other| other.contains("Application Load Balancer")),
            "{found:#?}"
        );
    }

    #[test]
    fn another_value_of_a_product_that_was_seen_is_less_sure() {
        let found = fires(&CHECK, &cut(47.0, &Ending::Fin, &[("Server", "nginx")]));
        assert_eq!(found.hop.as_deref(), Some("nginx (proxy_pass), proxy_read_timeout"));
        assert_eq!(found.confidence, Confidence::Medium);
    }

    #[test]
    fn nobody_is_named_without_a_trace() {
        let found = fires(&CHECK, &cut(60.0, &Ending::Fin, &[]));
        assert_eq!(found.hop, None);
        assert_eq!(
            found.cause,
            "An idle timeout of 60.0 s somewhere between you and the origin ends quiet connections."
        );
        assert!(found.candidates.len() >= 3, "{:?}", found.candidates);
        let found = fires(&CHECK, &cut(37.0, &Ending::Fin, &[]));
        assert_eq!((found.hop, found.candidates), (None, vec!["no known timer has this length".to_owned()]));
    }

    #[test]
    fn a_close_frame_is_no_proxy() {
        let end = Ending::Close { code: CloseCode::new(4000), reason: "idle".to_owned() };
        let found = fires(&CHECK, &cut(60.0, &end, &[("Server", "nginx")]));
        assert_eq!(found.hop, None);
        assert!(found.cause.contains("of the server, or of a gateway"), "{}", found.cause);
    }

    #[test]
    fn a_way_in_behind_it_shows_on_which_side_it_is() {
        let mut seen = cut(60.0, &Ending::Fin, &[]);
        let mut direct = healthy().endpoints.remove(0);
        direct.role = EndpointRole::Direct;
        seen.endpoints.push(direct);
        let found = fires(&CHECK, &seen);
        assert_eq!(found.hop.as_deref(), Some("between you and the origin"));
        let mut via = cut(60.0, &Ending::Fin, &[]).endpoints.remove(0);
        via.role = EndpointRole::Via("balancer".to_owned());
        seen.endpoints.insert(1, via);
        assert_eq!(fires(&CHECK, &seen).hop.as_deref(), Some("balancer (in front of the origin)"));
    }

    #[test]
    fn a_product_before_the_entry_that_shows_the_same_is_acquitted() {
        let bad_request =
            http(400, &[], "<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.");
        let mut seen = cut(60.0, &Ending::Fin, &[("Server", "nginx")]);
        seen.endpoints[0].attempts.push(attempt(RequestVariant::Malformed, bad_request));
        let mut via = cut(60.0, &Ending::Fin, &[("Server", "nginx")]).endpoints.remove(0);
        via.role = EndpointRole::Via("nginx".to_owned());
        seen.endpoints.push(via);
        let mut alone = seen.clone();
        alone.endpoints.truncate(1);
        let both = fires(&CHECK, &alone);
        assert!(
            both.confidence == Confidence::Medium && both.candidates[0].contains("on the path as well"),
            "{both:#?}"
        );
        // HAProxy scores higher, but is not in the way of the second entry.
        let hop = fires(&CHECK, &seen).hop.unwrap_or_default();
        assert!(hop.starts_with("nginx (proxy_pass)"), "{hop}");
        // And where nginx is reached and nothing ends, it is HAProxy.
        let mut seen = cut(60.0, &Ending::Fin, &[("Server", "nginx")]);
        let bad_request =
            http(400, &[], "<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.");
        seen.endpoints[0].attempts.push(attempt(RequestVariant::Malformed, bad_request));
        let mut via = healthy().endpoints.remove(0);
        via.role = EndpointRole::Via("nginx".to_owned());
        via.attempts = vec![attempt(RequestVariant::AsRequested, switched(&[("Server", "nginx")]))];
        seen.endpoints.push(via);
        let hop = fires(&CHECK, &seen).hop.unwrap_or_default();
        assert!(hop.starts_with("HAProxy"), "{hop}");
    }

    #[test]
    fn a_healthy_endpoint_is_left_alone() {
        silent(&CHECK, &healthy());
    }
}
