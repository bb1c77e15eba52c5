//! What is wrong with a scenario file, and what was put right.

use std::fmt;

/// Why a scenario cannot run. One error, the first one; `Display` is `file:line:column: message; help`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ScenarioError {
    /// The file as it was named; a payload file has its own name here.
    pub file: String,
    /// Line, from 1; 0 when the whole file is meant.
    pub line: u32,
    /// Column in characters, from 1; 0 when it is not known.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
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

/// Something a user should know before the run: a correction, or a difference to the tool that the file was written for. `Display` is
/// `file:line: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The file as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// What was found, and what is done about it.
    pub message: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}
