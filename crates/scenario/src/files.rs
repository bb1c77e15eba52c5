//! Files are read by the caller, since this crate does no I/O.

use std::io;
use std::path::Path;

/// Reads the files that a scenario consists of: the YAML file itself and its payload files.
pub trait Files {
    /// Returns the content of the file at `path`.
    ///
    /// # Errors
    /// [`FileError::TooLarge`] if the file is larger than `limit` bytes; an implementation must not read more than that.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FileError>;
}

/// The reason why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file is larger than the limit that was passed to [`Files::read`].
    #[error("the file is too large")]
    TooLarge,
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// An implementation of [`Files`] without any file, for scenarios without payload files.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &Path, _limit: u64) -> Result<Vec<u8>, FileError> {
        Err(FileError::Unreadable(io::ErrorKind::NotFound.into()))
    }
}

impl FileError {
    /// Describes the error to the user; `kind` is the kind of file that `limit` applies to.
    pub(crate) fn describe(&self, limit: u64, kind: &str) -> String {
        match self {
            FileError::TooLarge => {
                format!("the file is larger than {} MiB, the limit for a {kind}", limit >> 20)
            }
            FileError::Unreadable(_) => self.to_string(),
        }
    }
}
