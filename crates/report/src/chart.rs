//! The charts of a report, as data.

use serde::{Deserialize, Serialize};

/// A chart of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Chart {
    /// The lifetimes of connections on a common time axis.
    Lanes(Lanes),
    /// The number of values in each of a series of ranges.
    Histogram(Histogram),
}

/// The lifetimes of connections on a common time axis, one lane per connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lanes {
    /// The heading of the chart.
    pub title: String,
    /// The end of the time axis, in seconds; the axis starts at 0.
    pub until_s: f64,
    /// The lanes, from top to bottom.
    pub lanes: Vec<Lane>,
}

/// The lifetime of one connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// The name of the connection, such as the traffic on it.
    pub name: String,
    /// The time at which it was opened, in seconds.
    pub from_s: f64,
    /// The time at which it ended or was last known to be alive, in seconds.
    pub to_s: f64,
    /// The state of the connection at that time.
    pub state: LaneState,
    /// The way it ended, in the shared vocabulary of endings.
    pub ending: Option<String>,
}

/// The last known state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneState {
    /// The connection was alive at the end of the observation.
    Alive,
    /// The connection ended during the observation.
    Ended,
    /// The connection could not be opened.
    Failed,
}

/// The number of values in each of a series of ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// The heading of the chart.
    pub title: String,
    /// The unit of the values.
    pub unit: String,
    /// The ranges in ascending order.
    pub bins: Vec<Bin>,
}

/// A range of values and the number of values in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// The lower end, which belongs to the range.
    pub from: f64,
    /// The upper end, which does not belong to the range.
    pub to: f64,
    /// The number of values in the range.
    pub count: u64,
}

impl Bin {
    /// Returns the range with its unit, as both renderers show it.
    pub(crate) fn range(&self, unit: &str) -> String {
        format!("{:.1} to {:.1} {unit}", self.from, self.to)
    }
}
