//! Charts that consist of one bar per line.

use undrop_text::number::thousands;
use undrop_text::printable;

use super::{Paint, TextScreen};
use crate::chart::{Chart, Histogram, LaneState, Lanes};
use crate::layout::{fit, pad, pad_left, width};

/// The fewest columns of a bar.
const SHORTEST_BAR: usize = 8;

impl TextScreen {
    pub(super) fn chart(&mut self, chart: &Chart) {
        match chart {
            Chart::Lanes(chart) => self.lanes(chart),
            Chart::Histogram(chart) => self.histogram(chart),
        }
    }

    fn lanes(&mut self, chart: &Lanes) {
        let rows: Vec<[String; 3]> = chart
            .lanes
            .iter()
            .map(|lane| {
                let age = format!("{:.1} s", (lane.to_s - lane.from_s).max(0.0));
                let outcome = match (&lane.ending, lane.state) {
                    (Some(ending), _) => printable::line(ending).into_owned(),
                    (None, LaneState::Alive) => "alive".to_owned(),
                    (None, LaneState::Ended | LaneState::Failed) => String::new(),
                };
                [printable::line(&lane.name).into_owned(), age, outcome]
            })
            .collect();
        let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or_default();
        let names = widest(0).min((self.width / 3).min(24));
        let ages = widest(1);
        let outcomes = widest(2).min(self.width / 3);
        // Two spaces before the line, one between its parts.
        let bars = self.width.saturating_sub(names + ages + outcomes + 5).max(SHORTEST_BAR);
        let outcomes = self.width.saturating_sub(names + ages + bars + 5);
        let until = chart.until_s.max(f64::MIN_POSITIVE);
        let column = |s: f64| ((s / until).clamp(0.0, 1.0) * (bars - 1) as f64).round() as usize;
        for (lane, [name, age, outcome]) in chart.lanes.iter().zip(&rows) {
            let (end, paint) = match lane.state {
                LaneState::Alive => ('▶', Paint::Green),
                LaneState::Ended => ('✗', Paint::Red),
                LaneState::Failed => ('!', Paint::Yellow),
            };
            let (from, to) = (column(lane.from_s), column(lane.to_s).max(column(lane.from_s)));
            let bar = format!("{}{}{end}", " ".repeat(from), "━".repeat(to - from));
            let bar = self.padded(&bar, bars, paint);
            let (name, age) = (pad(&fit(name, names), names), pad_left(age, ages));
            self.line(&format!("  {name} {bar} {age} {}", fit(outcome, outcomes)));
        }
    }

    fn histogram(&mut self, chart: &Histogram) {
        let rows: Vec<[String; 2]> = chart
            .bins
            .iter()
            .map(|bin| [printable::line(&bin.range(&chart.unit)).into_owned(), thousands(bin.count)])
            .collect();
        let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or_default();
        let ranges = widest(0);
        let bars = self.width.saturating_sub(ranges + widest(1) + 4).max(SHORTEST_BAR);
        let most = chart.bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
        for (bin, [range, count]) in chart.bins.iter().zip(&rows) {
            let length = (bin.count as f64 / most as f64 * bars as f64).ceil() as usize;
            let bar = self.paint(&"█".repeat(length), Paint::Cyan);
            self.line(&format!("  {} {bar} {count}", pad(range, ranges)));
        }
    }
}
