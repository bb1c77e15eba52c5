//! The document that shows a [`Report`].

use crate::chart::Chart;
use crate::document::{Block, Card, CardEntry, CardValue, Document, Grid, OpeningOrder, Section, Tone};
use crate::{Finding, Fix, Report, Severity, Style, Table};

/// Renders the report for a terminal; every line ends with a line feed.
pub fn terminal(report: &Report, style: &Style) -> String {
    document(report).to_terminal(style)
}

/// Renders the report as an HTML page that needs no other file.
pub fn html(report: &Report) -> String {
    document(report).to_html()
}

/// Renders the report as Markdown without its charts.
pub fn markdown(report: &Report) -> String {
    document(report).to_markdown()
}

fn document(report: &Report) -> Document {
    let findings = report.findings.iter().map(|finding| Section::new("").with(Block::Card(card(finding))));
    let charts = report.charts.iter().map(|chart| {
        let title = match chart {
            Chart::Lanes(lanes) => &lanes.title,
            Chart::Histogram(histogram) => &histogram.title,
        };
        Section::new(title).with(Block::Chart(chart.clone()))
    });
    let tables = report.tables.iter().filter(|table| !table.rows.is_empty());
    let tables = tables.map(|table| Section::new(&table.title).with(Block::Grid(grid(table))));
    Document {
        title: report.subject.clone(),
        subject: report.subject.clone(),
        headline: report.verdict.clone(),
        tone: match report.worst() {
            Some(Severity::Error) => Tone::Error,
            Some(Severity::Warning) => Tone::Warning,
            Some(Severity::Note) | None => Tone::Good,
        },
        opening: OpeningOrder::SubjectFirst,
        tiles: Vec::new(),
        sections: findings.chain(charts).chain(tables).collect(),
        notes: report.notes.clone(),
    }
}

fn card(finding: &Finding) -> Card {
    let text = |text: &String| CardValue::Text(text.clone());
    let items = |items: &[String]| (!items.is_empty()).then(|| CardValue::Items(items.to_vec()));
    let entry = |label, value: Option<CardValue>| value.map(|value| CardEntry { label, value });
    let reproduce = finding.preset.as_ref();
    let reproduce = reproduce.map(|preset| CardValue::Command(format!("undrop chaos --preset {preset}")));
    let entries = [
        entry("where", finding.hop.as_ref().map(text)),
        entry("value", finding.value.as_ref().map(|value| CardValue::Text(value.to_string()))),
        entry("evidence", items(&finding.evidence)),
        entry("refuted by", items(&finding.refuted_by)),
        entry("other candidates", items(&finding.candidates)),
    ];
    let fixes = finding.fixes.iter().flat_map(fix);
    Card {
        tone: match finding.severity {
            Severity::Error => Tone::Error,
            Severity::Warning => Tone::Warning,
            Severity::Note => Tone::Note,
        },
        severity: finding.severity.to_string(),
        meta: format!("{} · confidence {}", finding.id, finding.confidence),
        title: finding.cause.clone(),
        entries: entries.into_iter().flatten().chain(fixes).chain(entry("reproduce", reproduce)).collect(),
    }
}

fn fix(fix: &Fix) -> Vec<CardEntry> {
    let value = if fix.is_advice() {
        let pause = if fix.reason.is_empty() { "" } else { " " };
        CardValue::Text(format!("{}{pause}{}", fix.text, fix.reason))
    } else {
        CardValue::Code { reason: fix.reason.clone(), language: fix.language.clone(), text: fix.text.clone() }
    };
    let check = fix
        .validator
        .clone()
        .map(|command| CardEntry { label: "check with", value: CardValue::Command(command) });
    std::iter::once(CardEntry { label: "fix", value }).chain(check).collect()
}

fn grid(table: &Table) -> Grid {
    let mut grid = Grid::of_text(&table.columns);
    for row in &table.rows {
        grid.row(row.iter().map(String::as_str));
    }
    grid
}

#[cfg(test)]
mod tests;
