//! Durations in an HDR histogram: three digits, one microsecond to one hour.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// Longest duration that is told apart from longer ones, microseconds.
const HIGHEST: u64 = 3_600_000_000;

/// Durations. Takes no memory before the first.
#[derive(Debug, Clone, Default)]
pub struct Times(Option<Box<Histogram<u64>>>);

impl Times {
    /// Notes one.
    pub fn record(&mut self, time: Duration) {
        self.record_us(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Notes one, in microseconds.
    pub fn record_us(&mut self, microseconds: u64) {
        if let Some(histogram) = self.histogram() {
            histogram.saturating_record(microseconds.max(1));
        }
    }

    /// Adds another's.
    pub fn merge(&mut self, other: &Times) {
        let Some(other) = &other.0 else { return };
        if let Some(histogram) = self.histogram() {
            // Both have the same bounds.
            let _ = histogram.add(&**other);
        }
    }

    /// Takes its memory now, so that it is not counted as the cost of what is recorded later.
    pub fn prepare(&mut self) {
        if let Some(histogram) = self.histogram() {
            histogram.reset();
        }
    }

    /// Forgets all.
    pub fn reset(&mut self) {
        if let Some(histogram) = &mut self.0 {
            histogram.reset();
        }
    }

    /// How many were noted.
    pub fn len(&self) -> u64 {
        self.0.as_ref().map_or(0, |histogram| histogram.len())
    }

    /// None was noted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value that this part of them (0 to 1) does not exceed; `None` when there are none.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        self.filled().map(|histogram| Duration::from_micros(histogram.value_at_quantile(part)))
    }

    /// The longest.
    pub fn max(&self) -> Option<Duration> {
        self.filled().map(|histogram| Duration::from_micros(histogram.max()))
    }

    /// The shortest.
    pub fn min(&self) -> Option<Duration> {
        self.filled().map(|histogram| Duration::from_micros(histogram.min()))
    }

    /// The mean.
    pub fn mean(&self) -> Option<Duration> {
        self.filled().map(|histogram| Duration::from_secs_f64(histogram.mean() / 1e6))
    }

    /// The standard deviation.
    pub fn deviation(&self) -> Option<Duration> {
        self.filled().map(|histogram| Duration::from_secs_f64(histogram.stdev() / 1e6))
    }

    /// The histogram itself, in microseconds, when there is anything in it.
    pub fn filled(&self) -> Option<&Histogram<u64>> {
        self.0.as_deref().filter(|histogram| !histogram.is_empty())
    }

    /// HDR histogram encoding V2, deflated, in base64: what HDR logs hold. Empty when there is nothing in it.
    pub fn encoded(&self) -> String {
        self.filled().map(encoded).unwrap_or_default()
    }

    fn histogram(&mut self) -> Option<&mut Histogram<u64>> {
        if self.0.is_none() {
            // These bounds are valid, so there is always one.
            self.0 = Histogram::new_with_bounds(1, HIGHEST, 3).ok().map(Box::new);
        }
        self.0.as_deref_mut()
    }
}

/// HDR histogram encoding V2, deflated, in base64.
pub(crate) fn encoded(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    // A vector takes everything; a histogram too large for the encoding cannot be made with our bounds.
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
