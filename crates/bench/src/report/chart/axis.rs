//! Axes, and what is drawn between them.

use std::fmt::Write;

use super::{counted, shown_ms};
use crate::report::html::escape;

/// Width of every chart, in its own units.
const WIDTH: f64 = 860.0;
/// Where the plot begins; labels stand before.
const LEFT: f64 = 66.0;
/// Where the plot ends.
const RIGHT: f64 = 846.0;
const TOP: f64 = 14.0;
/// Below the plot: labels of the x axis.
const FOOT: f64 = 26.0;

/// How values become places on an axis, and which are labelled.
pub(super) struct Scale {
    low: f64,
    high: f64,
    /// Places are by the logarithm.
    log: bool,
    ticks: Vec<(f64, String)>,
}

/// A chart that grows.
pub(super) struct Axes {
    out: String,
    x: Scale,
    y: Scale,
    bottom: f64,
}

impl Scale {
    /// Seconds from 0 on.
    pub(super) fn time(until: f64) -> Scale {
        let until = until.max(0.1);
        let step = time_step(until);
        let mut ticks = Vec::new();
        let mut at = 0.0;
        while at <= until * 1.000_001 {
            ticks.push((at, time(at)));
            at += step;
        }
        Scale { low: 0.0, high: until, log: false, ticks }
    }

    /// How many, from 0 on.
    pub(super) fn count(most: f64) -> Scale {
        let step = step(most.max(1.0), 4.0).max(if most <= 4.0 { 1.0 } else { 0.0 });
        let high = (most / step * 0.999_999).ceil() * step;
        let marks = (high / step).round() as u32;
        let ticks = (0..=marks).map(|i| (f64::from(i) * step, counted(f64::from(i) * step))).collect();
        Scale { low: 0.0, high, log: false, ticks }
    }

    /// Milliseconds: from 0 on, or by the logarithm when they differ by more than a factor of 20.
    pub(super) fn latency(low: f64, high: f64) -> Scale {
        let (low, high) = (low.max(0.001), high.max(0.002));
        if high <= low * 20.0 {
            let step = step(high, 4.0);
            let top = (high / step * 0.999_999).ceil() * step;
            let marks = (top / step).round() as u32;
            let ticks = (0..=marks).map(|i| f64::from(i) * step);
            let ticks = ticks.map(|ms| (ms, if ms == 0.0 { "0".to_owned() } else { shown_ms(ms) })).collect();
            return Scale { low: 0.0, high: top, log: false, ticks };
        }
        let from = 10f64.powf(low.log10().floor());
        let mut ticks = Vec::new();
        let mut decade = from;
        let decades = (high / from).log10();
        while decade < high * 10.0 {
            for factor in if decades > 3.5 { &[1.0][..] } else { &[1.0, 2.0, 5.0] } {
                ticks.push(decade * factor);
            }
            decade *= 10.0;
        }
        let top = ticks.iter().copied().find(|tick| *tick >= high).unwrap_or(high);
        let bottom = ticks.iter().copied().rfind(|tick| *tick <= low).unwrap_or(from);
        let ticks = ticks.into_iter().filter(|tick| (bottom..=top).contains(tick));
        Scale { low: bottom, high: top, log: true, ticks: ticks.map(|ms| (ms, shown_ms(ms))).collect() }
    }

    /// Percentiles by their nines: 90 % is as far from 99 % as that is from 99.9 %.
    pub(super) fn nines(nines: f64) -> Scale {
        let marks = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999];
        let ticks =
            marks.into_iter().map(|percent: f64| (-(1.0 - percent / 100.0).log10(), format!("{percent} %")));
        Scale {
            low: 0.0,
            high: nines,
            log: false,
            ticks: ticks.filter(|(at, _)| *at <= nines * 1.000_001).collect(),
        }
    }

    /// 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let part = if self.log {
            (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 }
    }
}

impl Axes {
    /// A chart of this height, with its grid and labels.
    pub(super) fn new(height: f64, x: Scale, y: Scale, title: &str) -> Axes {
        let bottom = height - FOOT;
        let mut axes = Axes { out: String::new(), x, y, bottom };
        // Writing to a String cannot fail.
        let _ = write!(
            axes.out,
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\" xmlns=\"http://www.w3.org/2000/svg\">",
            escape(title)
        );
        for (value, label) in &axes.y.ticks {
            let y = TOP + (1.0 - axes.y.place(*value)) * (bottom - TOP);
            let _ = write!(
                axes.out,
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\" class=\"grid\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" class=\"left\">{label}</text>",
                LEFT - 8.0,
                y + 4.0
            );
        }
        for (value, label) in &axes.x.ticks {
            let x = LEFT + axes.x.place(*value) * (RIGHT - LEFT);
            // A label at the very end would be cut off.
            let class = if x > RIGHT - 24.0 { "end" } else { "tick" };
            let _ = write!(
                axes.out,
                "<line x1=\"{x:.1}\" y1=\"{bottom:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\" class=\"mark\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" class=\"{class}\">{label}</text>",
                bottom + 4.0,
                bottom + 18.0
            );
        }
        axes
    }

