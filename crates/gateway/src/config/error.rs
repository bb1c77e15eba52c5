//! The reason why a configuration cannot be used.

use std::fmt;
use std::path::{Path, PathBuf};

/// An error in a configuration: the file, the line and the key where they are known, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    file: Option<PathBuf>,
    line: Option<usize>,
    key: Option<String>,
    problem: String,
}

impl ConfigError {
    /// An error in the value of a key such as `session.ttl`.
    pub(super) fn at_key(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..Self::new(problem) }
    }

    /// An error that belongs to no single key.
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self { file: None, line: None, key: None, problem: problem.into() }
    }

    pub(super) fn in_file(self, file: &Path) -> Self {
        Self { file: Some(file.to_owned()), ..self }
    }

    pub(super) fn on_line(self, line: Option<usize>) -> Self {
        Self { line, ..self }
    }

    /// Returns the key that is wrong, with its table: `session.ttl`.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Returns the line of the file, counted from 1.
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "`{key}`: ")?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for ConfigError {}
