//! Charts as SVG, to stand inside the page. Colours come from the page's style sheet.

mod axis;

use super::endings::EndingGroup;
use super::number::{milliseconds, rate, thousands};
use super::{Raw, Report};
use crate::Times;
use axis::{Axes, Scale};

/// Kinds of endings with a colour of their own; the rest shares one.
pub(super) const COLOURS: usize = 6;
/// Bars, and points of curves over time, at most.
const POINTS: usize = 120;
/// Points of a percentile curve.
const FINE: usize = 160;

/// Connections alive over time; `None` when there is nothing to draw.
pub(super) fn survival(report: &Report) -> Option<String> {
    let timeline = &report.raw.timeline;
    if timeline.slots.is_empty() || report.connections.opened == 0 {
        return None;
    }
    let comes_and_goes = matches!(report.mode, "churn" | "scenario");
    let alive = Raw::alive(timeline, comes_and_goes);
    let until = timeline.slots.len() as f64 * timeline.step;
    let most = alive.iter().copied().max().unwrap_or(0).max(1);
    let top =
        if comes_and_goes { most } else { most.max(report.connections.asked.min(most.saturating_mul(2))) };
    let mut axes =
        Axes::new(220.0, Scale::time(until), Scale::count(top as f64), "Connections alive over time");
    let mut points = vec![(0.0, 0.0)];
    for (at, count) in alive.iter().enumerate() {
        points.push(((at + 1) as f64 * timeline.step, *count as f64));
    }
    let steps = thinned(&points);
    axes.area("alive", &steps);
    axes.line("alive", &steps);
    if !comes_and_goes && report.connections.asked <= top {
        axes.level(
            "asked",
            report.connections.asked as f64,
            &format!("{} asked for", thousands(report.connections.asked)),
        );
    }
    Some(axes.finish())
}

/// Corrected and uncorrected latency by percentile, with as many nines as there are values for.
pub(super) fn percentiles(report: &Report) -> Option<String> {
    let raw = &report.raw;
    let count = raw.latency.len();
    if count < 2 {
        return None;
    }
    let nines = (count as f64).log10().clamp(1.0, 6.0);
    let curves: Vec<(&str, &Times)> = if report.latency_is_corrected {
        vec![("uncorrected", &raw.uncorrected), ("corrected", &raw.latency)]
    } else {
        vec![("corrected", &raw.latency)]
    };
    let values: Vec<(&str, Vec<(f64, f64)>)> =
        curves.into_iter().map(|(class, times)| (class, curve(times, nines))).collect();
    let all = || values.iter().flat_map(|(_, points)| points.iter().map(|(_, ms)| *ms));
    let (low, high) = (all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
    let mut axes = Axes::new(260.0, Scale::nines(nines), Scale::latency(low, high), "Latency by percentile");
    for (class, points) in &values {
        axes.line(class, points);
    }
    Some(axes.finish())
}

/// Messages per second over time.
pub(super) fn messages(report: &Report) -> Option<String> {
    let timeline = &report.raw.timeline;
    let per_slot = |count: fn(&crate::Slot) -> u64| -> Vec<f64> {
        let whole = bucket(timeline.slots.len());
        let chunks = timeline.slots.chunks(whole);
        chunks
            .map(|slots| slots.iter().map(count).sum::<u64>() as f64 / (slots.len() as f64 * timeline.step))
            .collect()
    };
    let (intended, sent, received) =
        (per_slot(|slot| slot.intended), per_slot(|slot| slot.sent), per_slot(|slot| slot.received));
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let top = most(&intended).max(most(&sent)).max(most(&received));
    if top <= 0.0 {
        return None;
    }
    let until = timeline.slots.len() as f64 * timeline.step;
    let width = bucket(timeline.slots.len()) as f64 * timeline.step;
    let mut axes = Axes::new(160.0, Scale::time(until), Scale::count(top), "Messages per second over time");
    let points = |values: &[f64]| -> Vec<(f64, f64)> {
        let middle = |at: usize| ((at as f64 + 0.5) * width).min(until);
        values.iter().enumerate().map(|(at, value)| (middle(at), *value)).collect()
    };
    axes.line("received", &points(&received));
    axes.line("sent", &points(&sent));
    if report.messages.intended.is_some() {
        axes.line("intended", &points(&intended));
    }
    Some(axes.finish())
}

/// Endings over time, stacked by kind.
pub(super) fn endings(report: &Report) -> Option<String> {
    let timeline = &report.raw.timeline;
    if report.endings.is_empty() || timeline.slots.is_empty() {
        return None;
    }
    let until = timeline.slots.len() as f64 * timeline.step;
    let bars = timeline.slots.len().clamp(1, POINTS / 2);
    let width = until / bars as f64;
    let mut counts = vec![[0_u64; COLOURS + 1]; bars];
    for (at, group) in &report.raw.instants {
        let bar = ((at / width).max(0.0) as usize).min(bars - 1);
        counts[bar][(*group).min(COLOURS)] += 1;
    }
    let most = counts.iter().map(|kinds| kinds.iter().sum::<u64>()).max().unwrap_or(0).max(1);
    let title = "Endings over time, by kind";
    let mut axes = Axes::new(180.0, Scale::time(until), Scale::count(most as f64), title);
    for (bar, kinds) in counts.iter().enumerate() {
        let mut below = 0;
        for (kind, count) in kinds.iter().enumerate().filter(|(_, count)| **count > 0) {
            let from = bar as f64 * width;
            let what = report.endings.get(kind).map_or("others", name).to_owned();
            let what = if kind == COLOURS { "others".to_owned() } else { what };
            let tip =
                format!("{} {what}, {} to {}", thousands(*count), axis::time(from), axis::time(from + width));
            axes.bar(&format!("k{kind}"), (from, from + width), (below as f64, (below + count) as f64), &tip);
            below += count;
        }
    }
    Some(axes.finish())
}

fn name(group: &EndingGroup) -> &str {
    &group.ending
}

fn curve(times: &Times, nines: f64) -> Vec<(f64, f64)> {
    let points = (0..=FINE).filter_map(|at| {
        let x = nines * at as f64 / FINE as f64;
        let value = times.quantile(1.0 - 10f64.powf(-x))?;
        Some((x, value.as_secs_f64() * 1e3))
    });
    points.collect()
}

/// Slots per point.
fn bucket(slots: usize) -> usize {
    slots.div_ceil(POINTS).max(1)
}

/// Fewer points of a curve that still have its lows and highs.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let whole = points.len().div_ceil(POINTS * 2).max(1);
    let mut thin = Vec::new();
    for chunk in points.chunks(whole) {
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

/// A count on an axis.
fn counted(value: f64) -> String {
    if value >= 10_000.0 && value % 1000.0 == 0.0 {
        format!("{} k", thousands((value / 1000.0) as u64))
    } else {
        rate(value)
    }
}

fn shown_ms(ms: f64) -> String {
    let text = milliseconds(ms);
    match text.split_once(' ') {
        Some((digits, unit)) if digits.contains('.') => {
            format!("{} {unit}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
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
