//! Sizes in bytes: the one grammar of the project.
//!
//! A size is a decimal number and a unit, with an optional space in between. The case of the unit does not matter. A number
//! without a unit is in bytes.
//!
//! | unit | bytes |
//! |---|---|
//! | `B`, or no unit | 1 |
//! | `k`, `KiB` | 1024 |
//! | `kB` | 1000 |
//! | `M`, `MiB` | 1024² |
//! | `MB` | 1000² |
//! | `G`, `GiB` | 1024³ |
//! | `GB` | 1000³ |
//! | `T`, `TiB` | 1024⁴ |
//! | `TB` | 1000⁴ |
//!
//! Fractions (`1.5MiB`) are rounded to the nearest byte. Negative sizes, exponents and sizes above 64 bits are rejected.

use thiserror::Error;

use crate::{decimal, printable};

/// The reason why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SizeError {
    /// The text is not a decimal number with an optional unit.
    #[error(
        "`{}` is not a size; write a number of bytes, or a unit as in 64KiB or 1.5MiB",
        printable::excerpt(input)
    )]
    Malformed {
        /// The text as it was given.
        input: String,
    },
    /// The unit after the number is unknown.
    #[error(
        "`{}` has the unknown unit `{}`; use KiB, MiB or GiB, or kB, MB or GB for powers of 1000",
        printable::excerpt(input),
        printable::excerpt(unit)
    )]
    UnknownUnit {
        /// The text as it was given.
        input: String,
        /// The part that should have been a unit of size.
        unit: String,
    },
    /// The size does not fit in 64 bits.
    #[error("`{}` is too large; the largest size is 16 EiB", printable::excerpt(input))]
    TooLarge {
        /// The text as it was given.
        input: String,
    },
}

/// Parses a size such as `64KiB`, `1.5MB`, `4k`, or a number of bytes.
///
/// ```
/// use undrop_text::size;
///
/// assert_eq!(size::parse("64KiB"), Ok(65_536));
/// assert_eq!(size::parse("64k"), Ok(65_536));
/// assert_eq!(size::parse("64kB"), Ok(64_000));
/// assert_eq!(size::parse("1500"), Ok(1500));
/// assert!(size::parse("a lot").is_err());
/// ```
///
/// # Errors
/// Returns an error if the text does not follow the grammar of this module, or if the size does not fit in 64 bits.
pub fn parse(text: &str) -> Result<u64, SizeError> {
    let input = || text.to_owned();
    let (number, unit) = decimal::with_unit(text).ok_or_else(|| SizeError::Malformed { input: input() })?;
    let bytes_per_unit = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "kb" => 1000,
        "m" | "mib" => 1 << 20,
        "mb" => 1_000_000,
        "g" | "gib" => 1 << 30,
        "gb" => 1_000_000_000,
        "t" | "tib" => 1 << 40,
        "tb" => 1_000_000_000_000,
        _ => return Err(SizeError::UnknownUnit { input: input(), unit: unit.to_owned() }),
    };
    number
        .times(bytes_per_unit)
        .and_then(|bytes| u64::try_from(bytes).ok())
        .ok_or_else(|| SizeError::TooLarge { input: input() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_single_letter_is_binary_and_kb_is_decimal() {
        for (text, bytes) in [
            ("17", 17),
            ("17B", 17),
            ("1k", 1024),
            ("1K", 1024),
            ("1KiB", 1024),
            ("1kb", 1000),
            ("1KB", 1000),
            ("64kB", 64_000),
            ("1M", 1 << 20),
            ("1 MiB", 1 << 20),
            ("1MB", 1_000_000),
            ("2g", 2 << 30),
            ("2GiB", 2 << 30),
            ("2 gb", 2_000_000_000),
            ("1T", 1 << 40),
            ("1TB", 1_000_000_000_000),
            ("1.5MiB", 1_572_864),
            ("1.5 MB", 1_500_000),
            ("0.3KiB", 307),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn errors_name_the_input_and_say_what_to_write() {
        for (text, expected) in [
            ("", "`` is not a size; write a number of bytes, or a unit as in 64KiB or 1.5MiB"),
            ("KiB", "`KiB` is not a size; write a number of bytes, or a unit as in 64KiB or 1.5MiB"),
            ("-1", "`-1` is not a size; write a number of bytes, or a unit as in 64KiB or 1.5MiB"),
            (
                "1 XiB",
                "`1 XiB` has the unknown unit `XiB`; use KiB, MiB or GiB, or kB, MB or GB for powers of 1000",
            ),
            (
                "1e99",
                "`1e99` has the unknown unit `e99`; use KiB, MiB or GiB, or kB, MB or GB for powers of 1000",
            ),
            ("99999999999999GiB", "`99999999999999GiB` is too large; the largest size is 16 EiB"),
        ] {
            assert_eq!(parse(text).map_err(|error| error.to_string()), Err(expected.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn a_bare_number_is_itself(bytes in any::<u64>()) {
            prop_assert_eq!(parse(&bytes.to_string()), Ok(bytes));
        }

        #[test]
        fn the_case_of_the_unit_does_not_matter(number in 0u32.., unit in "[kmgt](i?b)?|b") {
            let lower = parse(&format!("{number}{unit}")).ok();
            prop_assert_eq!(parse(&format!("{number}{}", unit.to_uppercase())).ok(), lower);
        }

        #[test]
        fn no_text_panics_and_errors_are_safe_to_print(text in any::<String>()) {
            if let Err(error) = parse(&text) {
                prop_assert!(!error.to_string().chars().any(printable::is_unsafe));
            }
        }
    }
}
