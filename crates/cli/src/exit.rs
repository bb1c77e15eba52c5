//! The exit codes of all commands, and the error type that carries one.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// The exit code of a command, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    Findings = 1,
    Usage = 2,
    Handshake = 3,
    Tls = 4,
    Dropped = 5,
    Threshold = 6,
    OwnRate = 7,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}

/// An error that ends a command, with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(code: Code, error: impl Into<anyhow::Error>) -> Failure {
        Failure { code, error: error.into() }
    }

    pub(crate) fn code(&self) -> ExitCode {
        self.code.into()
    }

    /// Returns `true` if the reader of the output closed its end, which is not a failure of the command.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::new(Code::Usage, error)
    }
}
