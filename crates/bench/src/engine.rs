//! The engine: a coordinator, its workers, and their schedules.

pub(crate) mod coordinator;
pub(crate) mod shared;
mod ticker;
mod usage;
mod virtual_users;
mod worker;
