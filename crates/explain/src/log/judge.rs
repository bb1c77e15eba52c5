//! What follows from the sessions of one group.

use std::time::Duration;

use undrop_infra::{Intermediary, TimerKind, TimerMatch, find, timers_matching};
use undrop_report::{Confidence, Finding, Fix, Measure, Severity};
use undrop_text::duration;

use super::clusters::Cluster;
use super::group::Group;
use super::known::{Who, how_to_log, libraries, who};
use super::moments::Crowd;
use super::number::written;

/// How far an age may be from a known timer, as a part of it.
const TOLERANCE: f64 = 0.012;

/// Candidates that are listed, at most.
const LISTED: usize = 6;

/// Sessions that were opened together end together within so many seconds.
const SHORT_S: i64 = 3;

/// What kind of timer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Idle,
    Age,
    Either,
}

/// Everything that can be said of a cluster before it is put into words.
struct Case<'a> {
    group: &'a Group,
    cluster: &'a Cluster,
    /// All sessions of the group with an age.
    total: u64,
    who: Who,
    /// The ending that most of them have, and how many.
    ending: Option<(String, u64)>,
    quiet: u64,
    busy: u64,
    kind: Kind,
}

/// The verdict on sessions that share an age.
pub(super) fn cluster(group: &Group, cluster: &Cluster, crowds: &[Crowd], total: u64) -> Finding {
    let case = Case::new(group, cluster, total);
    let near = case.near();
    let own = group.product.and_then(|product| find(product).ok());
    let culprit = case.culprit(own, &near);
    let (id, mut confidence) = match (case.kind, case.who) {
        (Kind::Idle, Who::OwnIdle) => ("idle-cut", Confidence::High),
        (Kind::Age, Who::OwnAge) => ("lifetime-cap", Confidence::High),
        (Kind::Idle, _) => ("idle-cut", Confidence::Medium),
        (Kind::Age, _) => ("lifetime-cap", Confidence::Medium),
        (Kind::Either, _) => ("equal-ages", Confidence::Medium),
    };
    let part = cluster.count as f64 / total.max(1) as f64;
    let severity = if part >= 0.05 { Severity::Error } else { Severity::Warning };
    let mut cause = format!(
        "{} of {} sessions ended at {:.1} s ± {}: {}",
        grouped(cluster.count),
        grouped(total),
        cluster.value_s,
        spread(case.spread_s()),
        case.timer(),
    );
    if let Some(near) = culprit {
        let value = if near.place.is_none() {
            "its default".to_owned()
        } else {
            near.place.unwrap_or_default().to_owned()
        };
        cause.push_str(&format!(" ({} {}, {value})", near.entry.name, near.timer.name));
    } else {
        cause.push_str(&case.side());
    }
    cause.push('.');
    let mut finding = Finding::new(id, severity, confidence, cause).value(Measure {
        value: cluster.value_s,
        spread: case.spread_s(),
        unit: "s".to_owned(),
        samples: u32::try_from(cluster.count).unwrap_or(u32::MAX),
    });
    for text in case.evidence() {
        finding = finding.evidence(text);
    }
    if let Some(crowd) = one_moment(cluster, crowds) {
        if !matches!(case.who, Who::OwnIdle | Who::OwnAge) {
            confidence = Confidence::Low;
        }
        let at = written(crowd.at_s + group.offset_s);
        finding = finding
            .evidence(format!("most of them ended together at {at}: they had also been opened together"));
        finding = finding.candidate("a restart at that moment, as all were opened at the same time");
    }
    if let Some(near) = culprit {
        finding = finding.at(format!("{}, {}", near.entry.name, near.timer.name));
        if near.timer.is_unsure() {
            confidence = Confidence::Low;
        }
        for fix in near.entry.fixes_of(&near.timer.name) {
            finding = finding.fix(fix.into());
        }
        if let Some(preset) = near.entry.first_preset() {
            finding = finding.preset(preset);
        }
    } else if let (Some(entry), Who::OwnIdle | Who::OwnAge) = (own, case.who) {
        finding = finding.at(entry.name.clone());
        for fix in entry.fixes.iter().filter(|fix| !fix.timers.is_empty()).take(1) {
            finding = finding.fix(fix.into());
        }
    } else if let Some(hop) = case.hop(own) {
        finding = finding.at(hop);
    }
    finding.confidence = confidence;
    for text in case.candidates(own, &near, culprit) {
        finding = finding.candidate(text);
    }
    for text in case.refutations(own) {
        finding = finding.refuted_by(text);
    }
    finding.fix(case.advice())
}

