//! The report for a terminal.

use super::distribution::Distribution;
use super::endings::EndingGroup;
use super::number::{bytes, milliseconds, percent, rate, seconds, thousands};
use super::sections::TOO_FEW;
use super::style::{BOLD, DIM, GREEN, Page, RED, YELLOW, foreign};
use super::{FULL_RATE, Report};

/// Kinds of endings in the first line; the others are one number.
const KINDS: usize = 3;
/// Failures, reasons of users and endings listed.
const ROWS: usize = 12;

/// The report in lines of 80 columns, with ANSI colours or without. The first line is survival, however long it is.
pub fn text(report: &Report, colour: bool) -> String {
    let mut page = Page::new(colour);
    let good = report.connections.alive_at_end == report.connections.asked.max(report.connections.opened)
        && report.connections.opened > 0;
    let tone = match (good, report.connections.alive_at_end) {
        (true, _) => GREEN,
        (false, 0) => RED,
        (false, _) => YELLOW,
    };
    let first = page.paint(&page.paint(&survival(report), tone), BOLD);
    page.line(&first);
    page.wrapped(0, &subject(report), DIM);
    endings(&mut page, report);
    failures(&mut page, report);
    modes(&mut page, report);
    messages(&mut page, report);
    latency(&mut page, report);
    handshake(&mut page, report);
    resumes(&mut page, report);
    proof(&mut page, report);
    cost(&mut page, report);
    thresholds(&mut page, report);
    page.finish()
}

/// How many survived, and how the others ended, in one line.
pub(super) fn survival(report: &Report) -> String {
    let connections = &report.connections;
    let (opened, asked) = (connections.opened, connections.asked);
    let failed = failed(report);
    if opened == 0 {
        let why = if failed.is_empty() { String::new() } else { format!(": {failed}") };
        return format!("none of {} could be opened{why}", counted(asked, "connection"));
    }
    let lived = match report.mode {
        "churn" | "scenario" => "lived until they were closed",
        _ => "alive at the end",
    };
    let mut line = format!("{} of {} {lived}", thousands(connections.alive_at_end), thousands(opened));
    if connections.ended > 0 {
        let came_back = report.resumes.count > 0;
        let what = if came_back {
            format!(
                "{} ended, {} came back",
                counted(connections.ended, "link"),
                thousands(report.resumes.count)
            )
        } else {
            format!("{} ended", thousands(connections.ended))
        };
        line.push_str(&format!("; {what}: {}", ended(&report.endings, connections.ended)));
    } else if let Some(last) = report.storm.as_ref().and_then(|storm| storm.last_back_s) {
        line.push_str(&format!(
            "; all links were cut at once, the last one was back after {}",
            seconds(last)
        ));
    } else if connections.alive_at_end < opened {
        line.push_str(&format!("; {} gone", thousands(opened - connections.alive_at_end)));
    }
    // What was not even begun has a line of its own.
    let failures = connections.failed.saturating_sub(report.churn.as_ref().map_or(0, |churn| churn.skipped));
    if failures > 0 {
        let never = asked.saturating_sub(opened);
        let what = match (report.mode, never) {
            ("ramp" | "churn" | "scenario", _) | (_, 0) => counted(failures, "handshake") + " failed",
            _ => format!("{} of {} could not be opened", thousands(never), thousands(asked)),
        };
        line.push_str(&format!("; {what}: {failed}"));
    }
    line
}

/// `1 RST at 31.2 s, 812 FIN without close frame at 60.0 s (59.9–60.1)`.
fn ended(groups: &[EndingGroup], all: u64) -> String {
    let mut parts: Vec<String> = groups.iter().take(KINDS).map(in_short).collect();
    let shown: u64 = groups.iter().take(KINDS).map(|group| group.count).sum();
    if all > shown {
        parts.push(format!("{} in other ways", thousands(all - shown)));
    }
    parts.join(", ")
}

