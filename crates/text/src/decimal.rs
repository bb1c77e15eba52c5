//! Decimal numbers with a unit, read without rounding errors.

/// The number of fraction digits that are kept. Further digits are below a nanosecond of a day and below a byte of a TiB.
const FRACTION_DIGITS: usize = 18;

/// A decimal number that is not negative, exactly as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    /// The whole part; saturates, which every unit then reports as an overflow.
    whole: u128,
    /// The digits of the fraction as a number.
    fraction: u128,
    /// The power of ten by which `fraction` is divided.
    divisor: u128,
}

impl Decimal {
    /// Parses digits with at most one decimal point. Signs and exponents are rejected.
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let fraction = fraction.get(..FRACTION_DIGITS).map_or(fraction, |kept| {
            // A character that is not a digit must be found among the digits that are dropped too.
            if fraction.bytes().all(|b| b.is_ascii_digit()) { kept } else { "." }
        });
        let mut divisor = 1;
        for _ in 0..fraction.len() {
            divisor *= 10;
        }
        Some(Self { whole: digits(whole)?, fraction: digits(fraction)?, divisor })
    }

    /// Returns the product with `factor`, rounded to the nearest whole number, or `None` if it exceeds 128 bits.
    pub(crate) fn times(self, factor: u64) -> Option<u128> {
        let factor = u128::from(factor);
        let fraction = (self.fraction * factor * 2 + self.divisor) / (self.divisor * 2);
        self.whole.checked_mul(factor)?.checked_add(fraction)
    }
}

/// Parses decimal digits; an empty text is zero, and a number above 128 bits saturates.
fn digits(text: &str) -> Option<u128> {
    text.chars().try_fold(0u128, |sum, c| {
        let digit = c.to_digit(10)?;
        Some(sum.saturating_mul(10).saturating_add(u128::from(digit)))
    })
}

/// Splits `1.5 MiB` into the number and the unit, which may be empty.
pub(crate) fn with_unit(text: &str) -> Option<(Decimal, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((Decimal::parse(number)?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(text: &str, factor: u64) -> Option<u128> {
        Decimal::parse(text)?.times(factor)
    }

    #[test]
    fn fractions_are_exact_and_rounded_to_the_nearest_unit() {
        assert_eq!(times("1.5", 1_000_000_000), Some(1_500_000_000));
        assert_eq!(times(".25", 1000), Some(250));
        assert_eq!(times("3.", 7), Some(21));
        assert_eq!(times("0.3", 1024), Some(307));
        assert_eq!(times("0.0005", 1000), Some(1));
        assert_eq!(times("0.9999999999999999999999", 1), Some(1));
    }

    #[test]
    fn anything_but_digits_and_one_point_is_rejected() {
        for text in ["", ".", "1.2.3", "1e3", "-1", "+1", "1,5", "0.0000000000000000000000.1"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn huge_numbers_overflow_without_a_panic() {
        assert_eq!(times(&"9".repeat(500), 2), None);
        let almost_one = format!("0.{}", "9".repeat(500));
        assert!(times(&almost_one, u64::MAX).is_some_and(|product| product <= u128::from(u64::MAX)));
    }

    #[test]
    fn a_space_may_separate_number_and_unit() {
        assert_eq!(with_unit(" 1 MiB ").map(|(_, unit)| unit), Some("MiB"));
        assert_eq!(with_unit("17").map(|(_, unit)| unit), Some(""));
        assert_eq!(with_unit("MiB"), None);
    }
}