impl<'a> Case<'a> {
    fn new(group: &'a Group, cluster: &'a Cluster, total: u64) -> Case<'a> {
        let endings = group.endings(cluster.from, cluster.to);
        let ending = endings.into_iter().next().filter(|(_, count)| count * 10 >= cluster.count * 6);
        let who = ending.as_ref().map_or(Who::Unknown, |(name, _)| who(group.product, name));
        let (quiet, busy) = group.traffic(cluster.from, cluster.to);
        // Whoever outlives an age was not ended by it.
        let outlived = cluster.longer >= 3 && cluster.longer * 50 >= cluster.count;
        let kind = match who {
            Who::OwnIdle => Kind::Idle,
            Who::OwnAge => Kind::Age,
            _ if outlived => Kind::Idle,
            _ if busy * 2 > cluster.count => Kind::Age,
            _ if quiet * 10 >= cluster.count * 8 => Kind::Idle,
            _ => Kind::Either,
        };
        Case { group, cluster, total, who, ending, quiet, busy, kind }
    }

    fn spread_s(&self) -> f64 {
        if self.group.coarse { self.cluster.spread_s.max(0.5) } else { self.cluster.spread_s }
    }

    fn age(&self) -> Duration {
        // Whole seconds were cut, not rounded.
        Duration::try_from_secs_f64(self.cluster.value_s).unwrap_or_default()
    }

    /// Known timers of about this length and kind.
    fn near(&self) -> Vec<TimerMatch> {
        let mut near = timers_matching(self.age(), TOLERANCE);
        near.retain(|near| match self.kind {
            Kind::Idle => near.timer.what == TimerKind::Idle,
            Kind::Age => near.timer.what == TimerKind::Lifetime,
            Kind::Either => matches!(near.timer.what, TimerKind::Idle | TimerKind::Lifetime),
        });
        near
    }

    /// The timer of the product that wrote the log, unless the log says that somebody else ended the sessions.
    fn culprit<'n>(&self, own: Option<&Intermediary>, near: &'n [TimerMatch]) -> Option<&'n TimerMatch> {
        if matches!(self.who, Who::Client | Who::Server | Who::OwnOrder) {
            return None;
        }
        near.iter().find(|near| own.is_some_and(|own| own.id == near.entry.id) && !near.timer.special)
    }

    /// The timer in words.
    fn timer(&self) -> String {
        let s = self.cluster.value_s;
        let whole = s.round();
        let length = if (s - whole).abs() <= 0.02 * whole && (s - whole).abs() < 0.35 && whole >= 1.0 {
            duration::spell(Duration::from_secs(whole as u64))
        } else {
            format!("{s:.1} s")
        };
        match self.kind {
            Kind::Idle => format!("an idle timer of {length}"),
            Kind::Age => format!("a cap of age of {length}"),
            Kind::Either => format!("a timer of {length}, of silence or of age"),
        }
    }

    fn side(&self) -> String {
        let own = self
            .group
            .product
            .and_then(|product| find(product).ok())
            .map_or("this log's proxy", |entry| &entry.name);
        match self.who {
            Who::OwnIdle | Who::OwnAge => format!(" of {own} itself"),
            Who::Client => format!(" on the client's side of {own}"),
            Who::Server => format!(" on the server's side of {own}"),
            _ => " somewhere between the client and the server".to_owned(),
        }
    }

    fn hop(&self, own: Option<&Intermediary>) -> Option<String> {
        let own = own?;
        match self.who {
            Who::Client => Some(format!("between the client and {}", own.name)),
            Who::Server => Some(format!("behind {}", own.name)),
            _ => None,
        }
    }

    fn evidence(&self) -> Vec<String> {
        let cluster = self.cluster;
        let mut told = Vec::new();
        if let Some((name, count)) = &self.ending {
            let product =
                if self.group.product == Some("haproxy") { "termination state" } else { "response flags" };
            told.push(format!(
                "{} of them have the {product} {name}: `undrop explain {name}`",
                grouped(*count)
            ));
        }
        told.push(match (cluster.longer, self.kind) {
            (0, _) => "no session was clearly older".to_owned(),
            (older, Kind::Idle) => {
                format!("{} sessions were older, so that it is no cap of age", grouped(older))
            }
            (older, _) => format!("{} of {} sessions were older", grouped(older), grouped(self.total)),
        });
        if self.quiet + self.busy > 0 {
            told.push(format!(
                "{} of them carried next to nothing (up to 512 bytes), {} carried more",
                grouped(self.quiet),
                grouped(self.busy)
            ));
        }
        if cluster.shorter == 0 && cluster.count > 5 {
            told.push("no session was clearly younger".to_owned());
        }
        told
    }

    fn candidates(
        &self,
        own: Option<&Intermediary>,
        near: &[TimerMatch],
        culprit: Option<&TimerMatch>,
    ) -> Vec<String> {
        let mut listed: Vec<String> = Vec::new();
        let itself = matches!(self.who, Who::OwnIdle | Who::OwnAge);
        for near in near {
            let named = culprit.is_some_and(|culprit| culprit.entry.id == near.entry.id);
            let own = own.is_some_and(|own| own.id == near.entry.id);
            // Where the log says who it was, nobody else, or nobody but others, comes into question.
            if named || (itself && !own) || (own && matches!(self.who, Who::Client | Who::Server)) {
                continue;
            }
            let unsure = if near.timer.is_unsure() { ", not certain" } else { "" };
            let text =
                format!("{} ({}, {}{unsure})", near.entry.name, near.timer.name, duration::spell(near.value));
            if !listed.contains(&text) {
                listed.push(text);
            }
        }
        if !itself {
            // Those that are seen most come first: what the knowledge base is sure of.
            listed.truncate(LISTED - 1);
            listed.extend(libraries(self.age()).map(|name| format!("the application: {name}")).take(2));
            if let Some(own) = own.filter(|_| culprit.is_none() && self.who == Who::Unknown) {
                let kind = if self.kind == Kind::Age { TimerKind::Lifetime } else { TimerKind::Idle };
                if let Some(timer) = own.timers_of(kind).find(|timer| timer.settable && !timer.special) {
                    listed.insert(0, format!("{} ({}, if it is set to this)", own.name, timer.name));
                }
            }
        }
        if listed.is_empty() && culprit.is_none() && !itself {
            listed.push("no timer that is known has this length".to_owned());
        }
        listed
    }

    fn refutations(&self, own: Option<&Intermediary>) -> Vec<String> {
        let mut told = Vec::new();
        match self.kind {
            Kind::Idle => told.push(format!(
                "a client that sends a Ping each {:.0} s and ends at this age nonetheless (`undrop doctor URL` tries it)",
                (self.cluster.value_s / 2.0).floor().max(1.0)
            )),
            Kind::Age => told.push("a session of the same hop that lives longer".to_owned()),
            Kind::Either => told.push("`undrop doctor URL`: silent and busy connections side by side tell silence from age".to_owned()),
        }
        if own.is_some_and(|own| own.id == "nginx") && self.kind == Kind::Idle && self.who == Who::Unknown {
            told.push("error_log at level info without `upstream timed out … while proxying upgraded connection` at these times".to_owned());
        }
        told
    }

    fn advice(&self) -> Fix {
        match self.kind {
            Kind::Age => Fix::words(
                "No heartbeat helps against a cap of age: raise it where it is, or let clients reconnect and resume before it, each at its own time.",
            ),
            _ => Fix::words(format!(
                "Send a Ping from the server each {:.0} s or more often: at most half of the timer.",
                (self.cluster.value_s / 2.0).floor().max(1.0)
            )),
        }
    }
}

