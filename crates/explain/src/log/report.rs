//! Builds the report of a survey.

use undrop_report::{Bin, Chart, Finding, Histogram, Report, Table};
use undrop_text::number::thousands;

use super::ages::{BIN_S, quantile};
use super::clusters::{self, Cluster};
use super::findings;
use super::group::Group;
use super::{Source, Survey};

pub(super) fn report(survey: Survey) -> Report {
    let Survey { groups, files, unread, .. } = survey;
    let subject = match files.as_slice() {
        [file] => file.name.clone(),
        files => format!("{} logs", files.len()),
    };
    let mut report = Report::new(subject, String::new());
    let several = groups.len() > 1;
    let mut sessions = 0;
    let mut worst: Option<(u32, String)> = None;
    for group in groups {
        sessions += group.sessions;
        let label = group.label.clone();
        for finding in judge_group(group, several, &mut report) {
            let finding = if several { named(&label, finding) } else { finding };
            // The verdict is the finding that affects the most sessions.
            let count = match &finding.value {
                Some(value) if value.unit == "sessions" => value.value as u32,
                Some(value) => value.samples,
                None => 0,
            };
            if worst.as_ref().is_none_or(|(most, _)| count > *most) {
                worst = Some((count, finding.cause.clone()));
            }
            report.add(finding);
        }
    }
    report.verdict = verdict(&report, worst.map(|(_, cause)| cause), &files, sessions);
    report.tables.push(table(&files));
    notes(&mut report, &files, &unread);
    report
}

fn verdict(report: &Report, worst: Option<String>, files: &[Source], sessions: u64) -> String {
    if let Some(worst) = worst {
        return match report.findings.len() {
            1 => worst,
            2 => format!("{worst} One more finding below."),
            count => format!("{worst} {} more findings below.", count - 1),
        };
    }
    let lines: u64 = files.iter().map(|file| file.lines).sum();
    if !files.iter().any(|file| file.format.is_some()) {
        return format!("The format of these {} lines is not known.", thousands(lines));
    }
    if sessions == 0 {
        return format!(
            "There is no WebSocket session in these {} lines: none has the status 101.",
            thousands(lines)
        );
    }
    format!("{} WebSocket sessions, without a pattern in their ends.", thousands(sessions))
}

fn named(label: &str, finding: Finding) -> Finding {
    Finding { cause: format!("{label}: {}", finding.cause), ..finding }
}

/// The duration of a log in seconds below which a common moment proves nothing.
const SHORT_S: i64 = 30;

/// Returns the findings about a group, and adds its charts, tables and notes to the report.
fn judge_group(mut group: Group, several: bool, report: &mut Report) -> Vec<Finding> {
    let mut findings = findings::handshakes(&mut group);
    if group.early > 0 {
        report.notes.push(format!(
            "{} lines were written before the session ended (`option logasap`); their durations are meaningless and ignored.",
            thousands(group.early)
        ));
    }
    if group.tcp && group.sessions > 0 {
        report.notes.push(
            "This is a log of TCP sessions; it does not show which are WebSockets, so all of them count."
                .to_owned(),
        );
    }
    if group.sessions == 0 {
        return findings;
    }
    if !group.has_duration || group.aged() == 0 {
        if group.early == 0 {
            findings.push(findings::no_durations(&group));
        }
        return findings;
    }
    if group.ageless > 0 {
        report.notes.push(format!("{} sessions had no readable duration.", thousands(group.ageless)));
    }
    if group.guess {
        report.notes.push(format!(
            "{}: the duration was taken from a number without a name; if this is wrong, pass the format with --format.",
            group.label
        ));
    }
    if group.blurred() > 0 {
        report.notes.push(format!(
            "There are more different ages than fit into memory; {} sessions are missing in the histogram.",
            thousands(group.blurred())
        ));
    }
    let (bins, total) = (group.bins(), group.aged());
    let clusters = clusters::find(&bins, group.coarse);
    let span_s = group.moments.span_s();
    let crowds = std::mem::take(&mut group.moments).crowds();
    // In a very short log, everything ends at the same moment.
    if span_s >= SHORT_S {
        findings.extend(findings::reload(&group, &crowds, total));
    }
    findings.extend(clusters.iter().map(|cluster| findings::cluster(&group, cluster, &crowds, total)));
    findings.extend(findings::at_once(&bins, total));
    let suffix = if several { format!(", {}", group.label) } else { String::new() };
    report.charts.push(Chart::Histogram(histogram(
        &bins,
        &clusters,
        format!("Ages of {} sessions{suffix}", thousands(total)),
    )));
    report.tables.push(ages(&bins, span_s, &suffix));
    report.tables.push(endings(&group, total, &suffix));
    findings
}

