//! The outcome in one line, and what was done to get it.

use undrop_report::document::Tone;
use undrop_session::SessionMode;
use undrop_text::number::{bytes, counted, rate, seconds, thousands};
use undrop_text::printable::truncated;

use crate::report::endings::EndingGroup;
use crate::report::model::{LoadReport, ModeName};

/// The number of kinds of endings in the first line; the others are one number.
const KINDS: usize = 3;
/// The maximum length of a kind of ending in the first line, in characters.
const KIND_LENGTH: usize = 120;

impl LoadReport {
    /// Returns the first line of the report: how many connections survived, and how the others ended.
    pub fn survival_line(&self) -> String {
        let connections = &self.connections;
        let (opened, asked) = (connections.opened, connections.asked);
        let failed = failed(self);
        if opened == 0 {
            let why = if failed.is_empty() { String::new() } else { format!(": {failed}") };
            return format!("none of {} could be opened{why}", counted(asked, "connection"));
        }
        let lived = if self.mode.closes_connections() {
            "stayed open until they were closed as planned"
        } else {
            "alive at the end"
        };
        let mut line = format!("{} of {} {lived}", thousands(connections.alive_at_end), thousands(opened));
        if connections.ended > 0 {
            let what = if self.resumes.count > 0 {
                let links = counted(connections.ended, "link");
                format!("{links} ended, {} restored", thousands(self.resumes.count))
            } else {
                format!("{} ended", thousands(connections.ended))
            };
            line.push_str(&format!("; {what}: {}", ended(&self.endings, connections.ended)));
        } else if let Some(last) = self.storm.as_ref().and_then(|storm| storm.last_back_s) {
            let last = seconds(last);
            line.push_str(&format!("; all links were cut at once, the last one was restored after {last}"));
        } else if connections.alive_at_end < opened {
            line.push_str(&format!("; {} not responsive", thousands(opened - connections.alive_at_end)));
        }
        // Connections that were not attempted have a separate line.
        let skipped = self.churn.as_ref().map_or(0, |churn| churn.skipped);
        let failures = connections.failed.saturating_sub(skipped);
        if failures > 0 {
            let never = asked.saturating_sub(opened);
            let what = match (self.mode, never) {
                (ModeName::Ramp | ModeName::Churn | ModeName::Scenario, _) | (_, 0) => {
                    counted(failures, "handshake") + " failed"
                }
                _ => format!("{} of {} could not be opened", thousands(never), thousands(asked)),
            };
            line.push_str(&format!("; {what}: {failed}"));
        }
        line
    }
}

/// Returns the weight of the first line.
pub(super) fn tone(report: &LoadReport) -> Tone {
    let connections = &report.connections;
    match connections.survival {
        Some(survival) if survival >= 1.0 && connections.failed == 0 => Tone::Good,
        Some(survival) if survival > 0.5 => Tone::Warning,
        _ => Tone::Error,
    }
}

/// Returns the target and the parameters of the run, with which it can be repeated.
pub(super) fn subject(report: &LoadReport) -> String {
    let mut parts = vec![truncated(&report.target, 120), report.mode.as_str().to_owned()];
    parts.push(counted(report.connections.asked, "connection"));
    if let Some(per_connection) = report.rate_per_connection {
        parts.push(format!("{}/s each", rate(per_connection)));
    }
    if let Some(size) = report.message_bytes.filter(|_| report.messages.sent > 0) {
        parts.push(bytes(size as f64));
    }
    parts.push(seconds(report.duration_s));
    if report.session != SessionMode::Off {
        let sessions = thousands(report.connections.sessions);
        parts.push(format!("session {} ({sessions} established)", report.session.name()));
    }
    if report.workers > 1 {
        parts.push(counted(u64::from(report.workers), "worker"));
    }
    parts.push(format!("seed {}", report.seed));
    if report.interrupted {
        parts.push("stopped early".to_owned());
    }
    parts.join(" · ")
}

/// Lists the most frequent endings: `1 RST at 31.2 s, 812 FIN without close frame at 60.0 s (59.9–60.1)`.
fn ended(groups: &[EndingGroup], all: u64) -> String {
    let mut parts: Vec<String> = groups.iter().take(KINDS).map(with_age).collect();
    let shown: u64 = groups.iter().take(KINDS).map(|group| group.count).sum();
    if all > shown {
        parts.push(format!("{} in other ways", thousands(all - shown)));
    }
    parts.join(", ")
}

fn with_age(group: &EndingGroup) -> String {
    let bare = |s: f64| seconds(s).trim_end_matches(" s").to_owned();
    let (low, high) = (bare(group.age_min_s), bare(group.age_max_s));
    let range = if low == high { String::new() } else { format!(" ({low}–{high})") };
    let (kind, median) = (truncated(&group.ending, KIND_LENGTH), seconds(group.age_median_s));
    format!("{} {kind} at {median}{range}", thousands(group.count))
}

/// Lists the most frequent failures: `2 refused, 1 close 1008`.
fn failed(report: &LoadReport) -> String {
    let theirs = || report.failures.iter().filter(|failure| !failure.is_own_limit);
    let mut parts: Vec<String> = theirs()
        .take(KINDS)
        .map(|failure| format!("{} {}", thousands(failure.count), truncated(&failure.ending, KIND_LENGTH)))
        .collect();
    let rest: u64 = theirs().skip(KINDS).map(|failure| failure.count).sum();
    if rest > 0 {
        parts.push(format!("{} in other ways", thousands(rest)));
    }
    parts.join(", ")
}