fn in_short(group: &EndingGroup) -> String {
    let middle = seconds(group.age_median_s);
    let bare = |s: f64| seconds(s).trim_end_matches(" s").to_owned();
    let (low, high) = (bare(group.age_min_s), bare(group.age_max_s));
    let range = if low == high { String::new() } else { format!(" ({low}–{high})") };
    format!("{} {} at {middle}{range}", thousands(group.count), foreign(&group.ending))
}

/// `2 refused, 1 close 1008`.
fn failed(report: &Report) -> String {
    let theirs = || report.failures.iter().filter(|failure| failure.ending != TOO_FEW);
    let mut parts: Vec<String> = theirs()
        .take(KINDS)
        .map(|failure| format!("{} {}", thousands(failure.count), foreign(&failure.ending)))
        .collect();
    let rest: u64 = theirs().skip(KINDS).map(|failure| failure.count).sum();
    if rest > 0 {
        parts.push(format!("{} in other ways", thousands(rest)));
    }
    parts.join(", ")
}

/// What was done, so that it can be done again.
pub(super) fn subject(report: &Report) -> String {
    let mut parts = vec![foreign(&report.target), report.mode.to_owned()];
    parts.push(counted(report.connections.asked, "connection"));
    if let Some(per) = report.rate_per_connection {
        parts.push(format!("{}/s each", rate(per)));
    }
    if let Some(size) = report.message_bytes.filter(|_| report.messages.sent > 0) {
        parts.push(bytes(size as f64));
    }
    parts.push(seconds(report.duration_s));
    if report.session != "off" {
        parts.push(format!(
            "session {} ({} had one)",
            report.session,
            thousands(report.connections.sessions)
        ));
    }
    if report.workers > 1 {
        parts.push(counted(u64::from(report.workers), "worker"));
    }
    parts.push(format!("seed {}", report.seed));
    if report.interrupted {
        parts.push("ended early by hand".to_owned());
    }
    parts.join(" · ")
}

fn endings(page: &mut Page, report: &Report) {
    if report.endings.is_empty() {
        return;
    }
    page.heading("Endings");
    let row = |group: &EndingGroup| {
        vec![
            foreign(&group.ending),
            thousands(group.count),
            seconds(group.age_min_s),
            seconds(group.age_median_s),
            seconds(group.age_max_s),
            group.browser.to_string(),
        ]
    };
    let rows: Vec<_> = report.endings.iter().take(ROWS).map(row).collect();
    page.table(&["", "count", "age min", "median", "max", "in a browser"], &rows);
    for group in report.endings.iter().take(ROWS) {
        for (reason, count) in &group.reasons {
            let text = format!("{}: “{}” × {}", foreign(&group.ending), foreign(reason), thousands(*count));
            page.wrapped(2, &text, DIM);
        }
    }
    for group in &report.endings {
        if let Some(hint) = &group.hint {
            page.wrapped(2, &format!("Hint, {}: {hint}", foreign(&group.ending)), YELLOW);
        }
    }
}

fn failures(page: &mut Page, report: &Report) {
    if report.failures.is_empty() {
        return;
    }
    page.heading("Not opened");
    for failure in report.failures.iter().take(ROWS) {
        let text = format!(
            "{} {} ({}), first at {}: {}",
            thousands(failure.count),
            foreign(&failure.ending),
            foreign(&failure.stage),
            seconds(failure.first_at_s),
            foreign(&failure.example)
        );
        page.wrapped(2, &text, "");
    }
    let rest: u64 = report.failures.iter().skip(ROWS).map(|failure| failure.count).sum();
    if rest > 0 {
        page.wrapped(2, &format!("{} in other ways", thousands(rest)), "");
    }
}

