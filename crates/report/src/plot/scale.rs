//! The axes of diagrams.

use undrop_text::number::{milliseconds, rate, thousands};

/// An axis: how values become positions, and which values are labelled.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    /// Whether positions follow the logarithm of the value.
    logarithmic: bool,
    ticks: Vec<(f64, String)>,
}

impl Scale {
    /// Creates an axis of seconds from 0 to `until`, with at most 9 labels.
    pub fn time(until: f64) -> Scale {
        let until = until.max(0.1);
        let step = time_step(until);
        let count = (until / step * 1.000_001).floor() as u32;
        let ticks = (0..=count).map(|i| f64::from(i) * step).map(|at| (at, time_label(at)));
        Scale { low: 0.0, high: until, logarithmic: false, ticks: ticks.collect() }
    }

    /// Creates an axis of counts from 0 to `most` or a little more, with at most 6 labels.
    pub fn count(most: f64) -> Scale {
        let step = step(most.max(1.0), 4.0).max(if most <= 4.0 { 1.0 } else { 0.0 });
        Scale::from_zero(most.max(1.0), step, count_label)
    }

    /// Creates an axis of milliseconds: from 0, or logarithmic if the values differ by more than a factor of 20.
    pub fn latency(low: f64, high: f64) -> Scale {
        let (low, high) = (low.max(0.001), high.max(0.002));
        if high <= low * 20.0 {
            let label = |ms| if ms == 0.0 { "0".to_owned() } else { latency_label(ms) };
            return Scale::from_zero(high, step(high, 4.0), label);
        }
        let first = 10f64.powf(low.log10().floor());
        let factors = if (high / first).log10() > 3.5 { &[1.0][..] } else { &[1.0, 2.0, 5.0] };
        let mut values = Vec::new();
        let mut decade = first;
        while decade < high * 10.0 {
            values.extend(factors.iter().map(|factor| decade * factor));
            decade *= 10.0;
        }
        let top = values.iter().copied().find(|value| *value >= high).unwrap_or(high);
        let bottom = values.iter().copied().rfind(|value| *value <= low).unwrap_or(first);
        let ticks = values.into_iter().filter(|value| (bottom..=top).contains(value));
        let ticks = ticks.map(|ms| (ms, latency_label(ms))).collect();
        Scale { low: bottom, high: top, logarithmic: true, ticks }
    }

    /// Creates an axis of percentiles by their number of nines: 90 % is as far from 99 % as that is from 99.9 %.
    pub fn nines(nines: f64) -> Scale {
        let labelled = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999];
        let ticks = labelled.map(|percent: f64| (-(1.0 - percent / 100.0).log10(), format!("{percent} %")));
        let ticks = ticks.into_iter().filter(|(at, _)| *at <= nines * 1.000_001);
        Scale { low: 0.0, high: nines, logarithmic: false, ticks: ticks.collect() }
    }

    /// Returns the position of a value: 0 is the start of the axis, 1 its end.
    pub(crate) fn position(&self, value: f64) -> f64 {
        let part = if self.logarithmic {
            (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Returns the labelled values.
    pub(crate) fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }

    fn from_zero(most: f64, step: f64, label: impl Fn(f64) -> String) -> Scale {
        let count = (most / step * 0.999_999).ceil() as u32;
        let ticks = (0..=count).map(|i| f64::from(i) * step).map(|value| (value, label(value))).collect();
        Scale { low: 0.0, high: f64::from(count) * step, logarithmic: false, ticks }
    }
}

/// Formats seconds for an axis: `0`, `30 s`, `1 min 30 s`, `2 h`.
pub fn time_label(s: f64) -> String {
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

fn count_label(value: f64) -> String {
    if value >= 10_000.0 && value % 1000.0 == 0.0 {
        format!("{} k", thousands((value / 1000.0) as u64))
    } else {
        rate(value)
    }
}

fn latency_label(ms: f64) -> String {
    let text = milliseconds(ms);
    match text.split_once(' ') {
        Some((digits, unit)) if digits.contains('.') => {
            format!("{} {unit}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// Returns the distance between labels of time: round in seconds, minutes or hours, so that there are at most 9 labels.
fn time_step(until: f64) -> f64 {
    let round =
        [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
    let found = round.into_iter().find(|step| until / step <= 8.0);
    found.unwrap_or_else(|| (until / 8.0 / 3600.0).ceil() * 3600.0)
}

/// Returns the distance between labels: 1, 2 or 5 times a power of ten, so that there are about `labels` of them.
fn step(until: f64, labels: f64) -> f64 {
    let rough = until / labels;
    let power = 10f64.powf(rough.log10().floor());
    let factor =
        [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough * 0.999).unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_round_and_neither_few_nor_many() {
        for until in [0.05, 0.7, 3.0, 10.0, 61.2, 130.0, 300.0, 4000.0, 90_000.0, 1e6] {
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
            assert!((2..=12).contains(&scale.ticks.len()) && scale.high >= high, "{high}: {:?}", scale.ticks);
        }
        for (until, labels, wanted) in
            [(130.0, 10.0, 20.0), (10.0, 10.0, 1.0), (900.0, 10.0, 100.0), (3.0, 4.0, 1.0)]
        {
            assert!((step(until, labels) - wanted).abs() < 1e-9, "{until}: {}", step(until, labels));
        }
    }

    #[test]
    fn positions_stay_on_the_axis() {
        let scale = Scale::latency(0.1, 1000.0);
        assert_eq!((scale.position(0.0), scale.position(1e9)), (0.0, 1.0));
        assert!((scale.position(10.0) - 0.5).abs() < 1e-9);
        assert_eq!(Scale::time(10.0).position(f64::NAN), 0.0);
    }
}
