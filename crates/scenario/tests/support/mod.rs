//! Scenario files read from disk.
#![allow(dead_code, unreachable_pub, clippy::disallowed_methods)]

use std::path::Path;

use undrop_scenario::{FileError, Files, Inputs, Scenario, ScenarioError};

struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
        if std::fs::metadata(path)?.len() > limit {
            return Err(FileError::TooLarge);
        }
        Ok(std::fs::read(path)?)
    }
}

pub fn load(path: &Path, inputs: &Inputs) -> Result<Scenario, ScenarioError> {
    undrop_scenario::load(path, inputs, &Disk)
}

pub fn parse(text: &str, path: &Path, inputs: &Inputs) -> Result<Scenario, ScenarioError> {
    undrop_scenario::parse(text, path, inputs, &Disk)
}
