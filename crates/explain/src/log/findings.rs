//! Findings about the sessions of one log format.

use std::time::Duration;

use undrop_infra::{Intermediary, TimerKind, TimerMatch, find, timers_matching};
use undrop_report::{Confidence, Finding, Fix, Measure, Severity};
use undrop_text::duration;
use undrop_text::number::thousands;

use super::clusters::Cluster;
use super::group::Group;
use super::known::{EndedBy, how_to_log, libraries, who};
use super::moments::Crowd;
use super::number::written;

/// The largest difference between an age and a known timer, as a part of the timer.
const TOLERANCE: f64 = 0.012;

/// The maximum number of listed candidates.
const LISTED: usize = 6;

/// The time in seconds within which sessions that were opened together end together.
const SHORT_S: i64 = 3;

/// The kind of timer that explains a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AgeLimit {
    Idle,
    Age,
    Either,
}

/// The facts about a cluster from which the finding is built.
struct ClusterFacts<'a> {
    group: &'a Group,
    cluster: &'a Cluster,
    /// The number of sessions of the group with an age.
    total: u64,
    who: EndedBy,
    /// The most frequent ending and its count.
    ending: Option<(String, u64)>,
    quiet: u64,
    busy: u64,
    kind: AgeLimit,
}

/// Returns the finding about sessions that ended at the same age.
pub(super) fn cluster(group: &Group, cluster: &Cluster, crowds: &[Crowd], total: u64) -> Finding {
    let case = ClusterFacts::new(group, cluster, total);
    let near = case.near();
    let own = group.product.and_then(|product| find(product).ok());
    let culprit = case.culprit(own, &near);
    let (id, mut confidence) = match (case.kind, case.who) {
        (AgeLimit::Idle, EndedBy::OwnIdle) => ("idle-cut", Confidence::High),
        (AgeLimit::Age, EndedBy::OwnAge) => ("lifetime-cap", Confidence::High),
        (AgeLimit::Idle, _) => ("idle-cut", Confidence::Medium),
        (AgeLimit::Age, _) => ("lifetime-cap", Confidence::Medium),
        (AgeLimit::Either, _) => ("equal-ages", Confidence::Medium),
    };
    let part = cluster.count as f64 / total.max(1) as f64;
    let severity = if part >= 0.05 { Severity::Error } else { Severity::Warning };
    let mut cause = format!(
        "{} of {} sessions ended at {:.1} s ± {}: {}",
        thousands(cluster.count),
        thousands(total),
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
        if !matches!(case.who, EndedBy::OwnIdle | EndedBy::OwnAge) {
            confidence = Confidence::Low;
        }
        let at = written(crowd.at_s + group.offset_s);
        finding = finding
            .evidence(format!("most of them ended together at {at}, and they had also been opened together"));
        finding = finding.candidate("a restart at this moment, since all were opened at the same time");
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
    } else if let (Some(entry), EndedBy::OwnIdle | EndedBy::OwnAge) = (own, case.who) {
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

impl<'a> ClusterFacts<'a> {
    fn new(group: &'a Group, cluster: &'a Cluster, total: u64) -> ClusterFacts<'a> {
        let endings = group.endings(cluster.from, cluster.to);
        let ending = endings.into_iter().next().filter(|(_, count)| count * 10 >= cluster.count * 6);
        let who = ending.as_ref().map_or(EndedBy::Unknown, |(name, _)| who(group.product, name));
        let (quiet, busy) = group.traffic(cluster.from, cluster.to);
        // A session that lives longer disproves a maximum age.
        let outlived = cluster.longer >= 3 && cluster.longer * 50 >= cluster.count;
        let kind = match who {
            EndedBy::OwnIdle => AgeLimit::Idle,
            EndedBy::OwnAge => AgeLimit::Age,
            _ if outlived => AgeLimit::Idle,
            _ if busy * 2 > cluster.count => AgeLimit::Age,
            _ if quiet * 10 >= cluster.count * 8 => AgeLimit::Idle,
            _ => AgeLimit::Either,
        };
        ClusterFacts { group, cluster, total, who, ending, quiet, busy, kind }
    }

    fn spread_s(&self) -> f64 {
        if self.group.coarse { self.cluster.spread_s.max(0.5) } else { self.cluster.spread_s }
    }

    fn age(&self) -> Duration {
        // Whole seconds are truncated, not rounded.
        Duration::try_from_secs_f64(self.cluster.value_s).unwrap_or_default()
    }

    /// Returns the known timers of about this length and of this kind.
    fn near(&self) -> Vec<TimerMatch> {
        let mut near = timers_matching(self.age(), TOLERANCE);
        near.retain(|near| match self.kind {
            AgeLimit::Idle => near.timer.what == TimerKind::Idle,
            AgeLimit::Age => near.timer.what == TimerKind::Lifetime,
            AgeLimit::Either => matches!(near.timer.what, TimerKind::Idle | TimerKind::Lifetime),
        });
        near
    }

    /// Returns the timer of the product that wrote the log, unless the log names another cause.
    fn culprit<'n>(&self, own: Option<&Intermediary>, near: &'n [TimerMatch]) -> Option<&'n TimerMatch> {
        if matches!(self.who, EndedBy::Client | EndedBy::Server | EndedBy::OwnOrder) {
            return None;
        }
        near.iter().find(|near| own.is_some_and(|own| own.id == near.entry.id) && !near.timer.special)
    }

    /// Describes the timer in the finding.
    fn timer(&self) -> String {
        let s = self.cluster.value_s;
        let whole = s.round();
        let length = if (s - whole).abs() <= 0.02 * whole && (s - whole).abs() < 0.35 && whole >= 1.0 {
            duration::spell(Duration::from_secs(whole as u64))
        } else {
            format!("{s:.1} s")
        };
        match self.kind {
            AgeLimit::Idle => format!("an idle timeout of {length}"),
            AgeLimit::Age => format!("a maximum connection age of {length}"),
            AgeLimit::Either => format!("an idle timeout or a maximum connection age of {length}"),
        }
    }

    fn side(&self) -> String {
        let own = self
            .group
            .product
            .and_then(|product| find(product).ok())
            .map_or("the proxy that wrote the log", |entry| &entry.name);
        match self.who {
            EndedBy::OwnIdle | EndedBy::OwnAge => format!(" of {own} itself"),
            EndedBy::Client => format!(" on the client side of {own}"),
            EndedBy::Server => format!(" on the server side of {own}"),
            _ => " somewhere between the client and the server".to_owned(),
        }
    }

    fn hop(&self, own: Option<&Intermediary>) -> Option<String> {
        let own = own?;
        match self.who {
            EndedBy::Client => Some(format!("between the client and {}", own.name)),
            EndedBy::Server => Some(format!("the server side of {}", own.name)),
            _ => None,
        }
    }

    fn evidence(&self) -> Vec<String> {
        let cluster = self.cluster;
        let mut lines = Vec::new();
        if let Some((name, count)) = &self.ending {
            let product =
                if self.group.product == Some("haproxy") { "termination state" } else { "response flags" };
            lines.push(format!(
                "{} of them have the {product} {name}: `undrop explain {name}`",
                thousands(*count)
            ));
        }
        lines.push(match (cluster.longer, self.kind) {
            (0, _) => "no session lived clearly longer".to_owned(),
            (older, AgeLimit::Idle) => {
                format!("{} sessions lived longer, so this is not a maximum connection age", thousands(older))
            }
            (older, _) => format!("{} of {} sessions lived longer", thousands(older), thousands(self.total)),
        });
        if self.quiet + self.busy > 0 {
            lines.push(format!(
                "{} of them carried hardly any data (up to 512 bytes), and {} carried more",
                thousands(self.quiet),
                thousands(self.busy)
            ));
        }
        if cluster.shorter == 0 && cluster.count > 5 {
            lines.push("no session was clearly shorter".to_owned());
        }
        lines
    }

    fn candidates(
        &self,
        own: Option<&Intermediary>,
        near: &[TimerMatch],
        culprit: Option<&TimerMatch>,
    ) -> Vec<String> {
        let mut listed: Vec<String> = Vec::new();
        let itself = matches!(self.who, EndedBy::OwnIdle | EndedBy::OwnAge);
        for near in near {
            let named = culprit.is_some_and(|culprit| culprit.entry.id == near.entry.id);
            let own = own.is_some_and(|own| own.id == near.entry.id);
            // The log itself rules out some candidates.
            if named || (itself && !own) || (own && matches!(self.who, EndedBy::Client | EndedBy::Server)) {
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
            // The most common and most certain products come first.
            listed.truncate(LISTED - 1);
            listed.extend(libraries(self.age()).map(|name| format!("the application: {name}")).take(2));
            if let Some(own) = own.filter(|_| culprit.is_none() && self.who == EndedBy::Unknown) {
                let kind = if self.kind == AgeLimit::Age { TimerKind::Lifetime } else { TimerKind::Idle };
                if let Some(timer) = own.timers_of(kind).find(|timer| timer.settable && !timer.special) {
                    listed.insert(
                        0,
                        format!("{} ({}, if it is configured to this value)", own.name, timer.name),
                    );
                }
            }
        }
        if listed.is_empty() && culprit.is_none() && !itself {
            listed.push("no known timer has this length".to_owned());
        }
        listed
    }

    fn refutations(&self, own: Option<&Intermediary>) -> Vec<String> {
        let mut lines = Vec::new();
        match self.kind {
            AgeLimit::Idle => lines.push(format!(
                "a client that sends a Ping every {:.0} s and still ends at this age (`undrop doctor URL` tests this)",
                (self.cluster.value_s / 2.0).floor().max(1.0)
            )),
            AgeLimit::Age => lines.push("a session through the same hop that lives longer".to_owned()),
            AgeLimit::Either => lines.push("the result of `undrop doctor URL`, which compares idle and busy connections".to_owned()),
        }
        if own.is_some_and(|own| own.id == "nginx")
            && self.kind == AgeLimit::Idle
            && self.who == EndedBy::Unknown
        {
            lines.push("error_log at level info without `upstream timed out … while proxying upgraded connection` at these times".to_owned());
        }
        lines
    }

    fn advice(&self) -> Fix {
        match self.kind {
            AgeLimit::Age => Fix::words(
                "A heartbeat does not help against a maximum connection age: raise it, or let clients reconnect and resume before it, each at its own time.",
            ),
            _ => Fix::words(format!(
                "Send a Ping from the server every {:.0} s or more often, which is at most half of the timeout.",
                (self.cluster.value_s / 2.0).floor().max(1.0)
            )),
        }
    }
}

