//! Durations and sizes as they are written.

use std::time::Duration;

/// Longest duration of a fault: ten years, which every clock can hold.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

/// Reads `100ms`, `1.5s`, `2m`, `1h`, `1d` (also `us`, `ns`); a bare number is seconds. `None`: it is none of these, or
/// longer than ten years.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(undrop_chaos::parse_duration("1.5s"), Some(Duration::from_millis(1500)));
/// assert_eq!(undrop_chaos::parse_duration("2"), Some(Duration::from_secs(2)));
/// assert_eq!(undrop_chaos::parse_duration("soon"), None);
/// ```
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let unit = match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    seconds(number * unit)
}

/// A number of seconds as a duration, rounded to nanoseconds.
pub(super) fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok().filter(|duration| *duration <= LONGEST)
}

/// Writes a duration so that [`parse_duration`] reads the same one.
pub fn write_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let (unit, name) = match nanos {
        n if n % 1_000_000_000 == 0 => (1_000_000_000, "s"),
        n if n % 1_000_000 == 0 => (1_000_000, "ms"),
        n if n % 1000 == 0 => (1000, "us"),
        _ => (1, "ns"),
    };
    format!("{}{name}", nanos / unit)
}

/// Reads `1500`, `64KiB`, `1.5MiB`, `10kB` as bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = (number * unit).round();
    // Beyond this a float no longer holds every whole number.
    (0.0..=9e15).contains(&bytes).then_some(bytes as u64)
}

fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for nanos in [0, 1, 999, 1_000_000, 1_500_000_000, 60_000_000_000, 1_234_567_891, 350_000_000_000] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse_duration(&write_duration(duration)), Some(duration), "{nanos}");
        }
        for bad in ["", "s", "-1s", "1 fortnight", "1e3", "1.2.3s", "99999999999h", "NaN", "inf"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("64KiB"), Some(65_536));
        assert_eq!(parse_size("1.5 MB"), Some(1_500_000));
        assert_eq!(parse_size("7"), Some(7));
        for bad in ["", "-1", "1XB", "1e99", "99999999999999999999"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}
