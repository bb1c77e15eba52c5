//! For people at a terminal.

use crate::chart::{Chart, Histogram, LaneState, Lanes};
use crate::wrap::{columns, printable, wrap};
use crate::{Finding, Fix, Report, Severity, Table};

/// How a terminal is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// With ANSI colours.
    pub colour: bool,
    /// Columns to fill, at least 40.
    pub width: usize,
}

impl Style {
    /// 80 columns without colour.
    pub const fn plain() -> Style {
        Style { colour: false, width: 80 }
    }
}

/// The report for a terminal, each line ended.
pub fn terminal(report: &Report, style: &Style) -> String {
    let mut page = Page { out: String::new(), colour: style.colour, width: style.width.max(40) };
    page.report(report);
    page.out
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";
const BOLD: &str = "1";
const DIM: &str = "2";

/// Width of the labels of a finding, with the space behind.
const LABEL: usize = 14;

struct Page {
    out: String,
    colour: bool,
    width: usize,
}

impl Page {
    fn report(&mut self, report: &Report) {
        let subject = self.paint(&printable(&report.subject), BOLD);
        self.line(&subject);
        self.line("");
        let colour = match report.worst() {
            Some(Severity::Error) => RED,
            Some(Severity::Warning) => YELLOW,
            _ => GREEN,
        };
        for line in wrap(&printable(&report.verdict), self.width) {
            let line = self.paint(&self.paint(&line, colour), BOLD);
            self.line(&line);
        }
        for finding in &report.findings {
            self.line("");
            self.finding(finding);
        }
        for chart in &report.charts {
            self.line("");
            match chart {
                Chart::Lanes(lanes) => self.lanes(lanes),
                Chart::Histogram(histogram) => self.histogram(histogram),
            }
        }
        for table in report.tables.iter().filter(|table| !table.rows.is_empty()) {
            self.line("");
            self.table(table);
        }
        if !report.notes.is_empty() {
            self.line("");
        }
        for note in &report.notes {
            self.bullet("", note);
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let (sign, colour) = match finding.severity {
            Severity::Error => ("✗", RED),
            Severity::Warning => ("!", YELLOW),
            Severity::Note => ("·", CYAN),
        };
        let head = format!("{sign} {}", finding.severity);
        let rest = format!(" {} · confidence {}", finding.id, finding.confidence);
        let head = format!("{}{}", self.paint(&head, colour), self.paint(&rest, DIM));
        self.line(&head);
        for line in wrap(&printable(&finding.cause), self.width - 2) {
            let line = format!("  {}", self.paint(&line, BOLD));
            self.line(&line);
        }
        if let Some(hop) = &finding.hop {
            self.labelled("where", hop);
        }
        if let Some(value) = &finding.value {
            self.labelled("value", &value.to_string());
        }
        self.list("evidence", &finding.evidence);
        self.list("refuted by", &finding.refuted_by);
        self.list("or else", &finding.candidates);
        for fix in &finding.fixes {
            self.fix(fix);
        }
        if let Some(rule) = &finding.rule {
            self.labelled("lint rule", rule);
        }
        if let Some(preset) = &finding.preset {
            self.labelled("reproduce", &format!("undrop chaos --preset {preset}"));
        }
    }

    fn fix(&mut self, fix: &Fix) {
        if fix.language == "text" {
            self.labelled("fix", &fix.text);
            if !fix.reason.is_empty() {
                self.labelled("", &fix.reason);
            }
        } else {
            self.labelled("fix", if fix.reason.is_empty() { &fix.language } else { &fix.reason });
            let indent = " ".repeat(LABEL + 2);
            for line in printable(fix.text.trim_matches('\n')).lines() {
                let line = format!("{indent}{}", self.paint(line, GREEN));
                self.line(line.trim_end());
            }
        }
        if let Some(command) = &fix.validator {
            self.labelled("check it", command);
        }
    }

    fn labelled(&mut self, label: &str, text: &str) {
        let mut label = label;
        for line in wrap(&printable(text), self.width - LABEL - 2) {
            let padding = " ".repeat(LABEL - columns(label));
            let line = format!("  {}{padding}{line}", self.paint(label, DIM));
            self.line(line.trim_end());
            label = "";
        }
    }

    fn list(&mut self, label: &str, items: &[String]) {
        let mut label = label;
        for item in items {
            self.bullet(std::mem::take(&mut label), item);
        }
    }

    fn bullet(&mut self, label: &str, text: &str) {
        let mut start = if label.is_empty() {
            " ".repeat(LABEL + 2)
        } else {
            format!("  {}{}", self.paint(label, DIM), " ".repeat(LABEL - columns(label)))
        };
        start.push_str("· ");
        for line in wrap(&printable(text), self.width - LABEL - 4) {
            let line = format!("{start}{line}");
            self.line(line.trim_end());
            start = " ".repeat(LABEL + 4);
        }
    }

    fn title(&mut self, title: &str) {
        let title = self.paint(&printable(title), BOLD);
        self.line(&title);
    }

    fn lanes(&mut self, chart: &Lanes) {
        self.title(&chart.title);
        let names = chart.lanes.iter().map(|lane| columns(&lane.name)).max().unwrap_or(0).min(24);
        // Beside the bar: two spaces before, the age, the longest of the short endings.
        let room = self.width.saturating_sub(names + 37).max(10);
        let until = chart.until_s.max(f64::MIN_POSITIVE);
        let at = |s: f64| ((s / until).clamp(0.0, 1.0) * (room - 1) as f64).round() as usize;
        for lane in &chart.lanes {
            let (from, to) = (at(lane.from_s), at(lane.to_s));
            let (end, colour) = match lane.state {
                LaneState::Alive => ('▶', GREEN),
                LaneState::Ended => ('✗', RED),
                LaneState::Failed => ('!', YELLOW),
            };
            let mut bar: Vec<char> = vec![' '; room];
            bar[from..=to.max(from)].fill('━');
            bar[to.max(from)] = end;
            let bar: String = bar.into_iter().collect();
            let age = (lane.to_s - lane.from_s).max(0.0);
            let what = match (&lane.ending, lane.state) {
                (Some(ending), _) => printable(ending),
                (None, LaneState::Alive) => "alive".to_owned(),
                (None, _) => String::new(),
            };
            let name: String = printable(&lane.name).chars().take(names).collect();
            let padding = " ".repeat(names - columns(&name));
            let what: String = what.chars().take(self.width.saturating_sub(names + room + 13)).collect();
            let line = format!("  {name}{padding} {} {age:>6.1} s {what}", self.paint(&bar, colour));
            self.line(line.trim_end());
        }
    }

    fn histogram(&mut self, chart: &Histogram) {
        self.title(&chart.title);
        let most = chart.bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
        let room = self.width.saturating_sub(36).max(10);
        for bin in &chart.bins {
            let length = (bin.count as f64 / most as f64 * room as f64).ceil() as usize;
            let range = format!("{:.1} to {:.1} {}", bin.from, bin.to, chart.unit);
            let bar = "█".repeat(length);
            let line = format!("  {range:<20} {} {}", self.paint(&bar, CYAN), bin.count);
            self.line(&line);
        }
    }

    fn table(&mut self, table: &Table) {
        self.title(&table.title);
        let cell = |row: &Vec<String>, i: usize| printable(row.get(i).map_or("", String::as_str));
        let mut widths: Vec<usize> = table.columns.iter().map(|name| columns(name)).collect();
        for row in &table.rows {
            for (i, width) in widths.iter_mut().enumerate() {
                *width = (*width).max(columns(&cell(row, i)));
            }
        }
        // The last column takes what is left and is wrapped.
        let before: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
        let last = self.width.saturating_sub(before + 2).max(20);
        let head = table.has_head().then_some(&table.columns);
        for (number, row) in head.into_iter().chain(&table.rows).enumerate() {
            let mut start = String::from("  ");
            for (i, width) in widths.iter().enumerate().take(widths.len().saturating_sub(1)) {
                let text = cell(row, i);
                let padding = " ".repeat(width - columns(&text) + 2);
                start.push_str(&text);
                start.push_str(&padding);
            }
            let text = cell(row, widths.len().saturating_sub(1));
            for line in wrap(&text, last) {
                let mut line = format!("{start}{line}").trim_end().to_owned();
                if number == 0 && table.has_head() {
                    line = self.paint(&line, DIM);
                }
                self.line(&line);
                start = " ".repeat(before + 2);
            }
        }
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bin, Confidence, Lane, Measure};

    fn sample() -> Report {
        let mut report = Report::new(
            "ws://127.0.0.1:8080/echo",
            "An idle timer of 60.0 s on nginx ends connections that are quiet for that long.",
        );
        let fix =
            Fix::block("nginx", "proxy_read_timeout 120s;\n", "Lets a connection be silent for longer.");
        report.add(
            Finding::new(
                "idle-cut",
                Severity::Error,
                Confidence::High,
                "An idle timer of 60.0 s ends quiet connections: longer than one line of eighty columns can hold.",
            )
            .at("nginx (proxy_pass)")
            .value(Measure { value: 60.0, spread: 0.05, unit: "s".to_owned(), samples: 4 })
            .evidence("silent: FIN without close frame after 60.0 s (a browser reports 1006)")
            .evidence("ping: alive after 130 s")
            .refuted_by("a direct connection to the origin that ends at the same age")
            .candidate("AWS Application Load Balancer")
            .fix(fix.validator("nginx -t"))
            .rule("read-timeout-too-short")
            .preset("nginx"),
        );
        let lane = |name: &str, to_s, state, ending: Option<&str>| Lane {
            name: name.to_owned(),
            from_s: 0.0,
            to_s,
            state,
            ending: ending.map(str::to_owned),
        };
        report.charts.push(Chart::Lanes(Lanes {
            title: "Arms".to_owned(),
            until_s: 130.0,
            lanes: vec![
                lane("silent", 60.0, LaneState::Ended, Some("FIN without close frame")),
                lane("ping", 130.0, LaneState::Alive, None),
            ],
        }));
        report.charts.push(Chart::Histogram(Histogram {
            title: "Ages".to_owned(),
            unit: "s".to_owned(),
            bins: vec![Bin { from: 59.5, to: 60.5, count: 12 }],
        }));
        let mut table = Table::new("Stages", &["stage", "outcome"]);
        table.row(["TCP", "127.0.0.1:8080 in 0.1 ms"]);
        report.tables.push(table);
        report.notes.push("A second run may see what this one did not.".to_owned());
        report
    }

    #[test]
    fn nothing_is_wider_than_the_terminal_and_all_is_there() {
        let text = terminal(&sample(), &Style::plain());
        for line in text.lines() {
            assert!(columns(line) <= 80, "{} columns: {line}", columns(line));
        }
        for part in [
            "✗ error idle-cut · confidence high",
            "  where         nginx (proxy_pass)",
            "  value         60.0 s ± 0.1 s (4 times)",
            "                proxy_read_timeout 120s;",
            "  check it      nginx -t",
            "  reproduce     undrop chaos --preset nginx",
            "130.0 s alive",
            "59.5 to 60.5 s",
            "  TCP    127.0.0.1:8080 in 0.1 ms",
        ] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let coloured = terminal(&sample(), &Style { colour: true, width: 80 });
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\x1b') {
            plain.push_str(before);
            rest = after.split_once('m').map_or("", |(_, rest)| rest);
        }
        plain.push_str(rest);
        assert_eq!(plain, terminal(&sample(), &Style::plain()));
    }

    #[test]
    fn what_a_server_sent_cannot_steer_the_terminal() {
        let report = Report::new("ws://x", "the body was \u{1b}]0;title\u{7}");
        assert!(!terminal(&report, &Style::plain()).contains('\u{1b}'));
    }
}
