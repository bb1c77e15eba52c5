//! Durations: the one grammar of the project, and how they are written.
//!
//! A duration is a decimal number and a unit, with an optional space in between. The case of the unit does not matter. A number
//! without a unit is in seconds.
//!
//! | unit | spellings |
//! |---|---|
//! | nanosecond | `ns` |
//! | microsecond | `us`, `µs` |
//! | millisecond | `ms`, `msec`, `msecs`, `millisecond`, `milliseconds` |
//! | second | `s`, `sec`, `secs`, `second`, `seconds`, or no unit |
//! | minute | `m`, `min`, `mins`, `minute`, `minutes` |
//! | hour | `h`, `hr`, `hrs`, `hour`, `hours` |
//! | day | `d`, `day`, `days` |
//!
//! Values are rounded to the nanosecond. Negative durations, exponents (`1e3`) and durations above [`LONGEST`] are rejected.

use std::time::Duration;

use thiserror::Error;

use crate::{decimal, printable};

/// The longest duration that can be written: 100 years of 366 days. Every clock of the project can add it to its present
/// time without overflow.
pub const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The reason why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DurationError {
    /// The text is not a decimal number with an optional unit.
    #[error(
        "`{}` is not a duration; write a number and a unit, such as 100ms, 1.5s or 2m",
        printable::excerpt(input)
    )]
    Malformed {
        /// The text as it was given.
        input: String,
    },
    /// The unit after the number is unknown.
    #[error(
        "`{}` has the unknown unit `{}`; use ns, us, ms, s, m, h or d",
        printable::excerpt(input),
        printable::excerpt(unit)
    )]
    UnknownUnit {
        /// The text as it was given.
        input: String,
        /// The part that should have been a unit of time.
        unit: String,
    },
    /// The duration exceeds [`LONGEST`].
    #[error("`{}` is too long; the longest duration is 100 years", printable::excerpt(input))]
    TooLong {
        /// The text as it was given.
        input: String,
    },
}

/// Parses a duration such as `100ms`, `1.5s`, `5 minutes`, or a number of seconds.
///
/// ```
/// use std::time::Duration;
/// use undrop_text::duration;
///
/// assert_eq!(duration::parse("1.5s"), Ok(Duration::from_millis(1500)));
/// assert_eq!(duration::parse("5 minutes"), Ok(Duration::from_secs(300)));
/// assert_eq!(duration::parse("0.25"), Ok(Duration::from_millis(250)));
/// let error = duration::parse("5 weeks").unwrap_err();
/// assert_eq!(error.to_string(), "`5 weeks` has the unknown unit `weeks`; use ns, us, ms, s, m, h or d");
/// ```
///
/// # Errors
/// Returns an error if the text does not follow the grammar of this module, or if the duration exceeds [`LONGEST`].
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let input = || text.to_owned();
    let (number, unit) =
        decimal::with_unit(text).ok_or_else(|| DurationError::Malformed { input: input() })?;
    let nanos_per_unit = match unit.to_lowercase().as_str() {
        "ns" => 1,
        // The micro sign, and the Greek letter that it resembles.
        "us" | "µs" | "μs" => 1000,
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 1_000_000,
        "" | "s" | "sec" | "secs" | "second" | "seconds" => NANOS_PER_SECOND,
        "m" | "min" | "mins" | "minute" | "minutes" => 60 * NANOS_PER_SECOND,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600 * NANOS_PER_SECOND,
        "d" | "day" | "days" => 86_400 * NANOS_PER_SECOND,
        _ => return Err(DurationError::UnknownUnit { input: input(), unit: unit.to_owned() }),
    };
    number
        .times(nanos_per_unit)
        .filter(|nanos| *nanos <= LONGEST.as_nanos())
        .and_then(|nanos| u64::try_from(nanos).ok())
        .map(Duration::from_nanos)
        .ok_or_else(|| DurationError::TooLong { input: input() })
}

