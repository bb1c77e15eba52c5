//! Tables of the stages, the recognised products and the timeout budget.

use std::time::Duration;

use undrop_infra::{Chain, ChainTimer, Hop, Origin};
use undrop_report::Table;
use undrop_text::duration;
use undrop_text::printable;

use crate::analysis::{Case, measure_s, seconds, server_heartbeat};
use crate::observations::{Endpoint, HttpOutcome, MessageOutcome, RequestVariant};

/// Returns the outcome of each stage.
pub(super) fn stages(case: &Case<'_>) -> Table {
    let mut table = Table::new("Stages", &["endpoint", "stage", "outcome"]);
    for endpoint in &case.seen.endpoints {
        for (stage, outcome) in rows(endpoint) {
            table.row([endpoint.role.name().to_owned(), stage.to_owned(), outcome]);
        }
    }
    table
}

fn rows(endpoint: &Endpoint) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(proxy) = &endpoint.proxy {
        rows.push(("forward proxy", proxy.clone()));
    }
    if let Some(dns) = &endpoint.dns {
        let addresses: Vec<String> = dns.addresses.iter().map(ToString::to_string).collect();
        rows.push((
            "DNS",
            dns.error
                .clone()
                .unwrap_or_else(|| format!("{} in {}", addresses.join(", "), seconds(dns.took_s))),
        ));
    }
    for connect in &endpoint.connects {
        let how = connect.failed.as_ref().map_or_else(|| "connected".to_owned(), ToString::to_string);
        rows.push(("TCP", format!("{}: {how} in {}", connect.address, seconds(connect.took_s))));
    }
    if let Some(tls) = &endpoint.tls {
        for trial in &tls.trials {
            let offer =
                trial.only.as_deref().map_or_else(|| trial.offered.join(", "), |only| format!("only {only}"));
            let outcome = match (&trial.failed, &trial.version) {
                (Some(fault), _) => fault.text.clone(),
                (None, version) => format!(
                    "{}, {}, ALPN {}",
                    version.as_deref().unwrap_or("?"),
                    trial.cipher.as_deref().unwrap_or("?"),
                    trial.alpn.as_deref().unwrap_or("none")
                ),
            };
            rows.push(("TLS", format!("offered {offer}: {outcome}")));
        }
        if let Some(leaf) = tls.chain.first() {
            let trusted = tls.distrust.as_ref().map_or("trusted", |fault| fault.text.as_str());
            rows.push(("certificate", format!("{} by {}: {trusted}", leaf.names.join(", "), leaf.issuer)));
        }
    }
    for attempt in &endpoint.attempts {
        rows.push((
            "handshake",
            format!(
                "{}: {} in {}",
                variant(&attempt.variant),
                outcome(&attempt.outcome),
                seconds(attempt.took_s)
            ),
        ));
    }
    if let Some(echo) = &endpoint.echo {
        rows.push(("message", result(&echo.result)));
    }
    if let Some(pings) = &endpoint.pings {
        let pong = measure_s(pings.pongs_s.iter().copied());
        let echo = measure_s(pings.echoes_s.iter().copied());
        let text =
            |measure: Option<undrop_report::Measure>| measure.map_or("none".to_owned(), |m| seconds(m.value));
        rows.push(("ping", format!("Pong after {}, reply to a message after {}", text(pong), text(echo))));
    }
    for one in endpoint.compression.iter().filter(|one| one.offered) {
        let agreed = if one.agreed.is_some() { "agreed" } else { "not agreed" };
        let kind = if one.compressible { "compressible" } else { "random" };
        rows.push(("compression", format!("{agreed}, {} bytes {kind}: {}", one.size, result(&one.result))));
    }
    if let Some(largest) = endpoint.sizes.iter().filter(|one| one.result.arrived()).map(|one| one.size).max()
    {
        let back = endpoint
            .sizes
            .iter()
            .any(|one| one.size == largest && matches!(one.result, MessageOutcome::Returned { .. }));
        let how = if back { "come back" } else { "are sent, and the connection stays open" };
        let bad = endpoint.sizes.iter().filter(|one| !one.result.arrived()).min_by_key(|one| one.size);
        let bad =
            bad.map_or_else(String::new, |one| format!("; {} bytes: {}", one.size, result(&one.result)));
        rows.push(("size", format!("{largest} bytes {how}{bad}")));
    }
    if let Some(close) = &endpoint.close {
        rows.push((
            "close",
            format!("Close 1000 was answered with {} after {}", close.end, seconds(close.took_s)),
        ));
    }
    rows
}

fn variant(variant: &RequestVariant) -> String {
    match variant {
        RequestVariant::AsRequested => "as requested".to_owned(),
        RequestVariant::SecondKey => "another key".to_owned(),
        RequestVariant::NoAlpn => "without ALPN".to_owned(),
        RequestVariant::ExtendedConnect => "extended CONNECT over HTTP/2".to_owned(),
        RequestVariant::Redirected(url) => format!("redirected to {url}"),
        RequestVariant::Origin(origin) => format!("Origin {origin}"),
        RequestVariant::NoProtocol => "without subprotocols".to_owned(),
        RequestVariant::Protocols(offered) => format!("subprotocols {}", offered.join(", ")),
        RequestVariant::Deflate => "permessage-deflate offered".to_owned(),
        RequestVariant::PlainGet => "plain GET".to_owned(),
        RequestVariant::Malformed => "malformed request".to_owned(),
        RequestVariant::ProxyItself => "malformed request to the forward proxy".to_owned(),
        RequestVariant::EngineIo => "Engine.IO polling".to_owned(),
    }
}

