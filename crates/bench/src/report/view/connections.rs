//! The sections about connections: endings, failures, handshakes and restored links.

use undrop_report::document::{Align, Block, Grid, Section, Tone};
use undrop_session::SessionMode;
use undrop_text::number::{counted, milliseconds, seconds, thousands};
use undrop_text::printable::truncated;

use super::messages::distributions;
use crate::report::model::LoadReport;

/// The maximum number of rows of a table that a target can make long.
const ROWS: usize = 20;
/// The maximum length of text that comes from a target, in characters.
const FOREIGN: usize = 200;

pub(super) fn endings(report: &LoadReport) -> Option<Section> {
    if report.endings.is_empty() {
        return None;
    }
    let mut grid = Grid::of_numbers(&["ending", "count", "age min", "median", "max", "browser code"]);
    for group in report.endings.iter().take(ROWS) {
        grid.row([
            truncated(&group.ending, FOREIGN),
            thousands(group.count),
            seconds(group.age_min_s),
            seconds(group.age_median_s),
            seconds(group.age_max_s),
            group.browser.to_string(),
        ]);
    }
    let mut section = Section::new("How connections ended").with(Block::Grid(grid));
    for group in report.endings.iter().take(ROWS) {
        let kind = truncated(&group.ending, 60);
        for (reason, count) in &group.reasons {
            let (reason, count) = (truncated(reason, FOREIGN), thousands(*count));
            section.text(Tone::Muted, format!("{kind}, reason “{reason}”: {count}"));
        }
    }
    for group in &report.endings {
        if let Some(hint) = &group.hint {
            section.text(Tone::Warning, format!("Hint for {}: {hint}", truncated(&group.ending, 60)));
        }
    }
    Some(section)
}

pub(super) fn failures(report: &LoadReport) -> Option<Section> {
    if report.failures.is_empty() {
        return None;
    }
    let mut grid = Grid::of_text(&["failure", "stage", "count", "first at", "example"]);
    grid = grid.align(2, Align::Right).align(3, Align::Right);
    for failure in report.failures.iter().take(ROWS) {
        grid.row([
            truncated(&failure.ending, FOREIGN),
            truncated(&failure.stage, FOREIGN),
            thousands(failure.count),
            seconds(failure.first_at_s),
            truncated(&failure.example, FOREIGN),
        ]);
    }
    let mut section = Section::new("Failed handshakes").with(Block::Grid(grid));
    let rest: u64 = report.failures.iter().skip(ROWS).map(|failure| failure.count).sum();
    if rest > 0 {
        section.text(Tone::Muted, format!("{} in other ways", thousands(rest)));
    }
    Some(section)
}

pub(super) fn handshake(report: &LoadReport) -> Option<Section> {
    let handshake = &report.handshake_ms;
    let total = handshake.total.as_ref()?;
    let phases = [
        ("connect", handshake.connect.as_ref()),
        ("tls", handshake.tls.as_ref()),
        ("upgrade", handshake.upgrade.as_ref()),
        ("total", Some(total)),
    ];
    let phases: Vec<_> = phases.into_iter().filter(|(_, phase)| phase.is_some()).collect();
    Some(Section::half("Handshake").with(Block::Grid(distributions(&phases))))
}

pub(super) fn resumes(report: &LoadReport) -> Option<Section> {
    let resumes = &report.resumes;
    if resumes.count == 0 && resumes.gaps == 0 {
        return None;
    }
    let mut text = format!("{} restored", counted(resumes.count, "lost link"));
    if let Some(away) = &resumes.away_ms {
        let or_dash = |ms: Option<f64>| ms.map_or_else(|| "—".to_owned(), milliseconds);
        let (p50, p99, longest) = (or_dash(away.p50), or_dash(away.p99), milliseconds(away.max));
        text.push_str(&format!(
            ", until messages could be sent again: p50 {p50}, p99 {p99}, longest {longest}"
        ));
    }
    if report.session != SessionMode::Off {
        text.push_str(&format!(" · {} reported", counted(resumes.gaps, "gap")));
    }
    Some(Section::new("Restored links").with(Block::Text(Tone::Plain, text)))
}
