//! The two sides of a connection.

/// One side of a [`Pair`](crate::Pair).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The first side; by convention the client.
    A,
    /// The second side; by convention the server.
    B,
}

impl Side {
    /// Returns the opposite side.
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}