/// Returns the moment at which most of the cluster ended, if there is exactly one.
fn one_moment<'c>(cluster: &Cluster, crowds: &'c [Crowd]) -> Option<&'c Crowd> {
    let age_us = (cluster.value_s * 1e6) as u64;
    let full = |crowd: &&Crowd| crowd.seconds <= SHORT_S && crowd.about(age_us) * 10 >= cluster.count * 6;
    let mut with = crowds.iter().filter(full);
    with.next().filter(|_| with.next().is_none())
}

/// Returns the finding about moments at which sessions of all ages ended.
pub(super) fn reload(group: &Group, crowds: &[Crowd], total: u64) -> Option<Finding> {
    let mixed: Vec<&Crowd> = crowds.iter().filter(|crowd| crowd.is_mixed()).collect();
    let count: u64 = mixed.iter().map(|crowd| crowd.count).sum();
    let first = mixed.first()?;
    let part = count as f64 / total.max(1) as f64;
    let severity = if part >= 0.05 { Severity::Error } else { Severity::Warning };
    let moments = match mixed.len() {
        1 => format!("at the same moment ({})", written(first.at_s + group.offset_s)),
        many => format!("at {many} moments"),
    };
    let cause = format!(
        "{} of {} sessions, of all ages, ended {moments}: a reload, restart or deployment, not a timer of each session.",
        thousands(count),
        thousands(total)
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
            "{at}: {} within {} s, at ages from about {young:.1} s to {old:.0} s",
            thousands(crowd.count),
            crowd.seconds
        ));
    }
    if let Some(period) = period(&mixed) {
        finding = finding.evidence(format!(
            "they recur every {}, so they follow a schedule",
            duration::spell(Duration::from_secs(period))
        ));
    }
    finding = finding
        .refuted_by("logs of all hops without a reload, restart or deployment at these times")
        .candidate("a crash of the server, or of a hop")
        .candidate("a short interruption of the network of a hop");
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
        "Drain before a stop: send Close 1001 or 1012 to clients, each at its own time. `undrop gateway` moves sessions without message loss.",
    )))
}

