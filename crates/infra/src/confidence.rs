//! The confidence in a fact or a conclusion.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The confidence in a fact about a product or in a conclusion about a connection, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// A single report or one hint among others. Check it before relying on it.
    Low,
    /// Documented in part, seen by several users, or one of several causes that fit the evidence.
    Medium,
    /// Measured, or documented by the vendor of the product, and nothing else that is known fits.
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
