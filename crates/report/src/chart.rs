//! What a report draws.

use serde::{Deserialize, Serialize};

/// A picture in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Chart {
    /// Connections over time.
    Lanes(Lanes),
    /// How often which value.
    Histogram(Histogram),
}

/// Connections over time, one lane each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lanes {
    /// What is shown.
    pub title: String,
    /// Where the time axis ends, seconds; it begins at 0.
    pub until_s: f64,
    /// From top to bottom.
    pub lanes: Vec<Lane>,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// What it did.
    pub name: String,
    /// When it was opened, seconds.
    pub from_s: f64,
    /// When it ended, or was last known to be alive, seconds.
    pub to_s: f64,
    /// What became of it.
    pub state: LaneState,
    /// How it ended, in the shared words.
    pub ending: Option<String>,
}

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneState {
    /// Alive when it was last looked at.
    Alive,
    /// It ended.
    Ended,
    /// It could not be opened.
    Failed,
}

/// How often which value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// What is counted.
    pub title: String,
    /// The unit of the values.
    pub unit: String,
    /// From the lowest to the highest.
    pub bins: Vec<Bin>,
}

/// A range of values and how often they came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Lower end, included.
    pub from: f64,
    /// Upper end, not included.
    pub to: f64,
    /// How often.
    pub count: u64,
}
