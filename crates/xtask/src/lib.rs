//! Checks and generates what this repository says about itself; `main.rs` is the command line.

pub mod generate;
pub mod imports;
pub mod layering;
pub mod metrics;
pub mod prose;
pub mod repository;
pub mod source;
pub mod tidy;
pub mod tree;

use std::fmt;

/// Something a check found: where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path from the root of the repository, or the name of a package.
    pub place: String,
    /// Line in the file, counted from 1, where one is to blame.
    pub line: Option<usize>,
    /// The description of the problem, and what to do about it.
    pub message: String,
}

impl Problem {
    /// A problem of a whole file or package.
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), line: None, message: message.into() }
    }

    /// A problem of one line.
    pub fn at(place: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { place: place.into(), line: Some(line), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.place, self.message),
            None => write!(f, "{}: {}", self.place, self.message),
        }
    }
}
