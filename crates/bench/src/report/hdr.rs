//! Histograms as a log that the HdrHistogram tools of all languages read.

use hdrhistogram::Histogram;

use crate::Times;
use crate::metrics::tally::Tally;

/// Everything that was timed, as an HdrHistogram log, format 1.3: one line per histogram, with its name as tag. Values are
/// nanoseconds, which those tools print as milliseconds unless told otherwise.
pub fn hdr_log(tally: &Tally) -> String {
    let mut log = String::from(
        "#[Histogram log format version 1.3]\n\
         #[undrop bench: values are nanoseconds; Interval_Max is in milliseconds]\n\
         #[BaseTime: 0.000 (seconds since epoch)]\n\
         #[StartTime: 0.000 (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
    );
    let length = tally.sending.as_secs_f64();
    for (tag, times) in [
        ("latency-corrected", &tally.corrected),
        ("latency-uncorrected", &tally.uncorrected),
        ("schedule-lag", &tally.lag),
        ("handshake-connect", &tally.connect),
        ("handshake-tls", &tally.tls),
        ("handshake-upgrade", &tally.upgrade),
        ("handshake", &tally.handshake),
        ("away", &tally.away),
    ] {
        let Some((encoded, max)) = nanoseconds(times) else { continue };
        log.push_str(&format!("Tag={tag},0.000,{length:.3},{:.3},{encoded}\n", max as f64 / 1e6));
    }
    log
}

/// The same values in nanoseconds, encoded, and the highest of them.
fn nanoseconds(times: &Times) -> Option<(String, u64)> {
    let ours = times.filled()?;
    let mut scaled = Histogram::<u64>::new_with_bounds(1, ours.high().saturating_mul(1000), 3).ok()?;
    for value in ours.iter_recorded() {
        scaled.saturating_record_n(
            value.value_iterated_to().saturating_mul(1000),
            value.count_since_last_iteration(),
        );
    }
    let max = scaled.max();
    Some((crate::metrics::histogram::encoded(&scaled), max))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

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
    fn an_empty_run_is_a_log_without_intervals() {
        let log = hdr_log(&Tally::default());
        let intervals = IntervalLogIterator::new(log.as_bytes())
            .filter(|entry| matches!(entry, Ok(LogEntry::Interval(_))))
            .count();
        assert_eq!(intervals, 0);
        assert!(log.starts_with("#[Histogram log format version 1.3]\n"));
    }
}