/// The sections that one mode has: title, lines, and which of them are bad news.
pub(super) fn mode_lines(report: &Report) -> Vec<(&'static str, Vec<(String, bool)>)> {
    let mut sections = Vec::new();
    if let Some(storm) = &report.storm {
        let last = storm.last_back_s.map_or_else(|| "—".to_owned(), seconds);
        let line = format!(
            "{} lost, {} came back, the last one after {last} · {} ({} at most in one second) · policy {}",
            counted(storm.lost, "link"),
            thousands(storm.back),
            counted(storm.attempts, "handshake"),
            thousands(storm.peak_handshakes_per_s.round() as u64),
            storm.policy
        );
        sections.push(("Storm", vec![(line, storm.back < storm.lost)]));
    }
    if let Some(ramp) = &report.ramp {
        let at = format!("at {} new connections per second", rate(ramp.opened_per_s));
        let line = match ramp.plateau {
            Some(plateau) => format!("{} were open when the first one was refused, {at}", thousands(plateau)),
            None => format!("none was refused, {at}"),
        };
        sections.push(("Ramp", vec![(line, false)]));
    }
    if let Some(broadcast) = &report.broadcast {
        let part = broadcast.completeness.map_or_else(|| "—".to_owned(), percent);
        let line = format!(
            "{} from {} to {}: {} of {} copies arrived ({part})",
            counted(broadcast.sent, "message"),
            counted(u64::from(broadcast.senders), "sender"),
            counted(broadcast.receivers, "connection"),
            thousands(broadcast.copies),
            thousands(broadcast.copies_expected)
        );
        sections.push(("Broadcast", vec![(line, broadcast.copies < broadcast.copies_expected)]));
    }
    if let Some(churn) = &report.churn {
        let achieved = churn.achieved_per_s.map_or_else(|| "—".to_owned(), rate);
        let line = format!(
            "{} new connections per second asked, {achieved} opened · each to live {}",
            rate(churn.intended_per_s),
            seconds(churn.lifetime_s)
        );
        let mut lines = vec![(line, false)];
        if churn.skipped > 0 {
            let line = format!(
                "{} of {} were not begun, since as many as -c allows were open: give a larger -c",
                thousands(churn.skipped),
                counted(report.connections.asked, "connection")
            );
            lines.push((line, true));
        }
        sections.push(("Churn", lines));
    }
    if let Some(users) = &report.users {
        let mut line = format!("{} of {} completed", thousands(users.completed), thousands(users.arrived));
        if users.skipped > 0 {
            line.push_str(&format!(", {} skipped (as many as allowed were there)", thousands(users.skipped)));
        }
        let mut lines = vec![(line, false)];
        for (reason, count) in users.failed.iter().take(ROWS) {
            lines.push((format!("{} failed: {}", thousands(*count), foreign(reason)), true));
        }
        sections.push(("Users", lines));
    }
    sections
}

fn modes(page: &mut Page, report: &Report) {
    for (title, lines) in mode_lines(report) {
        page.heading(title);
        lines.iter().for_each(|(line, bad)| page.wrapped(2, line, if *bad { RED } else { "" }));
    }
}

fn messages(page: &mut Page, report: &Report) {
    let Some(rates) = &report.rate else { return };
    let messages = &report.messages;
    page.heading("Messages");
    let row = |name: &str, count: u64, per_second: f64, size: Option<u64>| {
        let size = size.map_or_else(String::new, |size| bytes(size as f64));
        vec![name.to_owned(), thousands(count), format!("{}/s", rate(per_second)), size]
    };
    let mut rows = Vec::new();
    if let (Some(intended), Some(per_second)) = (messages.intended, rates.intended_per_s) {
        rows.push(row("asked", intended, per_second, None));
    }
    let mut sent = row("sent", messages.sent, rates.achieved_per_s, Some(report.bytes.sent));
    if let Some(ratio) = rates.ratio {
        sent.push(format!("{} of asked", percent(ratio)));
    }
    rows.push(sent);
    rows.push(row("received", messages.received, rates.received_per_s, Some(report.bytes.received)));
    page.table(&["", "", "", "", ""], &rows);
    if let Some(warning) = slow(report) {
        page.wrapped(2, &warning, RED);
    }
}