/// Converts a number of seconds, as it occurs in TOML, YAML and JSON, to a duration.
///
/// # Errors
/// Returns an error if the number is negative, not finite, or above [`LONGEST`].
pub fn from_seconds(seconds: f64) -> Result<Duration, DurationError> {
    if seconds.is_nan() || seconds < 0.0 {
        return Err(DurationError::Malformed { input: seconds.to_string() });
    }
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| DurationError::TooLong { input: seconds.to_string() })
}

/// Converts a number of seconds, and takes every number that [`from_seconds`] rejects for [`LONGEST`], a time that never comes.
///
/// ```
/// use std::time::Duration;
/// use undrop_text::duration;
///
/// assert_eq!(duration::from_seconds_or_longest(1.5), Duration::from_millis(1500));
/// assert_eq!(duration::from_seconds_or_longest(f64::INFINITY), duration::LONGEST);
/// ```
pub fn from_seconds_or_longest(seconds: f64) -> Duration {
    from_seconds(seconds).unwrap_or(LONGEST)
}

/// Writes a duration without a loss, in the largest of `s`, `ms`, `us` and `ns` that keeps it whole: `1500ms`. [`parse`] returns
/// the same duration.
pub fn write(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let (nanos_per_unit, unit) = match nanos {
        n if n.is_multiple_of(1_000_000_000) => (1_000_000_000, "s"),
        n if n.is_multiple_of(1_000_000) => (1_000_000, "ms"),
        n if n.is_multiple_of(1000) => (1000, "us"),
        _ => (1, "ns"),
    };
    format!("{}{unit}", nanos / nanos_per_unit)
}

