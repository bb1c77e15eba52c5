//! The error of an invalid fault specification.

/// A fault specification that is invalid. The message names the key and, for a mistyped name, the closest known one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FaultSpecError {
    /// The key that is wrong, if the error is about one.
    pub key: Option<String>,
    message: String,
}

impl FaultSpecError {
    pub(crate) fn new(message: impl Into<String>) -> FaultSpecError {
        FaultSpecError { key: None, message: message.into() }
    }

    pub(crate) fn at(key: &str, message: impl Into<String>) -> FaultSpecError {
        FaultSpecError { key: Some(key.to_owned()), message: message.into() }
    }
}
