//! Durations and sizes as people write them.

use std::time::Duration;

/// Reads `100ms`, `1.5s`, `2m`, `1h` or a bare number of seconds.
///
/// # Errors
/// A sentence that says what was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = (text[..split].trim(), text[split..].trim());
    if number.is_empty() {
        return Err(format!("`{text}` is not a duration: write 100ms, 1.5s or 2m"));
    }
    let scale = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(format!("`{unit}` is not a unit of time: use ms, s, m, h or d")),
    };
    let value: f64 =
        number.parse().map_err(|_| format!("`{text}` is not a duration: write 100ms, 1.5s or 2m"))?;
    seconds(value * scale).ok_or_else(|| format!("`{text}` is not a duration between 0 and 10 years"))
}

/// A duration of that many seconds; None when it is negative, not a number, or over ten years.
pub fn seconds(value: f64) -> Option<Duration> {
    (0.0..=315_360_000.0).contains(&value).then(|| Duration::from_secs_f64(value))
}

/// Reads `256KiB`, `1MiB`, `64KB` or a bare number of bytes.
///
/// # Errors
/// A sentence that says what was expected.
pub fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = (text[..split].trim(), text[split..].trim());
    if number.is_empty() {
        return Err(format!("`{text}` is not a size: write 256KiB or 1MiB"));
    }
    let scale: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "k" | "kib" => 1 << 10,
        "mb" => 1_000_000,
        "m" | "mib" => 1 << 20,
        "gb" => 1_000_000_000,
        "g" | "gib" => 1 << 30,
        _ => return Err(format!("`{unit}` is not a unit of size: use KiB, MiB or GiB")),
    };
    let value: u64 = number.parse().map_err(|_| format!("`{text}` is not a size: write 256KiB or 1MiB"))?;
    value.checked_mul(scale).ok_or_else(|| format!("`{text}` is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        assert_eq!(duration("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("0.25"), Ok(Duration::from_millis(250)));
        for bad in ["", "ten", "-1s", "5 weeks", "1e99h", "nan"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_as_people_write_them() {
        assert_eq!(size("256KiB"), Ok(262_144));
        assert_eq!(size("1 MiB"), Ok(1 << 20));
        assert_eq!(size("64kB"), Ok(64_000));
        assert_eq!(size("17"), Ok(17));
        for bad in ["", "KiB", "1.5MiB", "-1", "1 XiB", "99999999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
