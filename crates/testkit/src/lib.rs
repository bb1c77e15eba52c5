//! The network simulator, in virtual time, for the tests of this workspace.

pub mod sim;
