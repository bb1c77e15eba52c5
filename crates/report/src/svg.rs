//! Charts as SVG, to stand inside HTML. Colours come from the page's style sheet.

use std::fmt::Write;

use crate::chart::{Chart, Histogram, LaneState, Lanes};
use crate::html::escape;

/// Width of every chart, in its own units.
const WIDTH: f64 = 860.0;
/// Where the plot begins; names stand before.
const LEFT: f64 = 190.0;
/// Where the plot ends; outcomes stand behind.
const RIGHT: f64 = 610.0;
const ROW: f64 = 22.0;

pub(crate) fn chart(chart: &Chart) -> String {
    match chart {
        Chart::Lanes(chart) => lanes(chart),
        Chart::Histogram(chart) => histogram(chart),
    }
}

fn open(out: &mut String, height: f64, label: &str) {
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\" xmlns=\"http://www.w3.org/2000/svg\">",
        escape(label)
    );
}

fn text(out: &mut String, x: f64, y: f64, class: &str, content: &str) {
    let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>", escape(content));
}

fn lanes(chart: &Lanes) -> String {
    let mut out = String::new();
    let rows = chart.lanes.len() as f64;
    let until = chart.until_s.max(f64::MIN_POSITIVE);
    let x = |s: f64| LEFT + (s / until).clamp(0.0, 1.0) * (RIGHT - LEFT);
    open(&mut out, rows * ROW + 34.0, &chart.title);
    let step = step(until);
    let mut tick = 0.0;
    while tick <= until {
        let at = x(tick);
        let bottom = rows * ROW + 8.0;
        let _ = write!(out, "<line x1=\"{at:.1}\" y1=\"4\" x2=\"{at:.1}\" y2=\"{bottom}\" class=\"grid\"/>");
        text(&mut out, at, rows * ROW + 24.0, "tick", &format!("{tick} s"));
        tick += step;
    }
    for (i, lane) in chart.lanes.iter().enumerate() {
        let middle = i as f64 * ROW + 4.0 + ROW / 2.0;
        let (from, to) = (x(lane.from_s), x(lane.to_s).max(x(lane.from_s) + 2.0));
        let class = match lane.state {
            LaneState::Alive => "alive",
            LaneState::Ended => "ended",
            LaneState::Failed => "failed",
        };
        text(&mut out, LEFT - 8.0, middle + 4.0, "name", &lane.name);
        let (y, width) = (middle - 5.0, to - from);
        let _ = write!(
            out,
            "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"10\" rx=\"3\" class=\"{class}\"/>"
        );
        let age = lane.to_s - lane.from_s;
        let outcome = match &lane.ending {
            Some(ending) => format!("{age:.1} s · {ending}"),
            None => format!("{age:.1} s · {class}"),
        };
        text(&mut out, RIGHT + 10.0, middle + 4.0, "outcome", &outcome);
    }
    out.push_str("</svg>");
    out
}

fn histogram(chart: &Histogram) -> String {
    let mut out = String::new();
    open(&mut out, chart.bins.len() as f64 * ROW + 8.0, &chart.title);
    let most = chart.bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
    for (i, bin) in chart.bins.iter().enumerate() {
        let middle = i as f64 * ROW + 4.0 + ROW / 2.0;
        let range = format!("{:.1} to {:.1} {}", bin.from, bin.to, chart.unit);
        text(&mut out, LEFT - 8.0, middle + 4.0, "name", &range);
        let width = (bin.count as f64 / most as f64 * (RIGHT - LEFT)).max(1.0);
        let y = middle - 7.0;
        let _ = write!(
            out,
            "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"14\" rx=\"2\" class=\"bar\"/>"
        );
        text(&mut out, LEFT + width + 8.0, middle + 4.0, "outcome", &bin.count.to_string());
    }
    out.push_str("</svg>");
    out
}

/// The distance of the marks of an axis: 1, 2 or 5 times a power of ten, so that there are 5 to 12.
fn step(until: f64) -> f64 {
    let rough = until / 10.0;
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough).unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_neither_few_nor_many() {
        for (until, wanted) in [(130.0, 20.0), (10.0, 1.0), (900.0, 100.0), (15.0, 2.0), (0.5, 0.05)] {
            assert!((step(until) - wanted).abs() < 1e-9, "{until}: {}", step(until));
        }
    }
}
