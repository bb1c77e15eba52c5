//! How sure a fact is.

use std::fmt;

use serde::Deserialize;

/// How sure a fact is; ordered, the surest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// From memory, or from a single report: check before relying on it.
    Low,
    /// Documented in part, or seen by several users.
    Medium,
    /// Measured, or documented by whoever makes the product.
    High,
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}
