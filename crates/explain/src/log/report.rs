//! All verdicts in one report.

use undrop_report::{Bin, Chart, Finding, Histogram, Report, Table};

use super::ages::{BIN_S, quantile};
use super::clusters::{self, Cluster};
use super::group::Group;
use super::judge::{self, grouped};
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
            // The verdict is what befell the most sessions.
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
        return format!("The format of these {} lines is not known here.", grouped(lines));
    }
    if sessions == 0 {
        return format!(
            "There is no WebSocket session in these {} lines: none has the status 101.",
            grouped(lines)
        );
    }
    format!("{} WebSocket sessions, and no pattern in how they ended.", grouped(sessions))
}

fn named(label: &str, finding: Finding) -> Finding {
    Finding { cause: format!("{label}: {}", finding.cause), ..finding }
}

/// In a log that covers less than this, seconds, a moment is nothing special.
const SHORT_S: i64 = 30;

/// The verdicts on a group; its charts, tables and notes go into the report.
fn judge_group(mut group: Group, several: bool, report: &mut Report) -> Vec<Finding> {
    let mut findings = judge::handshakes(&mut group);
    if group.early > 0 {
        report.notes.push(format!(
            "{} lines were written before the session had ended (`option logasap`): their durations say nothing and are left out.",
            grouped(group.early)
        ));
    }
    if group.tcp && group.sessions > 0 {
        report.notes.push(
            "This is a log of TCP sessions: nothing in it says which were WebSockets, so all of them count."
                .to_owned(),
        );
    }
    if group.sessions == 0 {
        return findings;
    }
    if !group.has_duration || group.aged() == 0 {
        if group.early == 0 {
            findings.push(judge::no_durations(&group));
        }
        return findings;
    }
    if group.ageless > 0 {
        report.notes.push(format!("{} sessions had no readable duration.", grouped(group.ageless)));
    }
    if group.guess {
        report.notes.push(format!(
            "{}: the durations are a number without a name; if it is something else, give the format with --format.",
            group.label
        ));
    }
    if group.blurred() > 0 {
        report.notes.push(format!(
            "There were more different ages than can be kept in memory; {} sessions are in no histogram.",
            grouped(group.blurred())
        ));
    }
    let (bins, total) = (group.bins(), group.aged());
    let clusters = clusters::find(&bins, group.coarse);
    let span_s = group.moments.span_s();
    let crowds = std::mem::take(&mut group.moments).crowds();
    // A log of a moment is all one moment.
    if span_s >= SHORT_S {
        findings.extend(judge::reload(&group, &crowds, total));
    }
    findings.extend(clusters.iter().map(|cluster| judge::cluster(&group, cluster, &crowds, total)));
    findings.extend(judge::at_once(&bins, total));
    let suffix = if several { format!(", {}", group.label) } else { String::new() };
    report.charts.push(Chart::Histogram(histogram(
        &bins,
        &clusters,
        format!("Ages of {} sessions{suffix}", grouped(total)),
    )));
    report.tables.push(ages(&bins, span_s, &suffix));
    report.tables.push(endings(&group, total, &suffix));
    findings
}

/// Ages that people know, seconds: the edges of a histogram's bins.
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

/// The bins of the chart: known ages, and one narrow bin for each cluster.
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
        // In the middle of the bin, so that no rounding moves it over an edge.
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
    let mut table = Table::new(format!("Endings{suffix}"), &["in the log", "sessions", "what it says"]);
    for (name, count) in group.endings(0, u32::MAX).into_iter().take(10) {
        let family = if group.product == Some("haproxy") { "haproxy " } else { "" };
        let meaning = match crate::explain(&format!("{family}{name}")) {
            crate::Answer::Known(found) => {
                found.into_iter().next().map(|one| one.meaning).unwrap_or_default()
            }
            crate::Answer::Unknown { .. } if name == "-" => {
                "nothing went wrong, as far as this hop knows".to_owned()
            }
            crate::Answer::Unknown { .. } => String::new(),
        };
        table.row([name, format!("{} of {}", grouped(count), grouped(total)), meaning]);
    }
    table
}

fn table(files: &[Source]) -> Table {
    let mut table = Table::new("Logs", &["log", "lines", "sessions", "not read", "format"]);
    for file in files {
        let format = file.format.clone().unwrap_or_else(|| "not recognised".to_owned());
        table.row([
            file.name.clone(),
            grouped(file.lines),
            grouped(file.sessions),
            grouped(file.unread),
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
            grouped(lines),
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
            "Known without help: nginx and Apache (combined, common), HAProxy (httplog, tcplog), Envoy and Istio (default, JSON), AWS ALB, Caddy (JSON), nginx JSON. For others give --format with the log_format of the configuration.".to_owned(),
        );
    }
}
