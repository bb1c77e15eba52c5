//! What follows from the observations without naming anybody: which products are in the way, which lanes ended together,
//! how long a connection may be quiet. Pure; computed once and shared by the checks.

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

use crate::observations::{Arm, Endpoint, Life, Observations};

pub(crate) use ages::Drops;
pub(crate) use attribution::{attribute, without_lateness};
pub(crate) use early::{EARLY_S, ended_before_sending, is_early};
pub(crate) use ending::{close_code, described};
pub(crate) use http2::{Http2, offers_http11};
pub(crate) use products::{Product, products};
pub(crate) use violation::{Moment, Violation};

/// The target of a run, and what follows from its observations.
pub(crate) struct Case<'a> {
    pub(crate) seen: &'a Observations,
    pub(crate) target: &'a Endpoint,
    /// Products in the way, the likeliest first.
    pub(crate) products: Vec<Product>,
    pub(crate) drops: Drops<'a>,
    /// How most connections end as soon as they are open, if they do.
    pub(crate) ended_at_once: Option<&'a Ending>,
    /// A violation of the WebSocket protocol by the server.
    pub(crate) violation: Option<Violation<'a>>,
    /// The server prefers HTTP/2 and does not carry WebSockets over it.
    pub(crate) http2: Option<Http2>,
    /// The server refused plain HTTP because its port speaks TLS.
    pub(crate) wants_tls: bool,
}

impl<'a> Case<'a> {
    /// `None` when nothing was looked at.
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

    /// The watched connections of the target that did this, opened or not.
    pub(crate) fn arm(&self, arm: &Arm) -> impl Iterator<Item = &'a Life> {
        let arm = arm.clone();
        self.target.lives.iter().filter(move |life| life.arm == arm)
    }

    /// A watched connection of this sort was opened and lived on.
    pub(crate) fn lived(&self, arm: &Arm) -> bool {
        self.arm(arm).any(Life::alive)
    }

    /// A watched connection of this sort was opened and ended.
    pub(crate) fn died(&self, arm: &Arm) -> Option<&'a Life> {
        self.arm(arm).find(|life| life.end.is_some())
    }

    /// The product with this id is in the way.
    pub(crate) fn passes(&self, id: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.entry.id == id)
    }

    /// When the run began, in whole seconds since 1970.
    pub(crate) fn now_unix_s(&self) -> i64 {
        self.seen.started_unix_s as i64
    }
}

/// Median and spread in seconds.
pub(crate) fn measure_s(samples: impl IntoIterator<Item = f64>) -> Option<Measure> {
    let samples: Vec<f64> = samples.into_iter().collect();
    Measure::of(&samples, "s")
}

/// Seconds as the report writes them.
pub(crate) fn s(seconds: f64) -> String {
    match seconds {
        s if s < 0.01 => format!("{:.2} ms", s * 1e3),
        s if s < 0.1 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.1} s"),
    }
}

/// What became of the arms, one line each: what keeps the connection and what does not.
pub(crate) fn outcomes(case: &Case<'_>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut lost = Vec::new();
    let arms = [Arm::TcpKeepalive, Arm::Ping, Arm::Pong, Arm::Data, Arm::OneWay, Arm::Push];
    for arm in arms {
        let name = arm.name();
        match (case.lived(&arm), case.died(&arm)) {
            (true, _) => kept.push(name),
            (false, Some(life)) => {
                let end = life.end.as_ref().map(ToString::to_string).unwrap_or_default();
                lost.push(format!("{name} ({end} at {})", s(life.age_s)));
            }
            (false, None) => {}
        }
    }
    let mut lines = Vec::new();
    if !kept.is_empty() {
        lines.push(format!("kept alive by: {}", kept.join(", ")));
    }
    if !lost.is_empty() {
        lines.push(format!("not kept by: {}", lost.join(", ")));
    }
    lines
}

/// How often the server sends Pings by itself, seconds.
pub(crate) fn server_heartbeat(case: &Case<'_>) -> Option<f64> {
    let lives = case.target.lives.iter().filter(|life| life.server_pings_s.len() >= 2);
    let gaps: Vec<f64> = lives
        .flat_map(|life| life.server_pings_s.windows(2))
        .filter_map(|pair| Some(pair.get(1)? - pair.first()?))
        .collect();
    if let Some(gap) = Measure::of(&gaps, "s") {
        return Some(gap.value);
    }
    // A single Ping says at least that much.
    let firsts = case.target.lives.iter().filter_map(|life| life.server_pings_s.first().copied());
    firsts.filter(|first| *first > 1.0).min_by(f64::total_cmp)
}

/// An interval that fits at least twice into an idle time, seconds, as people write it.
pub(crate) fn half_of(idle_s: f64) -> f64 {
    let Ok(idle) = Duration::try_from_secs_f64(idle_s) else { return idle_s / 2.0 };
    let mut chain = Chain::new();
    chain.push(Hop::named("measured").idle("idle", idle));
    chain.budget().heartbeat.map_or(idle_s / 2.0, |half| half.as_secs_f64())
}

/// What to send, how often, from which side, so that a connection is never quiet for `idle_s`.
pub(crate) fn heartbeat_below(case: &Case<'_>, idle_s: f64) -> String {
    let every = s(half_of(idle_s));
    let ways = [
        (Arm::Ping, "Pings from the server (pages in browsers cannot send any)"),
        (Arm::Data, "a small message from the client that the server replies to"),
        (Arm::OneWay, "a small message from the client"),
        (Arm::TcpKeepalive, "TCP keepalive at the server"),
    ];
    match ways.iter().find(|(arm, _)| case.lived(arm)) {
        Some((_, way)) => format!("Send a heartbeat every {every} or more often: {way}."),
        None if case.target.lives.is_empty() => {
            format!(
                "Send a heartbeat every {every} or more often, in both directions; which frames count was not tried."
            )
        }
        None => format!(
            "Send a heartbeat every {every} or more often, in both directions; none was seen to help here."
        ),
    }
}
