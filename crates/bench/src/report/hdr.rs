//! The histograms as a log that the HdrHistogram tools of all languages read.

use std::error::Error;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::metrics::histogram::Times;
use crate::metrics::tally::Tally;

/// The number of nanoseconds in a millisecond, the unit of the maximum in each line.
const NANOS_PER_MILLISECOND: f64 = 1e6;

/// Returns all histograms of a run as an HdrHistogram log, format 1.3: one line for each, with its name as the tag.
///
/// The values are in nanoseconds, which the tools print in milliseconds by default.
pub fn hdr_log(tally: &Tally) -> String {
    let mut log = Vec::new();
    // Writing to a vector cannot fail, and the histograms are within the bounds of the encoding.
    let _ = write(&mut log, tally);
    String::from_utf8_lossy(&log).into_owned()
}

fn write(log: &mut Vec<u8>, tally: &Tally) -> Result<(), Box<dyn Error>> {
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("[undrop bench: values are in nanoseconds, the maximum in each line is in milliseconds]")
        .with_start_time(SystemTime::UNIX_EPOCH)
        .with_base_time(SystemTime::UNIX_EPOCH)
        .with_max_value_divisor(NANOS_PER_MILLISECOND)
        .begin_log_with(log, &mut serializer)?;
    for (name, times) in [
        ("latency-corrected", &tally.corrected),
        ("latency-uncorrected", &tally.uncorrected),
        ("schedule-lag", &tally.lag),
        ("handshake-connect", &tally.connect),
        ("handshake-tls", &tally.tls),
        ("handshake-upgrade", &tally.upgrade),
        ("handshake", &tally.handshake),
        ("away", &tally.away),
    ] {
        if let Some(histogram) = in_nanoseconds(times) {
            writer.write_histogram(&histogram, Duration::ZERO, tally.sending, Tag::new(name))?;
        }
    }
    Ok(())
}

/// Returns the values in nanoseconds, or `None` if there are none.
fn in_nanoseconds(times: &Times) -> Option<Histogram<u64>> {
    let ours = times.filled()?;
    let mut scaled = Histogram::<u64>::new_with_bounds(1, ours.high().saturating_mul(1000), 3).ok()?;
    for value in ours.iter_recorded() {
        scaled.saturating_record_n(
            value.value_iterated_to().saturating_mul(1000),
            value.count_since_last_iteration(),
        );
    }
    Some(scaled)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    #[test]
    fn the_log_is_read_back_by_the_standard_reader() {
        let mut tally = Tally { sending: Duration::from_millis(60_000), ..Tally::default() };
        for us in 1..=10_000 {
            tally.corrected.record_us(us);
            tally.uncorrected.record_us(us / 2);
        }
        tally.handshake.record(Duration::from_secs(3600));
        let log = hdr_log(&tally);
        let mut found = Vec::new();
        for entry in IntervalLogIterator::new(log.as_bytes()) {
            let LogEntry::Interval(interval) = entry.unwrap() else { continue };
            let bytes = STANDARD.decode(interval.encoded_histogram()).unwrap();
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
            assert_eq!(interval.duration(), Duration::from_secs(60));
            assert!((interval.max() - histogram.max() as f64 / 1e6).abs() < 1e-3);
            found.push((
                interval.tag().unwrap().as_str().to_owned(),
                histogram.len(),
                histogram.value_at_quantile(0.99) as f64 / 1e6,
            ));
        }
        let [corrected, uncorrected, handshake] = &found[..] else { panic!("{found:?}") };
        assert_eq!((corrected.0.as_str(), corrected.1), ("latency-corrected", 10_000));
        assert!((corrected.2 - 9.9).abs() < 0.02, "{corrected:?}");
        assert!((uncorrected.2 - 4.95).abs() < 0.01, "{uncorrected:?}");
        assert_eq!((handshake.0.as_str(), handshake.1), ("handshake", 1));
        assert!((handshake.2 - 3.6e6).abs() < 4e3, "{handshake:?}");
    }

    #[test]
    fn the_log_of_an_empty_run_has_no_intervals() {
        let log = hdr_log(&Tally::default());
        let intervals = IntervalLogIterator::new(log.as_bytes())
            .filter(|entry| matches!(entry, Ok(LogEntry::Interval(_))))
            .count();
        assert_eq!(intervals, 0);
        assert!(log.starts_with("#[Histogram log format version 1.3]\n"));
    }
}