/// Common timer values in seconds, which are the edges of the bins.
const LADDER: [f64; 26] = [
    0.0,
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    30.0,
    45.0,
    60.0,
    90.0,
    120.0,
    180.0,
    240.0,
    300.0,
    420.0,
    600.0,
    900.0,
    1800.0,
    3600.0,
    7200.0,
    14_400.0,
    28_800.0,
    57_600.0,
    86_400.0,
    604_800.0,
    5_184_000.0,
];

/// Returns the bins of the chart: common timer values, and one narrow bin for each cluster.
fn histogram(bins: &[(u32, u32)], clusters: &[Cluster], title: String) -> Histogram {
    let mut edges: Vec<f64> = LADDER.to_vec();
    for cluster in clusters {
        let from = (f64::from(cluster.from) * BIN_S * 10.0).floor() / 10.0;
        let to = (f64::from(cluster.to + 1) * BIN_S * 10.0).ceil() / 10.0;
        edges.retain(|edge| *edge <= from || *edge >= to);
        edges.extend([from, to]);
    }
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    let mut chart: Vec<Bin> =
        edges.windows(2).map(|pair| Bin { from: pair[0], to: pair[1], count: 0 }).collect();
    for (bin, count) in bins {
        // The middle of the bin is used, so that rounding does not move it across an edge.
        let age = (f64::from(*bin) + 0.5) * BIN_S;
        let at = chart.partition_point(|bin| bin.to <= age);
        if let Some(bin) = chart.get_mut(at) {
            bin.count += u64::from(*count);
        }
    }
    let first = chart.iter().position(|bin| bin.count > 0).unwrap_or(0);
    let last = chart.iter().rposition(|bin| bin.count > 0).map_or(0, |last| last + 1);
    let bins = chart.get(first..last).unwrap_or_default().to_vec();
    Histogram { title, unit: "s".to_owned(), bins }
}

fn ages(bins: &[(u32, u32)], span_s: i64, suffix: &str) -> Table {
    let mut table = Table::new(format!("Ages{suffix}"), &["part of the sessions", "ended within"]);
    for (part, name) in [(0.1, "10 %"), (0.5, "half"), (0.9, "90 %"), (0.99, "99 %"), (1.0, "all")] {
        table.row([name.to_owned(), format!("{:.2} s", quantile(bins, part) + BIN_S)]);
    }
    table.row(["from the first end to the last".to_owned(), format!("{span_s} s")]);
    table
}

fn endings(group: &Group, total: u64, suffix: &str) -> Table {
    let mut table = Table::new(format!("Endings{suffix}"), &["in the log", "sessions", "meaning"]);
    for (name, count) in group.endings(0, u32::MAX).into_iter().take(10) {
        let family = if group.product == Some("haproxy") { "haproxy " } else { "" };
        let meaning = match crate::explain(&format!("{family}{name}")) {
            crate::Lookup::Known(found) => {
                found.into_iter().next().map(|one| one.meaning).unwrap_or_default()
            }
            crate::Lookup::Unknown { .. } if name == "-" => "no error, as far as this hop knows".to_owned(),
            crate::Lookup::Unknown { .. } => String::new(),
        };
        table.row([name, format!("{} of {}", thousands(count), thousands(total)), meaning]);
    }
    table
}

fn table(files: &[Source]) -> Table {
    let mut table = Table::new("Logs", &["log", "lines", "sessions", "not read", "format"]);
    for file in files {
        let format = file.format.clone().unwrap_or_else(|| "not recognised".to_owned());
        table.row([
            file.name.clone(),
            thousands(file.lines),
            thousands(file.sessions),
            thousands(file.unread),
            format,
        ]);
    }
    table
}

fn notes(report: &mut Report, files: &[Source], unread: &[String]) {
    let lines: u64 = files.iter().map(|file| file.unread).sum();
    if lines > 0 {
        report.notes.push(format!(
            "Lines that could not be read: {}. The first: {}",
            thousands(lines),
            unread.join(" · ")
        ));
    }
    for file in files {
        if let Some(broken) = &file.broken {
            report.notes.push(format!("{} {broken}", file.name));
        }
    }
    if files.iter().any(|file| file.format.is_none() && file.lines > 0) {
        report.notes.push(
            "Formats that are recognised: nginx and Apache (combined, common), HAProxy (httplog, tcplog), Envoy and Istio (default, JSON), AWS ALB, Caddy (JSON), nginx JSON. For other formats, pass --format with the log_format of the configuration.".to_owned(),
        );
    }
}
