//! Numbers as people read them.

/// `1234567` as `1,234,567`.
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

/// Something per second: whole from 100 on, else with as many digits as tell it apart.
pub fn rate(per_second: f64) -> String {
    match per_second {
        rate if !rate.is_finite() => "—".to_owned(),
        rate if rate >= 99.95 => thousands(rate.round() as u64),
        rate if rate >= 10.0 || rate == rate.trunc() => trimmed(rate, 1),
        // Two digits that are not zero, wherever they begin.
        rate if rate > 0.0 && rate < 0.0995 => trimmed(rate, (1.0 - rate.log10().floor()).min(12.0) as usize),
        rate => trimmed(rate, 2),
    }
}

/// A part of a whole, `0.9994` as `99.94 %`. Only what is whole is 100 %, and only nothing is 0 %.
pub fn percent(part: f64) -> String {
    if !part.is_finite() {
        return "—".to_owned();
    }
    let percent = part * 100.0;
    if percent == percent.trunc() {
        return format!("{percent} %");
    }
    for digits in 1..=4 {
        let text = format!("{percent:.digits$}");
        let shown: f64 = text.parse().unwrap_or(percent);
        if shown != 100.0 && shown != 0.0 {
            return format!("{text} %");
        }
    }
    if percent < 1.0 { "< 0.0001 %".to_owned() } else { "> 99.9999 %".to_owned() }
}

/// Seconds, as for ages: `31.2 s`, `12 min 5 s`, `3 h 20 min`.
pub fn seconds(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "—".to_owned();
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

/// Milliseconds, as for latency: three significant digits or more, `0.212 ms`, `3.14 ms`, `1.25 s`.
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() => "—".to_owned(),
        ms if ms < 9.995 => format!("{ms:.3} ms"),
        ms if ms < 99.95 => format!("{ms:.2} ms"),
        ms if ms < 999.5 => format!("{ms:.1} ms"),
        ms if ms < 99_950.0 => format!("{:.2} s", ms / 1e3),
        ms => seconds(ms / 1e3),
    }
}

/// Bytes: `312 B`, `5.2 KiB`, `1.4 GiB`.
pub fn bytes(bytes: f64) -> String {
    let mut value = bytes;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1023.95 {
            return if unit == "B" { format!("{value:.0} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// What others sent, fit for a terminal: control characters are replaced, and what is long is cut.
pub fn printable(text: &str, most: usize) -> String {
    let mut clean: String = text
        .chars()
        .take(most)
        .map(|c| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(most).is_some() {
        clean.pop();
        clean.push('…');
    }
    clean
}

/// Changes the direction or shape of other characters without being seen.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn only_all_is_a_hundred_percent() {
        for (part, text) in [
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
            assert_eq!(percent(part), text, "{part}");
        }
    }

    #[test]
    fn times_and_sizes_have_fitting_units() {
        for (value, text) in [
            (31.23, "31.2 s"),
            (0.0, "0.0 s"),
            (0.012, "12.00 ms"),
            (0.35, "0.35 s"),
            (60.0, "60.0 s"),
            (725.0, "12 min 5 s"),
            (7200.0, "2 h 0 min"),
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
        for (value, text) in [
            (312.0, "312 B"),
            (5325.0, "5.2 KiB"),
            (1_048_576.0, "1.0 MiB"),
            (1.5e9, "1.4 GiB"),
            (5e12, "4.5 TiB"),
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

    #[test]
    fn what_others_sent_cannot_steer_a_terminal() {
        assert_eq!(printable("a\x1b[31m\u{202e}b", 100), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(printable("abcdef", 4), "abc…");
        assert_eq!(printable("abcd", 4), "abcd");
    }
}