/// What must be said before latency when the rate was not kept.
pub(super) fn slow(report: &Report) -> Option<String> {
    let ratio = report.rate.as_ref()?.ratio.filter(|ratio| *ratio < FULL_RATE)?;
    let intended = report.messages.intended?;
    Some(format!(
        "asked {}, sent {} ({}): latency below is of what was sent",
        thousands(intended),
        thousands(report.messages.sent),
        percent(ratio)
    ))
}

/// Rows of a table of distributions: percentile names, and the cell of each column.
pub(super) fn distribution_rows(columns: &[Option<&Distribution>]) -> Vec<Vec<String>> {
    type Value = fn(&Distribution) -> Option<f64>;
    let values: [(&str, Value); 8] = [
        ("p50", |d| d.p50),
        ("p90", |d| d.p90),
        ("p99", |d| d.p99),
        ("p99.9", |d| d.p99_9),
        ("p99.99", |d| d.p99_99),
        ("max", |d| Some(d.max)),
        ("mean", |d| Some(d.mean)),
        ("count", |d| Some(d.count as f64)),
    ];
    let cell = |name: &str, value: Value, column: &Option<&Distribution>| match column.and_then(value) {
        Some(count) if name == "count" => thousands(count as u64),
        Some(ms) => milliseconds(ms),
        None => "—".to_owned(),
    };
    let row = |&(name, value): &(&str, Value)| {
        let cells = columns.iter().map(|column| cell(name, value, column));
        std::iter::once(name.to_owned()).chain(cells).collect()
    };
    values.iter().map(row).collect()
}

fn latency(page: &mut Page, report: &Report) {
    let Some(latency) = &report.latency_ms else {
        if let Some(why) = no_latency(report) {
            page.heading("Latency");
            page.wrapped(2, why, YELLOW);
        }
        return;
    };
    page.heading("Latency");
    let (uncorrected, lag) = (report.latency_uncorrected_ms.as_ref(), report.schedule_lag_ms.as_ref());
    if report.latency_is_corrected {
        let rows = distribution_rows(&[Some(latency), uncorrected, lag]);
        page.table(&["", "corrected", "uncorrected", "sent late by"], &rows);
    } else {
        page.table(&["", "from send to answer"], &distribution_rows(&[Some(latency)]));
        page.wrapped(2, "Without a schedule there is nothing to correct: waiting is not counted.", DIM);
    }
}

/// Why there is no latency although messages were sent.
pub(super) fn no_latency(report: &Report) -> Option<&'static str> {
    let sent = report.message_bytes.is_some() && report.messages.sent > 0;
    match report.messages.received {
        _ if !sent || report.latency_ms.is_some() => None,
        0 => Some("none: nothing came back"),
        _ => Some(
            "none: what came back is not what was sent, so nothing says which message it answers. With -m each message that comes \
             counts as the answer to the oldest one; or use a server that echoes",
        ),
    }
}

fn handshake(page: &mut Page, report: &Report) {
    if let Some((names, rows)) = handshake_table(report) {
        page.heading("Handshake");
        page.table(&names, &rows);
    }
}

/// Head and rows of the phases of handshakes; rows that say nothing are left out.
pub(super) fn handshake_table(report: &Report) -> Option<(Vec<&'static str>, Vec<Vec<String>>)> {
    let handshake = &report.handshake_ms;
    let total = handshake.total.as_ref()?;
    let phases = [("connect", &handshake.connect), ("tls", &handshake.tls), ("upgrade", &handshake.upgrade)];
    let phases: Vec<_> =
        phases.into_iter().filter_map(|(name, phase)| Some((name, phase.as_ref()?))).collect();
    let names = std::iter::once("").chain(phases.iter().map(|(name, _)| *name)).chain(["total"]).collect();
    let columns: Vec<_> = phases.iter().map(|(_, phase)| Some(*phase)).chain([Some(total)]).collect();
    let rows = distribution_rows(&columns).into_iter();
    Some((names, rows.filter(|row| row[1..].iter().any(|cell| cell != "—")).collect()))
}

