//! Facts that are derived from the observations once and shared by the checks: the products on the path, the connections that
//! ended together, the idle time that a connection survives.

mod ages;
mod attribution;
mod early;
mod ending;
mod http2;
mod plain;
mod products;
mod violation;

use std::time::Duration;

use undrop_frame::Ending;
use undrop_infra::{Chain, Hop};
use undrop_report::Measure;

use crate::observations::{Endpoint, Observations, Traffic, WatchedConnection};

pub(crate) use ages::Drops;
pub(crate) use attribution::{attribute, without_end_delay};
pub(crate) use early::{EARLY_S, ended_before_sending, is_early};
pub(crate) use ending::{close_code, described};
pub(crate) use http2::{Http2, offers_http11};
pub(crate) use products::{Product, products};
pub(crate) use violation::{Moment, Violation};

/// The target of a run with the facts derived from its observations.
pub(crate) struct Case<'a> {
    pub(crate) seen: &'a Observations,
    pub(crate) target: &'a Endpoint,
    /// The products on the path, the likeliest first.
    pub(crate) products: Vec<Product>,
    pub(crate) drops: Drops<'a>,
    /// The ending of most connections, if they end as soon as they are open.
    pub(crate) ended_at_once: Option<&'a Ending>,
    /// A violation of the WebSocket protocol by the server.
    pub(crate) violation: Option<Violation<'a>>,
    /// The server prefers HTTP/2 and does not carry WebSockets over it.
    pub(crate) http2: Option<Http2>,
    /// The server refused plain HTTP because its port speaks TLS.
    pub(crate) wants_tls: bool,
}

impl<'a> Case<'a> {
    /// Returns `None` if no endpoint was probed.
    pub(crate) fn new(seen: &'a Observations) -> Option<Case<'a>> {
        let target = seen.target()?;
        Some(Case {
            seen,
            target,
            products: products(target),
            drops: Drops::of(target),
            ended_at_once: early::ended_at_once(target),
            violation: Violation::of(target),
            http2: Http2::of(target),
            wants_tls: plain::wants_tls(target),
        })
    }

    /// Returns the watched connections of the target with this traffic, whether or not they were opened.
    pub(crate) fn traffic(&self, traffic: &Traffic) -> impl Iterator<Item = &'a WatchedConnection> {
        let traffic = traffic.clone();
        self.target.connections.iter().filter(move |connection| connection.traffic == traffic)
    }

    /// Returns whether a watched connection with this traffic was opened and stayed alive.
    pub(crate) fn lived(&self, traffic: &Traffic) -> bool {
        self.traffic(traffic).any(WatchedConnection::alive)
    }

    /// Returns a watched connection with this traffic that was opened and ended.
    pub(crate) fn ended(&self, traffic: &Traffic) -> Option<&'a WatchedConnection> {
        self.traffic(traffic).find(|connection| connection.end.is_some())
    }

    /// Returns the product with this id if it may be on the path.
    pub(crate) fn product(&self, id: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.entry.id == id)
    }

    /// Returns the start of the run in whole seconds since 1970.
    pub(crate) fn now_unix_s(&self) -> i64 {
        self.seen.started_unix_s as i64
    }
}

/// Returns median and spread of the samples, in seconds.
pub(crate) fn measure_s(samples: impl IntoIterator<Item = f64>) -> Option<Measure> {
    let samples: Vec<f64> = samples.into_iter().collect();
    Measure::of(&samples, "s")
}

/// Formats a time in seconds for the report.
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.01 => format!("{:.2} ms", s * 1e3),
        s if s < 0.1 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.1} s"),
    }
}

/// Returns which traffic keeps a connection alive and which does not, in at most two lines.
pub(crate) fn kept_and_lost(case: &Case<'_>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut lost = Vec::new();
    let patterns =
        [Traffic::TcpKeepalive, Traffic::Ping, Traffic::Pong, Traffic::Data, Traffic::OneWay, Traffic::Push];
    for traffic in patterns {
        let name = traffic.name();
        match (case.lived(&traffic), case.ended(&traffic)) {
            (true, _) => kept.push(name),
            (false, Some(connection)) => {
                let end = connection.end.as_ref().map(ToString::to_string).unwrap_or_default();
                lost.push(format!("{name} ({end} at {})", seconds(connection.age_s)));
            }
            (false, None) => {}
        }
    }
    let mut lines = Vec::new();
    if !kept.is_empty() {
        lines.push(format!("kept alive by: {}", kept.join(", ")));
    }
    if !lost.is_empty() {
        lines.push(format!("not kept alive by: {}", lost.join(", ")));
    }
    lines
}

/// Returns the interval of the server's own Pings, in seconds.
pub(crate) fn server_heartbeat(case: &Case<'_>) -> Option<f64> {
    let connections =
        case.target.connections.iter().filter(|connection| connection.server_pings_s.len() >= 2);
    let gaps: Vec<f64> = connections
        .flat_map(|connection| connection.server_pings_s.windows(2))
        .filter_map(|pair| Some(pair.get(1)? - pair.first()?))
        .collect();
    if let Some(gap) = Measure::of(&gaps, "s") {
        return Some(gap.value);
    }
    // The time of a single Ping is an upper estimate of the interval.
    let firsts =
        case.target.connections.iter().filter_map(|connection| connection.server_pings_s.first().copied());
    firsts.filter(|first| *first > 1.0).min_by(f64::total_cmp)
}

/// Returns a round interval that fits at least twice into an idle time, in seconds.
pub(crate) fn half_of(idle_s: f64) -> f64 {
    let Ok(idle) = Duration::try_from_secs_f64(idle_s) else { return idle_s / 2.0 };
    let mut chain = Chain::new();
    chain.push(Hop::named("measured").idle("idle", idle));
    chain.budget().heartbeat.map_or(idle_s / 2.0, |half| half.as_secs_f64())
}

/// Recommends a heartbeat that keeps a connection from being idle for `idle_s`.
pub(crate) fn heartbeat_below(case: &Case<'_>, idle_s: f64) -> String {
    let every = seconds(half_of(idle_s));
    let ways = [
        (Traffic::Ping, "Pings from the server (pages in browsers cannot send Pings)"),
        (Traffic::Data, "a small message from the client that the server replies to"),
        (Traffic::OneWay, "a small message from the client"),
        (Traffic::TcpKeepalive, "TCP keepalive at the server"),
    ];
    match ways.iter().find(|(traffic, _)| case.lived(traffic)) {
        Some((_, way)) => format!("Send a heartbeat every {every} or more often: {way}."),
        None if case.target.connections.is_empty() => {
            format!(
                "Send a heartbeat every {every} or more often, in both directions; the run did not test which frames count."
            )
        }
        None => format!(
            "Send a heartbeat every {every} or more often, in both directions; no traffic was seen to help in this run."
        ),
    }
}
