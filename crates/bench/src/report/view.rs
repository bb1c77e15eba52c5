//! The document that shows a report, and its two forms.
//!
//! Everything that is shown becomes text here, once. The renderers of `undrop-report` draw it.

mod connections;
mod headline;
mod messages;
mod modes;
mod plots;
mod tiles;

use undrop_report::Style;
use undrop_report::document::{Block, Cell, Document, Grid, OpeningOrder, Section, Tone};
use undrop_text::number::bytes;

use super::model::LoadReport;

/// Renders the report for a terminal. The first line is the survival of the connections, however long it is.
pub fn text(report: &LoadReport, style: &Style) -> String {
    document(report, Medium::Terminal).to_terminal(style)
}

/// Renders the report as an HTML page that needs no other file.
pub fn html(report: &LoadReport) -> String {
    document(report, Medium::Page).to_html()
}

/// The medium of a document. A page is read from the top, a terminal from the bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    Terminal,
    Page,
}

fn document(report: &LoadReport, medium: Medium) -> Document {
    let mut sections = Vec::new();
    if medium == Medium::Page {
        sections.extend(conditions(report));
        sections.extend(plots::all(report));
    }
    sections.extend(connections::endings(report));
    sections.extend(connections::failures(report));
    sections.extend(modes::all(report));
    sections.extend(messages::counts(report));
    sections.extend(messages::latency(report));
    sections.extend(connections::handshake(report));
    sections.extend(connections::resumes(report));
    sections.extend(messages::proof(report));
    sections.extend(cost(report));
    if medium == Medium::Terminal {
        sections.extend(conditions(report));
    }
    Document {
        title: format!("undrop bench · {}", report.target),
        subject: headline::subject(report),
        headline: report.survival_line(),
        tone: headline::tone(report),
        opening: OpeningOrder::HeadlineFirst,
        tiles: if medium == Medium::Page { tiles::all(report) } else { Vec::new() },
        sections,
        notes: if medium == Medium::Page { notes(report) } else { Vec::new() },
    }
}

fn conditions(report: &LoadReport) -> Option<Section> {
    if report.thresholds.is_empty() {
        return None;
    }
    let mut grid = Grid::of_text(&["", "", ""]);
    for result in &report.thresholds {
        let (tone, mark) = if result.passed { (Tone::Good, "✓ met") } else { (Tone::Error, "✗ missed") };
        grid.row([
            Cell { text: mark.to_owned(), tone },
            Cell::from(result.condition.as_str()),
            Cell::from(result.found()),
        ]);
    }
    Some(Section::new("Conditions").with(Block::Grid(grid)))
}

fn cost(report: &LoadReport) -> Option<Section> {
    let cpu = report.cost.cpu_us_per_message;
    let cpu = cpu.map(|us| format!("{us:.1} µs of CPU time per message sent"));
    let memory = report.cost.memory_bytes_per_connection;
    let memory = memory.map(|size| format!("{} of memory per connection", bytes(size)));
    let parts: Vec<String> = cpu.into_iter().chain(memory).collect();
    let text = Block::Text(Tone::Plain, parts.join(" · "));
    (!parts.is_empty()).then(|| Section::new("Cost of the load on this machine").with(text))
}

fn notes(report: &LoadReport) -> Vec<String> {
    let mut notes = Vec::new();
    if report.latency_is_corrected && report.latency_ms.is_some() {
        notes.push(
            "Corrected latency is counted from the time at which a message should have been sent, so it includes the time spent \
             waiting for a slow target (coordinated omission). A dash means that there are too few values."
                .to_owned(),
        );
    }
    notes.push(format!("undrop bench {}, seed {}", report.version, report.seed));
    notes
}
