//! One file per command.

pub(crate) mod gateway;
