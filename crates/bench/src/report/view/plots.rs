//! Diagrams of what happened over time, and of latency by percentile.

use undrop_report::document::{Block, Section};
use undrop_report::plot::{Colour, Plot, PlotShape, Scale, Stroke, time_label};
use undrop_text::number::thousands;
use undrop_text::printable::truncated;

use crate::metrics::histogram::Times;
use crate::metrics::timeline::{Interval, Timeline};
use crate::report::model::LoadReport;

/// The number of kinds of endings with a separate colour; the others share one.
const KINDS: usize = Colour::SERIES - 1;
/// The maximum number of bars, and of points of curves over time.
const POINTS: usize = 120;
/// The number of points of a curve by percentile.
const PERCENTILE_POINTS: usize = 160;

/// Returns the diagrams for which there are figures.
pub(super) fn all(report: &LoadReport) -> impl Iterator<Item = Section> {
    let sections = [
        ("Connections alive", survival(report)),
        ("Endings over time", endings(report)),
        ("Messages per second", messages(report)),
        ("Latency by percentile", percentiles(report)),
    ];
    sections.into_iter().filter_map(|(title, plot)| Some(Section::new(title).with(Block::Plot(plot?))))
}

/// Connections alive over time.
fn survival(report: &LoadReport) -> Option<Plot> {
    let timeline = &report.raw.timeline;
    if timeline.intervals.is_empty() || report.connections.opened == 0 {
        return None;
    }
    let closes = report.mode.closes_connections();
    let asked = report.connections.asked;
    let alive = alive(timeline, closes);
    let most = alive.iter().copied().max().unwrap_or(0).max(1);
    let top = if closes { most } else { most.max(asked.min(most.saturating_mul(2))) };
    let curve = alive.iter().enumerate().map(|(at, count)| ((at + 1) as f64 * timeline.step, *count as f64));
    let points = thinned(&std::iter::once((0.0, 0.0)).chain(curve).collect::<Vec<_>>());
    let mut shapes = vec![
        PlotShape::Area { colour: Colour::Green, points: points.clone() },
        PlotShape::Curve { colour: Colour::Green, stroke: Stroke::Solid, points },
    ];
    if !closes && asked <= top {
        shapes
            .push(PlotShape::Level { value: asked as f64, label: format!("{} requested", thousands(asked)) });
    }
    Some(Plot {
        label: "Connections alive over time".to_owned(),
        height: 220.0,
        x: Scale::time(length(timeline)),
        y: Scale::count(top as f64),
        shapes,
        legend: Vec::new(),
    })
}

/// Endings over time, stacked by kind.
fn endings(report: &LoadReport) -> Option<Plot> {
    let timeline = &report.raw.timeline;
    if report.endings.is_empty() || timeline.intervals.is_empty() {
        return None;
    }
    let until = length(timeline);
    let bars = timeline.intervals.len().clamp(1, POINTS / 2);
    let width = until / bars as f64;
    let mut counts = vec![[0_u64; KINDS + 1]; bars];
    for (at, group) in &report.raw.instants {
        let bar = ((at / width).max(0.0) as usize).min(bars - 1);
        counts[bar][(*group).min(KINDS)] += 1;
    }
    let most = counts.iter().map(|kinds| kinds.iter().sum::<u64>()).max().unwrap_or(0).max(1);
    let named = report.endings.iter().take(KINDS).map(|group| truncated(&group.ending, 60));
    let others = (report.endings.len() > KINDS).then(|| "others".to_owned());
    let names: Vec<String> = named.chain(others).collect();
    let mut shapes = Vec::new();
    for (bar, kinds) in counts.iter().enumerate() {
        let (from, to) = (bar as f64 * width, (bar + 1) as f64 * width);
        let mut below = 0;
        for (kind, count) in kinds.iter().enumerate().filter(|(_, count)| **count > 0) {
            let name = names.get(kind).map_or("others", String::as_str);
            shapes.push(PlotShape::Bar {
                colour: Colour::Series(kind),
                x: (from, to),
                y: (below as f64, (below + count) as f64),
                tip: format!("{} {name}, {} to {}", thousands(*count), time_label(from), time_label(to)),
            });
            below += count;
        }
    }
    Some(Plot {
        label: "Endings over time, by kind".to_owned(),
        height: 180.0,
        x: Scale::time(until),
        y: Scale::count(most as f64),
        shapes,
        legend: names.into_iter().enumerate().map(|(kind, name)| (Colour::Series(kind), name)).collect(),
    })
}

