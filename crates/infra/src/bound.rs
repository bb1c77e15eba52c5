//! Values of timers as the data files write them.

use std::fmt;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use undrop_text::duration;

/// The value of a timer, which may be disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// The timer runs for this long.
    At(Duration),
    /// There is no limit: the timer is disabled, or can be set to any value. Greater than every duration.
    Unlimited,
}

impl Bound {
    /// Returns the duration, or `None` without a limit.
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
            Self::At(duration) => f.write_str(&duration::spell(*duration)),
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
            duration::parse(&text).map(Self::At).map_err(D::Error::custom)
        }
    }
}

/// Deserializes a duration; for `#[serde(deserialize_with)]`.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    duration::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Deserializes the duration of an optional key; for `#[serde(deserialize_with)]`.
pub(crate) fn some_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_above_every_limit() {
        assert!(Bound::Unlimited > Bound::At(Duration::MAX));
    }
}
