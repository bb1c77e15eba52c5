//! The state that the steps of an Artillery file share.

use std::time::Duration;

use crate::builder::Defaults;
use crate::program::Jitter;

/// The defaults of all flows of a file.
pub(super) struct FlowContext {
    pub(super) defaults: Defaults,
    pub(super) within: Duration,
    /// The value of `defaults.think.jitter`.
    pub(super) jitter: Jitter,
    /// Whether the file has something that Artillery does not accept.
    pub(super) corrected: bool,
}