/// Messages per second over time.
fn messages(report: &LoadReport) -> Option<Plot> {
    let timeline = &report.raw.timeline;
    let until = length(timeline);
    let slots_per_point = timeline.intervals.len().div_ceil(POINTS).max(1);
    let width = slots_per_point as f64 * timeline.step;
    let curve = |count: fn(&Interval) -> u64| -> Vec<(f64, f64)> {
        let chunks = timeline.intervals.chunks(slots_per_point).enumerate();
        let point = |(at, slots): (usize, &[Interval])| {
            let sum: u64 = slots.iter().map(count).sum();
            let middle = ((at as f64 + 0.5) * width).min(until);
            (middle, sum as f64 / (slots.len() as f64 * timeline.step))
        };
        chunks.map(point).collect()
    };
    let intended = report.messages.intended.map(|_| curve(|slot| slot.intended));
    let curves = [
        ("received", Colour::Orange, Stroke::Broad, Some(curve(|slot| slot.received))),
        ("sent", Colour::Blue, Stroke::Solid, Some(curve(|slot| slot.sent))),
        ("intended", Colour::Grey, Stroke::Dotted, intended),
    ];
    let all = curves.iter().filter_map(|(.., points)| points.as_ref()).flatten();
    let top = all.map(|(_, value)| *value).fold(0.0, f64::max);
    let named = curves.iter().rev().filter(|(.., points)| points.is_some());
    let legend = named.map(|(name, colour, ..)| (*colour, (*name).to_owned())).collect();
    let shapes = curves
        .into_iter()
        .filter_map(|(_, colour, stroke, points)| Some(PlotShape::Curve { colour, stroke, points: points? }));
    (top > 0.0).then(|| Plot {
        label: "Messages per second over time".to_owned(),
        height: 160.0,
        x: Scale::time(until),
        y: Scale::count(top),
        shapes: shapes.collect(),
        legend,
    })
}

/// Latency by percentile, with as many nines as there are values for.
fn percentiles(report: &LoadReport) -> Option<Plot> {
    let raw = &report.raw;
    let count = raw.latency.len();
    if count < 2 {
        return None;
    }
    let nines = (count as f64).log10().clamp(1.0, 6.0);
    let corrected = (Colour::Blue, Stroke::Solid, curve(&raw.latency, nines));
    let mut curves = Vec::new();
    let mut legend = Vec::new();
    if report.latency_is_corrected {
        curves.push((Colour::Orange, Stroke::Dashed, curve(&raw.uncorrected, nines)));
        let text = "corrected: from the time at which a message should have been sent";
        legend.push((Colour::Blue, text.to_owned()));
        legend.push((Colour::Orange, "uncorrected: from the time at which it was sent".to_owned()));
    } else {
        legend.push((Colour::Blue, "send to reply".to_owned()));
    }
    curves.push(corrected);
    let all = || curves.iter().flat_map(|(.., points)| points.iter().map(|(_, ms)| *ms));
    let (low, high) = (all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
    let shape = |(colour, stroke, points)| PlotShape::Curve { colour, stroke, points };
    Some(Plot {
        label: "Latency by percentile".to_owned(),
        height: 260.0,
        x: Scale::nines(nines),
        y: Scale::latency(low, high),
        shapes: curves.into_iter().map(shape).collect(),
        legend,
    })
}

fn length(timeline: &Timeline) -> f64 {
    timeline.intervals.len() as f64 * timeline.step
}

/// Returns the number of connections alive at the end of each slot. At the end of a run the client closes all connections, so
/// those that it closes only count as gone where closing is a part of the load.
fn alive(timeline: &Timeline, closes: bool) -> Vec<u64> {
    let mut alive: u64 = 0;
    let counts = timeline.intervals.iter().map(|slot| {
        let closed = if closes { slot.closed } else { 0 };
        alive = (alive + slot.opened).saturating_sub(slot.lost + closed);
        alive
    });
    counts.collect()
}

fn curve(times: &Times, nines: f64) -> Vec<(f64, f64)> {
    let points = (0..=PERCENTILE_POINTS).filter_map(|at| {
        let x = nines * at as f64 / PERCENTILE_POINTS as f64;
        let value = times.quantile(1.0 - 10f64.powf(-x))?;
        Some((x, value.as_secs_f64() * 1e3))
    });
    points.collect()
}

/// Returns fewer points of a curve that still include its minima and maxima.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let per_chunk = points.len().div_ceil(POINTS * 2).max(1);
    let mut thin = Vec::new();
    for chunk in points.chunks(per_chunk) {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let (Some(low), Some(high)) = (chunk.iter().min_by(by_value), chunk.iter().max_by(by_value)) else {
            continue;
        };
        let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
        thin.push(*first);
        if first != second {
            thin.push(*second);
        }
    }
    if let (Some(last), Some(kept)) = (points.last(), thin.last())
        && last != kept
    {
        thin.push(*last);
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_curve_keeps_its_extremes() {
        let mut points: Vec<(f64, f64)> = (0..5000).map(|i| (f64::from(i), 100.0)).collect();
        points[1234].1 = 3.0;
        points[4321].1 = 400.0;
        let thin = thinned(&points);
        assert!(thin.len() <= POINTS * 4 + 1);
        assert!(thin.contains(&(1234.0, 3.0)) && thin.contains(&(4321.0, 400.0)));
        assert_eq!(thin.last(), Some(&(4999.0, 100.0)));
        assert!(thin.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
