//! The figures of a histogram.

use serde::Serialize;

use crate::metrics::histogram::Times;

/// The figures of a histogram of times, in milliseconds. A percentile is `null` if there are too few values for it: p99.99 needs
/// 10,000.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TimeDistribution {
    /// The number of values.
    pub count: u64,
    /// The lowest of the values.
    pub min: f64,
    /// The mean of the values.
    pub mean: f64,
    /// The standard deviation of the values.
    pub deviation: f64,
    /// The median: 50 % of the values are not above it.
    pub p50: Option<f64>,
    /// The 75th percentile of the values.
    pub p75: Option<f64>,
    /// The 90th percentile of the values.
    pub p90: Option<f64>,
    /// The 95th percentile of the values.
    pub p95: Option<f64>,
    /// The 99th percentile of the values.
    pub p99: Option<f64>,
    /// The 99.9th percentile of the values.
    #[serde(rename = "p99.9")]
    pub p99_9: Option<f64>,
    /// The 99.99th percentile of the values.
    #[serde(rename = "p99.99")]
    pub p99_99: Option<f64>,
    /// The highest of the values.
    pub max: f64,
}

impl TimeDistribution {
    /// Returns the figures of a histogram, or `None` if it is empty.
    pub fn of(times: &Times) -> Option<TimeDistribution> {
        let ms = |time: std::time::Duration| round(time.as_secs_f64() * 1e3);
        let at = |percent: f64| {
            let enough = is_supported(times.len(), percent / 100.0);
            enough.then(|| times.quantile(percent / 100.0).map(ms)).flatten()
        };
        Some(TimeDistribution {
            count: times.len(),
            min: times.min().map(ms)?,
            mean: times.mean().map(ms)?,
            deviation: times.deviation().map(ms)?,
            p50: at(50.0),
            p75: at(75.0),
            p90: at(90.0),
            p95: at(95.0),
            p99: at(99.0),
            p99_9: at(99.9),
            p99_99: at(99.99),
            max: times.max().map(ms)?,
        })
    }
}

/// Returns whether this number of values is enough for the quantile: at least one of them must be above it. The median is always
/// supported.
pub(crate) fn is_supported(count: u64, quantile: f64) -> bool {
    count > 0 && (quantile <= 0.5 || count as f64 * (1.0 - quantile) >= 1.0 - 1e-6)
}

/// Returns the part of a whole, or `None` if the whole is 0.
pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Rounds to a microsecond, the resolution of the histograms.
fn round(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn percentiles_need_values_beyond_them() {
        let of = |count: u64| {
            let mut times = Times::default();
            (1..=count).for_each(|us| times.record_us(us));
            TimeDistribution::of(&times)
        };
        assert_eq!(of(0), None);
        let one = of(1).unwrap();
        assert_eq!((one.p50, one.p75, one.max), (Some(0.001), None, 0.001));
        let hundred = of(100).unwrap();
        assert_eq!((hundred.p99, hundred.p99_9), (Some(0.099), None));
        assert!(of(9_999).unwrap().p99_99.is_none());
        assert!(of(10_000).unwrap().p99_99.is_some());
    }
}
