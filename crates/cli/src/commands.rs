//! One file per command, and what they share.

pub(crate) mod bench;
pub(crate) mod chaos;
pub(crate) mod connect;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod gateway;
pub(crate) mod headers;
pub(crate) mod reference;
