//! Virtual-time simulator and scripted peers for the tests of this workspace.

pub mod sim;