/// Returns the period of the moments in seconds, if they are regular.
fn period(crowds: &[&Crowd]) -> Option<u64> {
    let gaps: Vec<i64> = crowds.windows(2).map(|pair| pair[1].at_s - pair[0].at_s).collect();
    let (least, most) = (*gaps.iter().min()?, *gaps.iter().max()?);
    (gaps.len() >= 2 && most - least <= 10.max(least / 50)).then(|| (least + most).unsigned_abs() / 2)
}

/// Returns the finding about sessions that ended right after opening.
pub(super) fn at_once(bins: &[(u32, u32)], total: u64) -> Option<Finding> {
    let count: u64 = bins.iter().take_while(|(bin, _)| *bin < 100).map(|(_, count)| u64::from(*count)).sum();
    if count < 5 || count * 5 < total {
        return None;
    }
    let cause =
        format!("{} of {} sessions ended within a second of opening.", thousands(count), thousands(total));
    Some(
        Finding::new("ends-at-once", Severity::Warning, Confidence::Medium, cause)
            .evidence("timers of intermediaries are not that short: the client or the server ended them")
            .candidate("failed authentication in the first message (1008, 4401)")
            .candidate("a subprotocol or an extension that one side does not accept (1002, 1010)")
            .candidate(
                "clients that open and close at once: React's StrictMode in development, health checks, scanners",
            )
            .refuted_by("a log of the application with other close codes at these times")
            .fix(Fix::words(
                "Log code and reason of each close in the application, then run `undrop explain CODE`.",
            )),
    )
}