fn resumes(page: &mut Page, report: &Report) {
    let resumes = &report.resumes;
    if resumes.count == 0 && resumes.gaps == 0 {
        return;
    }
    page.heading("Resumes");
    let mut text = format!("{} came back", counted(resumes.count, "lost link"));
    if let Some(away) = &resumes.away_ms {
        let p99 = away.p99.map_or_else(|| "—".to_owned(), milliseconds);
        let p50 = away.p50.map_or_else(|| "—".to_owned(), milliseconds);
        text.push_str(&format!(": p50 {p50}, p99 {p99}, longest {}", milliseconds(away.max)));
    }
    if report.session != "off" {
        text.push_str(&format!(" · {} stated", counted(resumes.gaps, "gap")));
    }
    page.wrapped(2, &text, "");
}

fn proof(page: &mut Page, report: &Report) {
    let Some(proof) = &report.messages.proof else { return };
    page.heading("Exactly once");
    for line in proof_lines(report) {
        let tone = if proof.holds() { GREEN } else { RED };
        page.wrapped(2, &line, tone);
    }
}

/// Each direction in a line, and what else is to be said of the proof.
pub(super) fn proof_lines(report: &Report) -> Vec<String> {
    let Some(proof) = &report.messages.proof else { return Vec::new() };
    let mut lines = Vec::new();
    for direction in &proof.directions {
        let clean = direction.is_clean();
        let verdict = if clean { "exactly once" } else { "not exactly once" };
        let way = match direction.direction {
            "round_trip" => "there and back",
            "copies" => "to all",
            other => other,
        };
        lines.push(format!(
            "{verdict}, {way}: {}, {} lost, {} doubled, {} reordered, {} corrupted",
            counted(direction.sent, "message"),
            thousands(direction.lost),
            thousands(direction.doubled),
            thousands(direction.reordered),
            thousands(direction.corrupted)
        ));
        if direction.received > direction.sent {
            lines.push(format!(
                "{way}: {} came, more than were sent, so the counts prove nothing",
                counted(direction.received, "message")
            ));
        }
    }
    if proof.unanswered > 0 {
        lines.push(format!(
            "{} of {} are not proven, nor {} sent on them: their sink did not say what it received",
            thousands(proof.unanswered),
            counted(proof.streams, "stream"),
            counted(proof.unproven, "message")
        ));
    }
    if report.messages.sent > 0 && proof.is_empty() {
        let came = if report.messages.received == 0 {
            "nothing came back"
        } else {
            "nothing that came back is numbered"
        };
        lines.push(format!("{came}: a target that neither echoes nor is an `undrop bench sink`?"));
    }
    lines
}

fn cost(page: &mut Page, report: &Report) {
    let line = cost_line(report);
    if !line.is_empty() {
        page.heading("Cost of the load on this machine");
        page.wrapped(2, &line, "");
    }
}

pub(super) fn cost_line(report: &Report) -> String {
    let mut parts = Vec::new();
    if let Some(us) = report.cost.cpu_us_per_message {
        parts.push(format!("{us:.1} µs of processor time per message sent"));
    }
    if let Some(memory) = report.cost.memory_bytes_per_connection {
        parts.push(format!("{} of memory per connection", bytes(memory)));
    }
    parts.join(" · ")
}

fn thresholds(page: &mut Page, report: &Report) {
    if report.thresholds.is_empty() {
        return;
    }
    page.heading("Conditions");
    for outcome in &report.thresholds {
        let (sign, tone) = if outcome.passed { ("✓", GREEN) } else { ("✗", RED) };
        page.wrapped(2, &format!("{sign} {}: {}", outcome.condition, outcome.found()), tone);
    }
}

/// `1 message`, `2 messages`.
pub(super) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", thousands(count))
}
