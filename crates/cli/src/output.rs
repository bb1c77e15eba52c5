//! Standard output that may be closed, full, or a pipe without a reader.

use std::fmt::Arguments;
use std::io::{self, Write, stdout};
use std::sync::OnceLock;

use anyhow::anyhow;

use crate::exit::{Code, Failure};

/// The first write error.
static FIRST_ERROR: OnceLock<io::Error> = OnceLock::new();

/// Writes a line. A closed pipe is ignored; any other error is kept for the exit code.
pub(crate) fn line(text: Arguments<'_>) {
    if let Err(error) = writeln!(stdout(), "{text}") {
        remember(error);
    }
}

/// Flushes standard output and returns the failure if something could not be written.
pub(crate) fn lost() -> Option<Failure> {
    if let Err(error) = stdout().flush() {
        remember(error);
    }
    FIRST_ERROR.get().map(|error| Failure::new(Code::Usage, anyhow!("standard output: {error}")))
}

fn remember(error: io::Error) {
    if error.kind() != io::ErrorKind::BrokenPipe {
        // Only the first error is reported.
        let _ = FIRST_ERROR.set(error);
    }
}