/// The one moment at which most of the cluster ended, if there is just one.
fn one_moment<'c>(cluster: &Cluster, crowds: &'c [Crowd]) -> Option<&'c Crowd> {
    let age_us = (cluster.value_s * 1e6) as u64;
    let full = |crowd: &&Crowd| crowd.seconds <= SHORT_S && crowd.about(age_us) * 10 >= cluster.count * 6;
    let mut with = crowds.iter().filter(full);
    with.next().filter(|_| with.next().is_none())
}

/// The verdict on moments at which sessions of all ages ended.
pub(super) fn reload(group: &Group, crowds: &[Crowd], total: u64) -> Option<Finding> {
    let mixed: Vec<&Crowd> = crowds.iter().filter(|crowd| crowd.is_mixed()).collect();
    let count: u64 = mixed.iter().map(|crowd| crowd.count).sum();
    let first = mixed.first()?;
    let part = count as f64 / total.max(1) as f64;
    let severity = if part >= 0.05 { Severity::Error } else { Severity::Warning };
    let moments = match mixed.len() {
        1 => format!("at one moment ({})", written(first.at_s + group.offset_s)),
        many => format!("at {many} moments"),
    };
    let cause = format!(
        "{} of {} sessions, of all ages, ended {moments}: a reload, restart or deploy, not a timer of each session.",
        grouped(count),
        grouped(total)
    );
    let confidence = if first.count >= 10 { Confidence::High } else { Confidence::Medium };
    let mut finding = Finding::new("reload", severity, confidence, cause).value(Measure {
        value: count as f64,
        spread: 0.0,
        unit: "sessions".to_owned(),
        samples: 1,
    });
    for crowd in mixed.iter().take(8) {
        let (young, old) = crowd.range_s();
        let at = written(crowd.at_s + group.offset_s);
        finding = finding.evidence(format!(
            "{at}: {} within {} s, from about {young:.1} s to {old:.0} s old",
            grouped(crowd.count),
            crowd.seconds
        ));
    }
    if let Some(period) = period(&mixed) {
        finding = finding
            .evidence(format!("they come each {}: a schedule", duration::spell(Duration::from_secs(period))));
    }
    finding = finding
        .refuted_by("nothing was reloaded, restarted or deployed on any hop at these times")
        .candidate("a crash of the server, or of a hop")
        .candidate("the network of a hop failed for a moment");
    if let Some(entry) = group.product.and_then(|product| find(product).ok()) {
        for timer in entry.timers_of(TimerKind::Drain) {
            for fix in entry.fixes_of(&timer.name) {
                finding = finding.fix(fix.into());
            }
        }
        if let Some(preset) = entry.presets.iter().find(|preset| preset.name.contains("reload")) {
            finding = finding.preset(preset.name.clone());
        }
    }
    Some(finding.fix(Fix::words(
        "Drain before a stop: tell clients with 1001 or 1012, each at its own time. `undrop gateway` moves sessions without a loss.",
    )))
}