/// Returns the findings about failed handshakes.
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
        let lines: Vec<String> =
            path.refused.iter().map(|(status, count)| format!("{} × {status}", thousands(*count))).collect();
        let cause = if never {
            format!("No WebSocket was opened on {}: {}.", path.name, lines.join(", "))
        } else {
            format!(
                "{} of {} handshakes on {} failed: {}.",
                thousands(refused),
                thousands(all),
                path.name,
                lines.join(", ")
            )
        };
        let severity = if never && path.certain { Severity::Error } else { Severity::Warning };
        let confidence = if path.certain { Confidence::High } else { Confidence::Medium };
        let mut finding = Finding::new("handshakes-fail", severity, confidence, cause);
        if !path.certain {
            finding = finding.evidence(if never {
                "the log does not show whether a WebSocket was requested; the path suggests it"
            } else {
                "the log does not show whether a WebSocket was requested; others were opened on this path"
            });
        }
        for (status, _) in path.refused.iter().take(3) {
            finding = finding.candidate(format!("the causes of {status}: `undrop explain {status}`"));
        }
        findings
            .push(finding.refuted_by(
                "a log with the Upgrade field (such as $http_upgrade) that shows plain requests",
            ));
        if findings.len() == 5 {
            break;
        }
    }
    findings
}

/// Returns the finding about a log without durations.
pub(super) fn no_durations(group: &Group) -> Finding {
    let (language, block, reason, validator) = how_to_log(group.product);
    let mut fix = Fix::block(language, block, reason);
    fix.validator = validator.map(str::to_owned);
    let cause = format!(
        "This log ({}) has no durations, so the causes for the end of its {} sessions are unknown.",
        group.label,
        thousands(group.sessions)
    );
    Finding::new("no-durations", Severity::Warning, Confidence::High, cause).fix(fix)
}

fn spread(s: f64) -> String {
    if s < 0.1 { "0.1".to_owned() } else { format!("{s:.1}") }
}
