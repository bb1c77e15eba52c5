//! One file per command.

pub(crate) mod connect;
pub(crate) mod demo;
pub(crate) mod gateway;
