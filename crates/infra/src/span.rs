//! Durations as the data files write them, and as people read them.

use std::fmt;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A bound of a timer that may also be "none at all".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// This long.
    At(Duration),
    /// No limit: the timer is off, or may be set as high as one likes. Greater than every duration.
    Unlimited,
}

impl Bound {
    /// The duration, if there is one.
    pub fn at(self) -> Option<Duration> {
        match self {
            Self::At(duration) => Some(duration),
            Self::Unlimited => None,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(duration) => f.write_str(&spelled(*duration)),
            Self::Unlimited => f.write_str("none"),
        }
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "none" {
            Ok(Self::Unlimited)
        } else {
            parse(&text).map(Self::At).map_err(D::Error::custom)
        }
    }
}

/// The duration in the largest unit that keeps it whole, as documentation would write it: `350 s`, `4 min`, `2 h`, `5 d`.
pub fn spelled(duration: Duration) -> String {
    let (seconds, rest) = (duration.as_secs(), duration.subsec_millis());
    if rest > 0 {
        return if seconds == 0 { format!("{rest} ms") } else { format!("{} s", duration.as_secs_f64()) };
    }
    match seconds {
        s if s >= 2 * 86_400 && s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s >= 3600 && s % 3600 == 0 => format!("{} h", s / 3600),
        s if s >= 120 && s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// For `#[serde(deserialize_with)]`.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// For `#[serde(deserialize_with)]` of a key that may be absent.
pub(crate) fn some_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// A whole number and a unit: `ms`, `s`, `m`, `h` or `d`.
fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("`{text}` is no duration; write a whole number with ms, s, m, h or d")),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{text}` does not begin with a number"))?;
    let total = number.checked_mul(milliseconds).ok_or_else(|| format!("`{text}` is too long"))?;
    Ok(Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn durations_are_read_and_spelled() {
        for (text, spelling) in [
            ("50ms", "50 ms"),
            ("1500ms", "1.5 s"),
            ("60s", "60 s"),
            ("239s", "239 s"),
            ("240s", "4 min"),
            ("4m", "4 min"),
            ("3600s", "1 h"),
            ("7440s", "124 min"),
            ("24h", "24 h"),
            ("432000s", "5 d"),
            ("0s", "0 s"),
        ] {
            assert_eq!(spelled(parse(text).unwrap()), spelling, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "s", "60", "1.5s", "-1s", "5 s", "5w", "99999999999999999999s", "99999999999999999d"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_limit_is_above_every_limit() {
        assert!(Bound::Unlimited > Bound::At(Duration::MAX));
    }
}