/// Spells a duration for people, as documentation would: `350 s`, `4 min`, `2 h`, `5 d`, `1.5 s`, `50 ms`.
///
/// Minutes, hours and days are used only when they are whole, from 2 minutes, 1 hour and 2 days on. Fractions have at most three
/// decimals, without trailing zeros.
pub fn spell(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if duration.subsec_nanos() == 0 {
        return match seconds {
            s if s >= 2 * 86_400 && s % 86_400 == 0 => format!("{} d", s / 86_400),
            s if s >= 3600 && s % 3600 == 0 => format!("{} h", s / 3600),
            s if s >= 120 && s % 60 == 0 => format!("{} min", s / 60),
            s => format!("{s} s"),
        };
    }
    let nanos = duration.as_nanos() as f64;
    let (value, unit) = match duration.as_nanos() {
        n if n >= 1_000_000_000 => (nanos / 1e9, "s"),
        n if n >= 1_000_000 => (nanos / 1e6, "ms"),
        n if n >= 1000 => (nanos / 1e3, "µs"),
        _ => (nanos, "ns"),
    };
    let text = format!("{value:.3}");
    format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nanos(text: &str) -> Option<u128> {
        parse(text).ok().map(|duration| duration.as_nanos())
    }

    #[test]
    fn every_unit_and_spelling_is_accepted() {
        for (spellings, nanos_per_unit) in [
            ("ns", 1),
            ("us µs μs", 1000),
            ("ms msec msecs millisecond milliseconds MS", 1_000_000),
            ("s sec secs second seconds S Seconds", 1_000_000_000),
            ("m min mins minute minutes", 60_000_000_000),
            ("h hr hrs hour hours", 3_600_000_000_000),
            ("d day days", 86_400_000_000_000),
        ] {
            for unit in spellings.split(' ') {
                assert_eq!(nanos(&format!("3{unit}")), Some(3 * nanos_per_unit), "{unit}");
                assert_eq!(nanos(&format!(" 3 {unit} ")), Some(3 * nanos_per_unit), "{unit}");
            }
        }
    }

    #[test]
    fn a_bare_number_is_seconds_and_may_have_a_fraction() {
        assert_eq!(nanos("2"), Some(2_000_000_000));
        assert_eq!(nanos("0.1"), Some(100_000_000));
        assert_eq!(nanos(".5"), Some(500_000_000));
        assert_eq!(nanos("0"), Some(0));
    }

    #[test]
    fn fractions_are_exact() {
        assert_eq!(nanos("0.1s"), Some(100_000_000));
        assert_eq!(nanos("1.234567891s"), Some(1_234_567_891));
        assert_eq!(nanos("3650.123456789 d"), Some(315_370_666_666_569_600));
    }

    #[test]
    fn errors_name_the_input_and_say_what_to_write() {
        for (text, expected) in [
            ("", "`` is not a duration; write a number and a unit, such as 100ms, 1.5s or 2m"),
            ("soon", "`soon` is not a duration; write a number and a unit, such as 100ms, 1.5s or 2m"),
            ("-1s", "`-1s` is not a duration; write a number and a unit, such as 100ms, 1.5s or 2m"),
            ("1.2.3s", "`1.2.3s` is not a duration; write a number and a unit, such as 100ms, 1.5s or 2m"),
            ("1e3", "`1e3` has the unknown unit `e3`; use ns, us, ms, s, m, h or d"),
            ("1 fortnight", "`1 fortnight` has the unknown unit `fortnight`; use ns, us, ms, s, m, h or d"),
            ("99999999999h", "`99999999999h` is too long; the longest duration is 100 years"),
        ] {
            assert_eq!(parse(text).map_err(|error| error.to_string()), Err(expected.to_owned()));
        }
        let hostile = format!("\u{1b}[31m{}", "x".repeat(1000));
        let message = parse(&hostile).unwrap_err().to_string();
        assert!(!message.contains('\u{1b}') && message.chars().count() < 200, "{message}");
    }

    #[test]
    fn the_longest_duration_is_accepted_and_one_nanosecond_more_is_not() {
        assert_eq!(parse("36600d"), Ok(LONGEST));
        assert_eq!(parse(&write(LONGEST)), Ok(LONGEST));
        assert!(matches!(
            parse(&write(LONGEST + Duration::from_nanos(1))),
            Err(DurationError::TooLong { .. })
        ));
        assert!(matches!(parse(&"9".repeat(400)), Err(DurationError::TooLong { .. })));
    }

    #[test]
    fn numbers_of_seconds_have_the_same_bounds() {
        assert_eq!(from_seconds(0.25), Ok(Duration::from_millis(250)));
        assert_eq!(from_seconds(LONGEST.as_secs_f64()), Ok(LONGEST));
        for bad in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, LONGEST.as_secs_f64() + 1.0] {
            assert!(from_seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_spelled_in_the_largest_whole_unit() {
        for (text, spelled) in [
            ("0s", "0 s"),
            ("5ns", "5 ns"),
            ("100us", "100 µs"),
            ("50ms", "50 ms"),
            ("1500ms", "1.5 s"),
            ("1.2345s", "1.234 s"),
            ("60s", "60 s"),
            ("90s", "90 s"),
            ("239s", "239 s"),
            ("240s", "4 min"),
            ("3600s", "1 h"),
            ("7440s", "124 min"),
            ("24h", "24 h"),
            ("432000s", "5 d"),
        ] {
            assert_eq!(parse(text).map(spell), Ok(spelled.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_duration_is_parsed_back(nanos in 0..=LONGEST.as_nanos() as u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&write(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics_and_no_duration_exceeds_the_longest(text in "\\PC{0,12}|[0-9.]{0,30} ?[a-z]{0,4}") {
            if let Ok(duration) = parse(&text) {
                prop_assert!(duration <= LONGEST);
            }
        }

        #[test]
        fn errors_are_safe_to_print(text in any::<String>()) {
            if let Err(error) = parse(&text) {
                prop_assert!(!error.to_string().chars().any(printable::is_unsafe));
            }
        }
    }
}
