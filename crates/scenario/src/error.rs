//! Errors and notices about scenario files.

use std::fmt;

/// The first error in a scenario file. `Display` has the form `file:line:column: message; help`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ScenarioError {
    /// The path of the file as it was given; errors in a payload file have its path.
    pub file: String,
    /// The line from 1; 0 for the whole file.
    pub line: u32,
    /// The column in characters from 1; 0 if it is unknown.
    pub column: u32,
    /// The description of the error.
    pub message: String,
    /// A suggestion how to fix it.
    pub help: Option<String>,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.line > 0 && self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// A correction, or a difference from the tool that the file was written for, to show before the run. `Display` has the form
/// `file:line: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The path of the file as it was given.
    pub file: String,
    /// The line from 1.
    pub line: u32,
    /// The finding and its consequence.
    pub message: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}
