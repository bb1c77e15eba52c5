//! The sections about messages: counts, latency and the exactly-once proof.

use undrop_report::document::{Block, Grid, Section, Tone};
use undrop_text::number::{bytes, counted, milliseconds, percent, rate, thousands};

use crate::report::distribution::TimeDistribution;
use crate::report::model::{FULL_RATE, LoadReport};
use crate::report::proof::MessageDirection;

pub(super) fn counts(report: &LoadReport) -> Option<Section> {
    let rates = report.rate.as_ref()?;
    let messages = &report.messages;
    let mut grid = Grid::of_numbers(&["", "messages", "rate", "payload", ""]);
    let per_second = |per_second: f64| format!("{}/s", rate(per_second));
    let size = |size: u64| bytes(size as f64);
    if let (Some(intended), Some(intended_per_s)) = (messages.intended, rates.intended_per_s) {
        grid.row(["intended".to_owned(), thousands(intended), per_second(intended_per_s)]);
    }
    let share = rates.ratio.map_or_else(String::new, |ratio| format!("{} of intended", percent(ratio)));
    let sent = [thousands(messages.sent), per_second(rates.achieved_per_s), size(report.bytes.sent), share];
    grid.row(std::iter::once("sent".to_owned()).chain(sent));
    let received =
        [thousands(messages.received), per_second(rates.received_per_s), size(report.bytes.received)];
    grid.row(std::iter::once("received".to_owned()).chain(received));
    let mut section = Section::new("Messages").with(Block::Grid(grid));
    if let Some(warning) = slow(report) {
        section.text(Tone::Error, warning);
    }
    Some(section)
}

/// Returns the warning that precedes the latency if the rate was not kept.
fn slow(report: &LoadReport) -> Option<String> {
    let ratio = report.rate.as_ref()?.ratio.filter(|ratio| *ratio < FULL_RATE)?;
    Some(format!(
        "Only {} of {} intended messages ({}) were sent, so the latency below is not that of the intended load.",
        thousands(report.messages.sent),
        thousands(report.messages.intended?),
        percent(ratio)
    ))
}

pub(super) fn latency(report: &LoadReport) -> Option<Section> {
    let Some(latency) = &report.latency_ms else {
        let reason = no_latency(report)?;
        return Some(Section::new("Latency").with(Block::Text(Tone::Warning, reason.to_owned())));
    };
    if report.latency_is_corrected {
        let columns = [
            ("corrected", Some(latency)),
            ("uncorrected", report.latency_uncorrected_ms.as_ref()),
            ("send delay", report.schedule_lag_ms.as_ref()),
        ];
        return Some(Section::half("Latency").with(Block::Grid(distributions(&columns))));
    }
    let grid = distributions(&[("send to reply", Some(latency))]);
    let note = "The mode has no schedule, so the latency does not include the time spent waiting to send.";
    Some(Section::half("Latency").with(Block::Grid(grid)).with(Block::Text(Tone::Muted, note.to_owned())))
}

/// Returns the reason why there is no latency although messages were sent.
fn no_latency(report: &LoadReport) -> Option<&'static str> {
    let sent = report.message_bytes.is_some() && report.messages.sent > 0;
    match report.messages.received {
        _ if !sent || report.latency_ms.is_some() => None,
        0 => Some("Not measured: no reply was received."),
        _ => Some(
            "Not measured: the messages received differ from those sent, so replies cannot be matched to messages. With `-m`, each \
             message received counts as the reply to the oldest message without one. Alternatively, use a server that echoes.",
        ),
    }
}

/// Makes a table of distributions, one per column. Rows without a value are left out.
pub(super) fn distributions(columns: &[(&str, Option<&TimeDistribution>)]) -> Grid {
    type Figure = fn(&TimeDistribution) -> Option<f64>;
    const FIGURES: [(&str, Figure); 7] = [
        ("p50", |d| d.p50),
        ("p90", |d| d.p90),
        ("p99", |d| d.p99),
        ("p99.9", |d| d.p99_9),
        ("p99.99", |d| d.p99_99),
        ("max", |d| Some(d.max)),
        ("mean", |d| Some(d.mean)),
    ];
    let names: Vec<&str> = std::iter::once("").chain(columns.iter().map(|(name, _)| *name)).collect();
    let mut grid = Grid::of_numbers(&names);
    for (name, figure) in FIGURES {
        let values: Vec<Option<f64>> = columns.iter().map(|(_, column)| column.and_then(figure)).collect();
        if values.iter().any(Option::is_some) {
            let cells = values.into_iter().map(|ms| ms.map_or_else(|| "—".to_owned(), milliseconds));
            grid.row(std::iter::once(name.to_owned()).chain(cells));
        }
    }
    let counts = columns.iter().map(|(_, column)| column.map_or(0, |distribution| distribution.count));
    grid.row(std::iter::once("count".to_owned()).chain(counts.map(thousands)));
    grid
}

pub(super) fn proof(report: &LoadReport) -> Option<Section> {
    let proof = report.messages.proof.as_ref()?;
    let tone = if proof.holds() { Tone::Good } else { Tone::Error };
    let mut section = Section::new("Exactly once");
    for direction in &proof.directions {
        let verdict = if direction.is_clean() { "exactly once" } else { "not exactly once" };
        let name = match direction.direction {
            MessageDirection::RoundTrip => "round trip",
            MessageDirection::Up => "to the sink",
            MessageDirection::Down => "from the sink",
            MessageDirection::Copies => "copies",
        };
        let line = format!(
            "{name}: {verdict} ({}, {} lost, {} duplicated, {} reordered, {} corrupted)",
            counted(direction.sent, "message"),
            thousands(direction.lost),
            thousands(direction.doubled),
            thousands(direction.reordered),
            thousands(direction.corrupted)
        );
        section.text(tone, line);
        if direction.received > direction.sent {
            let received = counted(direction.received, "message");
            let line =
                format!("{name}: {received} received, more than were sent, so the counts prove nothing");
            section.text(tone, line);
        }
    }
    if proof.unanswered > 0 {
        let line = format!(
            "{} of {} and the {} sent on them could not be verified: the sink did not report what it received",
            thousands(proof.unanswered),
            counted(proof.streams, "stream"),
            counted(proof.unproven, "message")
        );
        section.text(tone, line);
    }
    if report.messages.sent > 0 && proof.is_empty() {
        let observation = if report.messages.received == 0 {
            "nothing was received"
        } else {
            "no message that was received carries a number"
        };
        section
            .text(tone, format!("{observation}: the target may neither echo nor be an `undrop bench sink`"));
    }
    Some(section)
}
