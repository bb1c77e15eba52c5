//! The figures that matter most.

use undrop_report::document::{Tile, Tone};
use undrop_text::number::{counted, milliseconds, percent, rate, thousands};

use super::headline;
use crate::report::distribution::TimeDistribution;
use crate::report::model::LoadReport;
use crate::report::proof::Proof;

/// Returns the tiles, from left to right.
pub(super) fn all(report: &LoadReport) -> Vec<Tile> {
    let tiles = [
        Some(survival(report)),
        send_rate(report),
        latency(report),
        report.messages.proof.as_ref().map(proof),
        resumes(report),
        report.handshake_ms.total.as_ref().map(|total| high(total, "handshake")),
    ];
    tiles.into_iter().flatten().collect()
}

fn survival(report: &LoadReport) -> Tile {
    let connections = &report.connections;
    Tile {
        tone: headline::tone(report),
        value: connections.survival.map_or_else(|| "—".to_owned(), percent),
        caption: format!(
            "survived: {} of {}",
            thousands(connections.alive_at_end),
            thousands(connections.opened)
        ),
    }
}

fn send_rate(report: &LoadReport) -> Option<Tile> {
    let rates = report.rate.as_ref()?;
    let (tone, caption) = match rates.ratio {
        Some(ratio) => (
            if report.is_slow() { Tone::Error } else { Tone::Good },
            format!("sent: {} of the intended rate", percent(ratio)),
        ),
        None => (Tone::Plain, "sent".to_owned()),
    };
    Some(Tile { tone, value: format!("{}/s", rate(rates.achieved_per_s)), caption })
}

fn latency(report: &LoadReport) -> Option<Tile> {
    let name = if report.latency_is_corrected { "latency, corrected" } else { "latency" };
    report.latency_ms.as_ref().map(|latency| high(latency, name))
}

fn proof(proof: &Proof) -> Tile {
    let wrong = proof.sum(|counts| counts.lost + counts.doubled + counts.reordered + counts.corrupted);
    let (tone, value) = match (proof.holds(), wrong) {
        (true, _) => (Tone::Good, "exactly once".to_owned()),
        (false, 0) => (Tone::Error, "not verified".to_owned()),
        (false, wrong) => (Tone::Error, format!("{} wrong", thousands(wrong))),
    };
    Tile { tone, value, caption: format!("of {}", counted(proof.sum(|counts| counts.sent), "message")) }
}

fn resumes(report: &LoadReport) -> Option<Tile> {
    let away = report.resumes.away_ms.as_ref();
    let longest = away.map_or_else(|| "—".to_owned(), |away| milliseconds(away.max));
    (report.resumes.count > 0).then(|| Tile {
        tone: Tone::Plain,
        value: thousands(report.resumes.count),
        caption: format!("links restored, the slowest after {longest}"),
    })
}

/// Shows the 99th percentile, or the highest value if there are too few.
fn high(distribution: &TimeDistribution, name: &str) -> Tile {
    let (figure, value) = match distribution.p99 {
        Some(p99) => ("p99", p99),
        None => ("highest", distribution.max),
    };
    Tile { tone: Tone::Plain, value: milliseconds(value), caption: format!("{figure} {name}") }
}
