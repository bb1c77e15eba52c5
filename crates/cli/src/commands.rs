//! One module per command, and the code that several commands use.

pub(crate) mod bench;
pub(crate) mod chaos;
pub(crate) mod choice;
pub(crate) mod connect;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod gateway;
pub(crate) mod headers;
pub(crate) mod reference;
