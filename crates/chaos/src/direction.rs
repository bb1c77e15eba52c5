//! The directions of a connection.

use serde::{Deserialize, Serialize};
use undrop_fault::Side;

/// A direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the client to the upstream.
    Up,
    /// From the upstream to the client.
    Down,
    /// Both directions of the connection.
    #[default]
    Both,
}

impl Direction {
    /// Returns the direction of data that a side sends. Side A is the client.
    pub(crate) fn sent_by(side: Side) -> Direction {
        match side {
            Side::A => Direction::Up,
            Side::B => Direction::Down,
        }
    }

    /// Returns whether the direction includes data from the client.
    pub fn is_up(self) -> bool {
        self != Direction::Down
    }

    /// Returns whether the direction includes data from the upstream.
    pub fn is_down(self) -> bool {
        self != Direction::Up
    }

    /// Returns whether each side sends in this direction, indexed by side.
    pub(crate) fn senders(self) -> [bool; 2] {
        [self.is_up(), self.is_down()]
    }
}
