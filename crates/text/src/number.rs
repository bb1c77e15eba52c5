//! Numbers as reports show them: grouped counts, rates, percentages, times and byte sizes.
//!
//! A value that is not finite is shown as `—`.

const NOT_A_NUMBER: &str = "—";

/// Formats a count with commas between groups of three digits: `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a count with its noun, which gets an `s` unless the count is 1: `1 message`, `2,000 messages`.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(count))
}

/// Formats a rate per second, without a unit: whole from 100 on, below with as many decimals as distinguish it.
pub fn rate(per_second: f64) -> String {
    match per_second {
        rate if !rate.is_finite() => NOT_A_NUMBER.to_owned(),
        rate if rate >= 99.95 => thousands(rate.round() as u64),
        rate if rate >= 10.0 || rate == rate.trunc() => trimmed(rate, 1),
        // Two significant digits, wherever they start.
        rate if rate > 0.0 && rate < 0.0995 => trimmed(rate, (1.0 - rate.log10().floor()).min(12.0) as usize),
        rate => trimmed(rate, 2),
    }
}

/// Formats a ratio as a percentage: 0.9994 as `99.94 %`. Only a ratio of exactly 1 is `100 %`, and only exactly 0 is `0 %`.
pub fn percent(ratio: f64) -> String {
    if !ratio.is_finite() {
        return NOT_A_NUMBER.to_owned();
    }
    let percent = ratio * 100.0;
    if percent == percent.trunc() {
        return format!("{percent} %");
    }
    for decimals in 1..=4 {
        let text = format!("{percent:.decimals$}");
        let shown: f64 = text.parse().unwrap_or(percent);
        if shown != 100.0 && shown != 0.0 {
            return format!("{text} %");
        }
    }
    if percent < 1.0 { "< 0.0001 %".to_owned() } else { "> 99.9999 %".to_owned() }
}

/// Formats seconds, as for ages: `31.2 s`, `12 min 5 s`, `3 h 20 min`. Below 0.1 s it uses [`milliseconds`].
pub fn seconds(seconds: f64) -> String {
    if !seconds.is_finite() {
        return NOT_A_NUMBER.to_owned();
    }
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 0.0995 && s > 0.0 => milliseconds(s * 1e3),
        s if s < 1.0 && s > 0.0 => format!("{s:.2} s"),
        s if s < 599.95 => format!("{s:.1} s"),
        _ if whole < 2 * 3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Formats milliseconds, as for latency, with at least three significant digits: `0.212 ms`, `31.40 ms`, `1.25 s`.
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() => NOT_A_NUMBER.to_owned(),
        ms if ms < 9.995 => format!("{ms:.3} ms"),
        ms if ms < 99.95 => format!("{ms:.2} ms"),
        ms if ms < 999.5 => format!("{ms:.1} ms"),
        ms if ms < 99_950.0 => format!("{:.2} s", ms / 1e3),
        ms => seconds(ms / 1e3),
    }
}

/// Formats a number of bytes in binary units: `312 B`, `5.2 KiB`, `1.4 GiB`.
pub fn bytes(bytes: f64) -> String {
    if !bytes.is_finite() {
        return NOT_A_NUMBER.to_owned();
    }
    let mut value = bytes;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1023.95 {
            return if unit == "B" { format!("{value:.0} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// Formats with at most this many decimals and without trailing zeros.
fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thousands_are_separated_by_commas() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!([0, 1, 2000].map(|n| counted(n, "link")), ["0 links", "1 link", "2,000 links"]);
    }

    #[test]
    fn only_all_is_a_hundred_percent() {
        for (ratio, text) in [
            (1.0, "100 %"),
            (0.0, "0 %"),
            (0.5, "50 %"),
            (0.998, "99.8 %"),
            (0.9999, "99.99 %"),
            (0.999_999, "99.9999 %"),
            (0.999_999_99, "> 99.9999 %"),
            (0.000_01, "0.001 %"),
            (1e-9, "< 0.0001 %"),
            (1.2, "120 %"),
            (f64::NAN, "—"),
        ] {
            assert_eq!(percent(ratio), text, "{ratio}");
        }
    }

    #[test]
    fn times_have_fitting_units() {
        for (value, text) in [
            (31.23, "31.2 s"),
            (0.0, "0.0 s"),
            (0.012, "12.00 ms"),
            (0.35, "0.35 s"),
            (60.0, "60.0 s"),
            (725.0, "12 min 5 s"),
            (7200.0, "2 h 0 min"),
            (f64::INFINITY, "—"),
        ] {
            assert_eq!(seconds(value), text);
        }
        for (value, text) in [
            (0.212_4, "0.212 ms"),
            (3.5, "3.500 ms"),
            (31.4, "31.40 ms"),
            (314.0, "314.0 ms"),
            (1250.0, "1.25 s"),
            (750_000.0, "12 min 30 s"),
        ] {
            assert_eq!(milliseconds(value), text);
        }
    }

    #[test]
    fn sizes_and_rates_have_fitting_precision() {
        for (value, text) in [
            (312.0, "312 B"),
            (5325.0, "5.2 KiB"),
            (1_048_576.0, "1.0 MiB"),
            (1.5e9, "1.4 GiB"),
            (5e12, "4.5 TiB"),
            (f64::NAN, "—"),
        ] {
            assert_eq!(bytes(value), text);
        }
        for (value, text) in [
            (99_870.2, "99,870"),
            (9.5, "9.5"),
            (10.0, "10"),
            (0.25, "0.25"),
            (33.333, "33.3"),
            (0.001, "0.001"),
            (0.0333, "0.033"),
            (0.0, "0"),
            (1e-15, "0"),
        ] {
            assert_eq!(rate(value), text);
        }
    }

    proptest! {
        #[test]
        fn grouping_changes_no_digit(number in any::<u64>()) {
            let text = thousands(number);
            prop_assert_eq!(text.replace(',', ""), number.to_string());
            prop_assert!(text.rsplit(',').skip(1).all(|group| !group.is_empty()));
            prop_assert!(text.split(',').skip(1).all(|group| group.len() == 3));
        }

        #[test]
        fn no_number_panics(value in any::<f64>()) {
            for format in [rate, percent, seconds, milliseconds, bytes] {
                prop_assert!(!format(value).is_empty());
            }
        }
    }
}