/// Equal distances between moments, seconds.
fn period(crowds: &[&Crowd]) -> Option<u64> {
    let gaps: Vec<i64> = crowds.windows(2).map(|pair| pair[1].at_s - pair[0].at_s).collect();
    let (least, most) = (*gaps.iter().min()?, *gaps.iter().max()?);
    (gaps.len() >= 2 && most - least <= 10.max(least / 50)).then(|| (least + most).unsigned_abs() / 2)
}

/// The verdict on sessions that ended right after opening.
pub(super) fn at_once(bins: &[(u32, u32)], total: u64) -> Option<Finding> {
    let count: u64 = bins.iter().take_while(|(bin, _)| *bin < 100).map(|(_, count)| u64::from(*count)).sum();
    if count < 5 || count * 5 < total {
        return None;
    }
    let cause =
        format!("{} of {} sessions ended within a second of opening.", grouped(count), grouped(total));
    Some(
        Finding::new("ends-at-once", Severity::Warning, Confidence::Medium, cause)
            .evidence("no timer of an intermediary is that short: client or server ended them")
            .candidate("authentication in the first message, or its refusal (1008, 4401)")
            .candidate("a sub-protocol or an extension that one side does not take (1002, 1010)")
            .candidate(
                "pages that open and close: React's StrictMode in development, health checks, scanners",
            )
            .refuted_by("the application's own log of close codes at these times")
            .fix(Fix::words(
                "Log code and reason of each close in the application, then `undrop explain CODE`.",
            )),
    )
}

/// The verdict on handshakes that failed.
pub(super) fn handshakes(group: &mut Group) -> Vec<Finding> {
    let paths = std::mem::take(&mut group.paths).with_refusals();
    let mut findings = Vec::new();
    for path in paths {
        let refused = path.count();
        let all = refused + path.opened;
        let never = path.opened == 0;
        if refused < if never { 1 } else { 3 }
            || refused * 20 < all
            || (never && !path.certain && refused < 3)
        {
            continue;
        }
        let told: Vec<String> =
            path.refused.iter().map(|(status, count)| format!("{} × {status}", grouped(*count))).collect();
        let cause = if never {
            format!("No WebSocket was opened on {}: {}.", path.name, told.join(", "))
        } else {
            format!(
                "{} of {} handshakes on {} failed: {}.",
                grouped(refused),
                grouped(all),
                path.name,
                told.join(", ")
            )
        };
        let severity = if never && path.certain { Severity::Error } else { Severity::Warning };
        let confidence = if path.certain { Confidence::High } else { Confidence::Medium };
        let mut finding = Finding::new("handshakes-fail", severity, confidence, cause);
        if !path.certain {
            finding = finding.evidence(if never {
                "the log does not say whether they asked for a WebSocket; the path sounds like it"
            } else {
                "the log does not say whether they asked for a WebSocket; the path is one where others were opened"
            });
        }
        for (status, _) in path.refused.iter().take(3) {
            finding = finding.candidate(format!("what {status} can mean: `undrop explain {status}`"));
        }
        findings
            .push(finding.refuted_by("these were plain requests: log $http_upgrade or its like to see it"));
        if findings.len() == 5 {
            break;
        }
    }
    findings
}

/// What to do when a log has no durations.
pub(super) fn no_durations(group: &Group) -> Finding {
    let (language, block, reason, validator) = how_to_log(group.product);
    let mut fix = Fix::block(language, block, reason);
    fix.validator = validator.map(str::to_owned);
    let cause = format!(
        "This log ({}) does not say how long a session lasted, so nothing can be said of why its {} sessions ended.",
        group.label,
        grouped(group.sessions)
    );
    Finding::new("no-durations", Severity::Warning, Confidence::High, cause).fix(fix)
}

fn spread(s: f64) -> String {
    if s < 0.1 { "0.1".to_owned() } else { format!("{s:.1}") }
}

/// With commas between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