    pub(super) fn line(&mut self, class: &str, points: &[(f64, f64)]) {
        if let [(x, y)] = points {
            let (x, y) = self.place(*x, *y);
            let _ = write!(self.out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" class=\"dot {class}\"/>");
            return;
        }
        let path = self.path(points);
        let _ = write!(self.out, "<path d=\"{path}\" class=\"line {class}\"/>");
    }

    /// What is under a line, filled.
    pub(super) fn area(&mut self, class: &str, points: &[(f64, f64)]) {
        let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else { return };
        let (from, to) = (self.place(*first, 0.0), self.place(*last, 0.0));
        let path = self.path(points);
        let _ = write!(
            self.out,
            "<path d=\"{path}L{:.1} {:.1}L{:.1} {:.1}Z\" class=\"area {class}\"/>",
            to.0, to.1, from.0, from.1
        );
    }

    /// A dashed level with its name.
    pub(super) fn level(&mut self, class: &str, value: f64, label: &str) {
        let (_, y) = self.place(0.0, value);
        // Above the level where there is room, else below.
        let text = if y - TOP < 8.0 { y + 14.0 } else { y - 5.0 };
        let _ = write!(
            self.out,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\" class=\"level {class}\"/>\
             <text x=\"{RIGHT}\" y=\"{text:.1}\" class=\"end\">{}</text>",
            escape(label)
        );
    }

    /// A box with a text that is shown when somebody points at it.
    pub(super) fn bar(&mut self, class: &str, x: (f64, f64), y: (f64, f64), tip: &str) {
        let (left, low) = self.place(x.0, y.0);
        let (right, high) = self.place(x.1, y.1);
        // What there is, is seen.
        let (width, height) = ((right - left - 1.0).max(1.5), (low - high).max(1.5));
        let _ = write!(
            self.out,
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" class=\"{class}\">\
             <title>{}</title></rect>",
            low - height,
            escape(tip)
        );
    }

    pub(super) fn finish(mut self) -> String {
        self.out.push_str("</svg>");
        self.out
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let mut path = String::new();
        for (at, (x, y)) in points.iter().enumerate() {
            let (x, y) = self.place(*x, *y);
            let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' });
        }
        path
    }

    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        (LEFT + self.x.place(x) * (RIGHT - LEFT), TOP + (1.0 - self.y.place(y)) * (self.bottom - TOP))
    }
}

/// Seconds on an axis: `0`, `30 s`, `1 min 30 s`, `2 h`.
pub(super) fn time(s: f64) -> String {
    let whole = s.round() as u64;
    match s {
        0.0 => "0".to_owned(),
        s if s < 60.0 => format!("{} s", (s * 100.0).round() / 100.0),
        _ if whole.is_multiple_of(3600) => format!("{} h", whole / 3600),
        _ if whole < 3600 && whole.is_multiple_of(60) => format!("{} min", whole / 60),
        _ if whole < 3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// The distance of marks of time: round in seconds, minutes or hours, so that there are at most 8.
fn time_step(until: f64) -> f64 {
    let round =
        [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
    let found = round.into_iter().find(|step| until / step <= 8.0);
    found.unwrap_or_else(|| (until / 8.0 / 3600.0).ceil() * 3600.0)
}

/// The distance of marks: 1, 2 or 5 times a power of ten, so that there are about so many.
fn step(until: f64, marks: f64) -> f64 {
    let rough = until / marks;
    let power = 10f64.powf(rough.log10().floor());
    let factor =
        [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough * 0.999).unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_neither_few_nor_many() {
        for until in [0.05, 0.7, 3.0, 10.0, 61.2, 300.0, 4000.0, 90_000.0, 1e6] {
            let scale = Scale::time(until);
            assert!((2..=9).contains(&scale.ticks.len()), "{until}: {:?}", scale.ticks);
        }
        for most in [1.0, 2.0, 3.0, 7.0, 1000.0, 99_870.0, 1e6] {
            let scale = Scale::count(most);
            assert!((2..=6).contains(&scale.ticks.len()) && scale.high >= most, "{most}: {:?}", scale.ticks);
            assert!(scale.ticks.windows(2).all(|pair| pair[0].1 != pair[1].1), "{most}: {:?}", scale.ticks);
        }
        for (low, high) in [(0.2, 0.6), (0.2, 40.0), (0.001, 3_600_000.0), (5.0, 5.0), (0.0, 0.0)] {
            let scale = Scale::latency(low, high);
            assert!((2..=12).contains(&scale.ticks.len()), "{low} {high}: {:?}", scale.ticks);
            assert!(scale.high >= high && scale.low <= low.max(0.001), "{low} {high}");
        }
        assert_eq!(Scale::nines(3.2).ticks.last().map(|tick| tick.1.as_str()), Some("99.9 %"));
    }

    #[test]
    fn nothing_is_drawn_outside() {
        let mut axes = Axes::new(200.0, Scale::time(10.0), Scale::count(5.0), "t");
        for (x, y) in [(f64::NAN, f64::INFINITY), (-5.0, 1e12), (1e12, -1.0)] {
            let (x, y) = axes.place(x, y);
            assert!((LEFT..=RIGHT).contains(&x) && (TOP..=174.0).contains(&y), "{x} {y}");
        }
        axes.line("a", &[]);
        axes.line("a", &[(1.0, 1.0)]);
        assert!(axes.finish().contains("<circle"));
    }
}
