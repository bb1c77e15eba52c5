//! YAML with the place of every value.

pub(crate) mod node;
pub(crate) mod reader;
