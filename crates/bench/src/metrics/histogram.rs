//! Durations in an HDR histogram with three significant digits, from one microsecond to one hour.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// The longest recordable duration in microseconds; longer ones are recorded as this one.
const HIGHEST: u64 = 3_600_000_000;

/// A histogram of durations. It allocates no memory before the first one.
#[derive(Debug, Clone, Default)]
pub struct Times(Option<Box<Histogram<u64>>>);

impl Times {
    /// Records one more duration.
    pub fn record(&mut self, time: Duration) {
        self.record_us(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Records a duration in microseconds.
    pub fn record_us(&mut self, microseconds: u64) {
        if let Some(histogram) = self.histogram() {
            histogram.saturating_record(microseconds.max(1));
        }
    }

    /// Adds the durations of another histogram.
    pub fn merge(&mut self, other: &Times) {
        let Some(other) = &other.0 else { return };
        if let Some(histogram) = self.histogram() {
            // Both have the same bounds.
            let _ = histogram.add(&**other);
        }
    }

    /// Allocates the memory now, so that it is not measured as the cost of later recordings.
    pub fn prepare(&mut self) {
        if let Some(histogram) = self.histogram() {
            histogram.reset();
        }
    }

    /// Removes all recorded durations.
    pub fn reset(&mut self) {
        if let Some(histogram) = &mut self.0 {
            histogram.reset();
        }
    }

    /// Returns the number of recorded durations.
    pub fn len(&self) -> u64 {
        self.0.as_ref().map_or(0, |histogram| histogram.len())
    }

    /// Returns whether no duration was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the quantile `part` (from 0 to 1), or `None` if no duration was recorded.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        self.filled().map(|histogram| Duration::from_micros(histogram.value_at_quantile(part)))
    }

    /// Returns the longest duration.
    pub fn max(&self) -> Option<Duration> {
        self.filled().map(|histogram| Duration::from_micros(histogram.max()))
    }

    /// Returns the shortest duration.
    pub fn min(&self) -> Option<Duration> {
        self.filled().map(|histogram| Duration::from_micros(histogram.min()))
    }

    /// Returns the mean of the durations.
    pub fn mean(&self) -> Option<Duration> {
        self.filled().map(|histogram| Duration::from_secs_f64(histogram.mean() / 1e6))
    }

    /// Returns the standard deviation of the durations.
    pub fn deviation(&self) -> Option<Duration> {
        self.filled().map(|histogram| Duration::from_secs_f64(histogram.stdev() / 1e6))
    }

    /// Returns the histogram in microseconds, or `None` if no duration was recorded.
    pub fn filled(&self) -> Option<&Histogram<u64>> {
        self.0.as_deref().filter(|histogram| !histogram.is_empty())
    }

    /// Returns the histogram in the deflated HDR encoding V2 and base64, as in HDR logs; an empty text if it is empty.
    pub fn encoded(&self) -> String {
        self.filled().map(encoded).unwrap_or_default()
    }

    fn histogram(&mut self) -> Option<&mut Histogram<u64>> {
        if self.0.is_none() {
            // These bounds are valid, so this does not fail.
            self.0 = Histogram::new_with_bounds(1, HIGHEST, 3).ok().map(Box::new);
        }
        self.0.as_deref_mut()
    }
}

/// Encodes a histogram in the deflated HDR encoding V2 and base64.
pub(crate) fn encoded(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    // Neither writing to a vector nor a histogram with these bounds can fail.
    match V2DeflateSerializer::new().serialize(histogram, &mut bytes) {
        Ok(_) => STANDARD.encode(bytes),
        Err(_) => String::new(),
    }
}

impl Serialize for Times {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encoded())
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Times, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Times::default());
        }
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        let read: Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| D::Error::custom(format!("{error:?}")))?;
        let mut times = Times::default();
        if let Some(histogram) = times.histogram() {
            histogram.add(&read).map_err(D::Error::custom)?;
        }
        Ok(times)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn quantiles_survive_the_journey() {
        let mut times = Times::default();
        assert_eq!((times.quantile(0.5), times.encoded().as_str()), (None, ""));
        for ms in 1..=1000 {
            times.record(Duration::from_millis(ms));
        }
        let back: Times = serde_json::from_str(&serde_json::to_string(&times).unwrap()).unwrap();
        assert_eq!(back.len(), 1000);
        let near = |time: Duration, ms: f64| (time.as_secs_f64() * 1e3 - ms).abs() < ms * 0.002;
        assert!(near(back.quantile(0.5).unwrap(), 500.0));
        assert!(near(back.quantile(0.99).unwrap(), 990.0));
        assert!(near(back.max().unwrap(), 1000.0));
        let mut sum = back.clone();
        sum.merge(&times);
        assert_eq!(sum.len(), 2000);
        let empty: Times = serde_json::from_str("\"\"").unwrap();
        assert!(empty.is_empty());
        assert!(serde_json::from_str::<Times>("\"not base64!\"").is_err());
    }

    #[test]
    fn what_is_longer_than_an_hour_is_an_hour() {
        let mut times = Times::default();
        times.record(Duration::from_secs(100_000));
        assert!(times.max().unwrap() >= Duration::from_secs(3599));
    }
}
