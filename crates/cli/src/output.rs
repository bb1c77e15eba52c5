//! Standard output that may be closed, full, or a pipe that nobody reads.

use std::fmt::Arguments;
use std::io::{self, Write, stdout};
use std::sync::OnceLock;

use anyhow::anyhow;

use crate::exit::{Code, Failure};

/// Why something could not be written, the first time.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Writes a line. A reader that has gone is nobody's fault; anything else is remembered for the exit code.
pub(crate) fn line(text: Arguments<'_>) {
    if let Err(error) = writeln!(stdout(), "{text}") {
        remember(error);
    }
}

/// Why not everything could be written.
pub(crate) fn lost() -> Option<Failure> {
    if let Err(error) = stdout().flush() {
        remember(error);
    }
    LOST.get().map(|error| Failure::new(Code::Usage, anyhow!("standard output: {error}")))
}

fn remember(error: io::Error) {
    if error.kind() != io::ErrorKind::BrokenPipe {
        // Only the first one counts.
        let _ = LOST.set(error);
    }
}
