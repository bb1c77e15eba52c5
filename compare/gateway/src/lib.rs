//! The parts that other comparisons use too: the echo backend's side of a connection, and the frames it is made of.

pub mod backend;
pub mod frame;
