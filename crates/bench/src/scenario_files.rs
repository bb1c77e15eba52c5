//! Scenario files on disk.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use undrop_scenario::{FileError, Files, Inputs, Scenario, ScenarioError};

/// The files of the operating system.
struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
        let file = File::open(path)?;
        let mut bytes = Vec::new();
        // One byte more than the limit distinguishes "exactly the limit" from "larger".
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit { Err(FileError::TooLarge) } else { Ok(bytes) }
    }
}

/// Reads a scenario file and the payload files that it names from disk.
///
/// # Errors
/// As [`undrop_scenario::load`].
pub fn load_scenario(path: &Path, inputs: &Inputs) -> Result<Scenario, ScenarioError> {
    undrop_scenario::load(path, inputs, &Disk)
}
