//! Finds connections that end at the same moment.

use undrop_infra::{Occasion, TimerKind, presets};
use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, Product, close_code, described, seconds};
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "all-at-once",
    doc: "
# Connections end at the same moment, whatever their age

Connections of different ages, idle and busy, ended together: a configuration was reloaded, or a program was deployed,
restarted or drained. A timer would end each connection at its own time. With 1001, a server or proxy announced its end (Caddy
does so at each reload). A FIN without a Close frame comes from a worker whose grace period ended (nginx
`worker_shutdown_timeout`; ingress-nginx 240 s after a change), or from a program that was stopped without a drain.

One moment is a single observation: watch longer (`--horizon 15m`) to see whether it happens again.
",
    cases: &[15, 21, 25, 26, 27],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(aligned) = &case.drops.aligned else { return Vec::new() };
    let ends: Vec<&Ending> =
        aligned.connections.iter().filter_map(|connection| connection.end.as_ref()).collect();
    let polite = ends.iter().all(|end| matches!(close_code(end), Some(1001 | 1012)));
    let ages = aligned.connections.iter().map(|connection| connection.age_s);
    let (youngest, oldest) = ages.fold((f64::MAX, f64::MIN), |(a, b), age| (a.min(age), b.max(age)));
    let product =
        case.products.iter().filter(|product| product.is_seen()).find(|product| ends_so(product, &ends));
    let who = product.map_or("a proxy or the server", |product| product.entry.name.as_str());
    let what = if polite {
        "reloaded, restarted or drained, and announced it"
    } else {
        "reloaded, restarted or stopped"
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        if product.is_some() { Confidence::Medium } else { Confidence::Low },
        format!(
            "{} connections of different ages ended at the same moment: {who} was {what}.",
            aligned.connections.len()
        ),
    )
    .evidence(format!(
        "{} after the start of the run, at ages from {} to {}",
        seconds(aligned.at_s),
        seconds(youngest),
        seconds(oldest)
    ));
    if let Some(end) = ends.first() {
        finding = finding.evidence(format!("they ended with {}", described(end)));
    }
    let busy = aligned.connections.iter().filter(|connection| connection.traffic.is_busy()).count();
    finding = finding
        .evidence(format!("{busy} of them were busy, so an idle timeout is not the cause"))
        .refuted_by("logs of the proxies and the server without a reload, restart or deployment at that time")
        .candidate("a short interruption of this machine's network")
        .candidate("a deployment of the application without a Close 1001")
        .fix(Fix::words(
            "Before a stop, send Close 1001 to the clients over several seconds; give old workers more time than clients need to move; \
             let clients reconnect with full jitter.",
        ));
    if let Some(product) = product {
        finding = finding.at(product.entry.name.clone());
        for closing in product.entry.closings_on(Occasion::Reload) {
            if let Some(note) = &closing.note {
                finding = finding.evidence(format!("{}: {note}", product.entry.name));
            }
        }
        for timer in product.entry.timers_of(TimerKind::Drain) {
            for known in product.entry.fixes_of(&timer.name) {
                finding = finding.fix(known.into());
            }
        }
        finding.preset = reload_preset(product).or_else(|| product.entry.first_preset().map(str::to_owned));
    }
    vec![finding]
}

/// Returns whether the product ends connections like this at a reload, at the end of its grace period, or when it stops.
fn ends_so(product: &Product, ends: &[&Ending]) -> bool {
    use undrop_infra::ClosingManner;
    let occasions = [Occasion::Reload, Occasion::Drained, Occasion::Stop];
    let closings = occasions.into_iter().flat_map(|when| product.entry.closings_on(when));
    // A few may end differently, because the end of a connection can overtake a Close frame in flight.
    let most = |fits: &dyn Fn(Option<u16>) -> bool| {
        let fitting = ends.iter().filter(|end| fits(close_code(end))).count();
        fitting * 2 > ends.len()
    };
    closings.into_iter().any(|closing| match closing.how {
        ClosingManner::CloseFrame => {
            most(&|code| code.is_some_and(|seen| closing.code.is_none_or(|known| known == seen)))
                || ends.iter().any(|end| close_code(end).is_some() && close_code(end) == closing.code)
        }
        ClosingManner::Fin | ClosingManner::Rst | ClosingManner::Ends => most(&|code| code.is_none()),
        _ => false,
    })
}

/// Returns the name of the preset that simulates a reload or deployment of this product.
fn reload_preset(product: &Product) -> Option<String> {
    let named = [format!("{}-reload", product.entry.id), format!("{}-deploy", product.entry.id)];
    presets().map(|preset| preset.name.clone()).find(|name| named.contains(name))
}

#[cfg(test)]
mod tests {
    use undrop_frame::CloseCode;

    use super::*;
    use crate::checks::sample::{attempt, connections, dropped, fires, healthy, silent, switched};
    use crate::observations::{Observations, RequestVariant};

    fn at_once(end: &Ending, server: &str) -> Observations {
        let mut seen = healthy();
        let together = |connection: crate::observations::WatchedConnection| {
            let age = 40.0 - connection.at_s;
            dropped(connection, age, end.clone())
        };
        seen.endpoints = vec![connections(together)];
        seen.endpoints[0].attempts =
            vec![attempt(RequestVariant::AsRequested, switched(&[("Server", server)]))];
        seen
    }

    #[test]
    fn caddy_says_goodbye_and_nginx_does_not() {
        let goodbye = Ending::Close { code: CloseCode::new(1001), reason: String::new() };
        let found = fires(&CHECK, &at_once(&goodbye, "Caddy"));
        assert!(found.hop.is_some_and(|hop| hop.contains("Caddy")) && found.cause.contains("announced it"));
        let found = fires(&CHECK, &at_once(&Ending::Fin, "nginx"));
        assert!(found.hop.is_some_and(|hop| hop.contains("nginx")));
        assert_eq!(found.preset.as_deref(), Some("nginx-reload"));
    }

    #[test]
    fn an_equal_age_is_no_equal_moment() {
        let mut seen = healthy();
        silent(&CHECK, &seen);
        seen.endpoints = vec![connections(|connection| dropped(connection, 30.0, Ending::Fin))];
        silent(&CHECK, &seen);
    }
}
