//! Durations and sizes as people write them.

use std::time::Duration;

/// Longest duration that a scenario may hold.
const LONGEST: f64 = 10.0 * 365.0 * 86_400.0;

/// Reads `100ms`, `1.5s`, `2m`, `1h` or a bare number of seconds; also the long words that Artillery takes (`5 min`, `30 seconds`).
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = (text[..split].trim(), text[split..].trim());
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 1e-3,
        "us" => 1e-6,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return Err(format!("`{text}` is not a duration: write 100ms, 1.5s or 2m")),
    };
    let value: f64 =
        number.parse().map_err(|_| format!("`{text}` is not a duration: write 100ms, 1.5s or 2m"))?;
    seconds(value * scale)
}

/// A duration of that many seconds, between 0 and ten years.
pub(crate) fn seconds(value: f64) -> Result<Duration, String> {
    if (0.0..=LONGEST).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        Err(format!("{value} s is not a duration between 0 and 10 years"))
    }
}

/// Reads `256KiB`, `1MB` or a bare number of bytes.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = (text[..split].trim(), text[split..].trim());
    let scale: usize = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "k" | "kib" => 1 << 10,
        "mb" => 1_000_000,
        "m" | "mib" => 1 << 20,
        _ => return Err(format!("`{text}` is not a size: write 256, 4KiB or 1MiB")),
    };
    let value: usize =
        number.parse().map_err(|_| format!("`{text}` is not a size: write 256, 4KiB or 1MiB"))?;
    value.checked_mul(scale).ok_or_else(|| format!("`{text}` is too large"))
}

/// `100 ms`, `1.5 s`, `2 min`: for messages.
pub(crate) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let (value, unit) = match seconds {
        s if s >= 120.0 && (s % 60.0).abs() < 1e-9 => (s / 60.0, "min"),
        s if s >= 1.0 || s == 0.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    };
    // Three digits behind the point at most, and none that say nothing.
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("100ms", 100),
            ("1.5s", 1500),
            ("2m", 120_000),
            ("0.1", 100),
            ("5 minutes", 300_000),
            ("3", 3000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "ms", "-1s", "1.5 parsecs", "1e300", "nan"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("4KiB"), Ok(4096));
        assert_eq!(size("10"), Ok(10));
        assert!(size("4 parsecs").is_err() && size("-1").is_err() && size("99999999999999999999").is_err());
    }

    #[test]
    fn durations_are_shown_with_their_unit() {
        let shown = [100, 1500, 120_000, 90_000, 0].map(|ms| show(Duration::from_millis(ms)));
        assert_eq!(shown, ["100 ms", "1.5 s", "2 min", "90 s", "0 s"]);
        assert_eq!(show(Duration::from_micros(100)), "100 µs");
    }
}