fn outcome(outcome: &HttpOutcome) -> String {
    match outcome {
        HttpOutcome::Response { status, flaws, .. } if flaws.is_empty() => status.to_string(),
        HttpOutcome::Response { status, flaws, .. } => {
            let flaws: Vec<String> = flaws.iter().map(ToString::to_string).collect();
            format!("{status}, but {}", flaws.join("; "))
        }
        HttpOutcome::NotHttp { fault, start } => format!("{fault} ({})", printable::bytes(start, 120)),
        HttpOutcome::Http2 { offered: false, .. } => "HTTP/2 without extended CONNECT".to_owned(),
        HttpOutcome::Http2 { status, .. } => {
            status.map_or_else(|| "HTTP/2, no response".to_owned(), |status| format!("HTTP/2 {status}"))
        }
        HttpOutcome::OtherProtocol(alpn) => format!("no HTTP/2 (ALPN {})", alpn.as_deref().unwrap_or("none")),
        HttpOutcome::Failed(end) => end.to_string(),
    }
}

fn result(result: &MessageOutcome) -> String {
    match result {
        MessageOutcome::Returned { rtt_s } => format!("returned after {}", seconds(*rtt_s)),
        MessageOutcome::Other { rtt_s, start } => {
            format!("another message after {}: {start}", seconds(*rtt_s))
        }
        MessageOutcome::Accepted { .. } => "accepted, no reply".to_owned(),
        MessageOutcome::Silent { waited_s, .. } => format!("nothing received for {}", seconds(*waited_s)),
        MessageOutcome::Ended { end, after_s } => format!("{end} after {}", seconds(*after_s)),
        MessageOutcome::NotOpened(end) => format!("not opened: {end}"),
    }
}

/// Returns the recognised products and their fingerprints.
pub(super) fn products(case: &Case<'_>) -> Table {
    let mut table = Table::new("Recognised on the path", &["product", "score", "by"]);
    for product in case.products.iter().filter(|product| product.is_seen()) {
        table.row([product.entry.name.clone(), product.score.to_string(), product.traits.join(", ")]);
    }
    table
}

/// Returns the timers on the path and the heartbeat that they require.
pub(super) fn budget(case: &Case<'_>) -> Table {
    let mut table = Table::new("Timeout budget", &["timer", "value", "source"]);
    let mut chain = Chain::new();
    let mut measured = Hop::named("measured");
    if let Some(idle) =
        measure_s(case.drops.idle_s()).and_then(|idle| Duration::try_from_secs_f64(idle.value).ok())
    {
        measured = measured.idle("idle timeout", idle);
    }
    if let Some(cap) =
        measure_s(case.drops.capped_s()).and_then(|cap| Duration::try_from_secs_f64(cap.value).ok())
    {
        measured = measured.lifetime("maximum connection age", cap);
    }
    chain.push(measured);
    // Defaults that a quiet connection outlived are configured to other values.
    let quiet = case
        .target
        .connections
        .iter()
        .filter(|connection| connection.traffic.is_quiet() && connection.alive());
    let survived = quiet.map(crate::observations::WatchedConnection::quiet_s).fold(0.0, f64::max);
    for product in case.products.iter().filter(|product| product.is_seen()) {
        chain.push(Hop::of(product.entry));
    }
    let mut budget = chain.budget();
    budget.idle.retain(|cap| cap.origin == Origin::Given || cap.value.as_secs_f64() > survived);
    for cap in budget.idle.iter().chain(&budget.lifetimes) {
        table.row([format!("{}, {}", cap.hop, cap.timer), duration::spell(round(cap.value)), source(cap)]);
    }
    if let Some(every) = server_heartbeat(case) {
        table.row(["Pings from the server".to_owned(), seconds(every), "measured".to_owned()]);
    }
    if survived > 0.0 {
        table.row(["longest idle time survived".to_owned(), seconds(survived), "measured".to_owned()]);
    }
    if let Some(shortest) = budget.idle.first() {
        let every = crate::analysis::half_of(shortest.value.as_secs_f64());
        let what = crate::analysis::heartbeat_below(case, shortest.value.as_secs_f64());
        table.row(["recommended heartbeat".to_owned(), format!("≤ {}", seconds(every)), what]);
    }
    table
}

fn round(value: Duration) -> Duration {
    Duration::from_millis((value.as_secs_f64() * 10.0).round() as u64 * 100)
}

fn source(cap: &ChainTimer) -> String {
    let what = match &cap.origin {
        Origin::Given => "measured".to_owned(),
        Origin::Default => "default; may be configured differently".to_owned(),
        Origin::Common(place) => format!("common in {place}"),
    };
    if cap.unsure { format!("{what}; not certain") } else { what }
}

/// Returns the limits of the report.
pub(super) fn notes(case: &Case<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if case.seen.interrupted {
        notes.push("The run was stopped early; later drops are unknown.".to_owned());
    }
    if case.target.incomplete {
        notes.push("The stages took too long; the remaining ones were skipped.".to_owned());
    }
    if super::is_late(case.seen) {
        notes.push(format!(
            "This machine was too busy for {} to notice replies, so late replies may be its own fault. Run again when it is idle.",
            seconds(case.seen.lag_s)
        ));
    }
    if !case.seen.plan.held_back.is_empty() {
        let what = case.seen.plan.held_back.join("; ");
        notes.push(format!("Skipped because the target is public (--i-own-this enables it): {what}."));
    }
    let longest_s = case.target.connections.iter().map(|connection| connection.age_s).fold(0.0, f64::max);
    if longest_s > 0.0 {
        // A stopped run watched for less time than planned.
        let watched_s = if case.seen.interrupted { longest_s } else { case.seen.plan.horizon_s };
        notes.push(format!(
            "The connections were watched for {}; longer timers need a longer --horizon.",
            seconds(watched_s)
        ));
    }
    notes
}
