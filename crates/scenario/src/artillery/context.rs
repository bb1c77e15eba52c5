//! What the steps of an Artillery file share.

use std::time::Duration;

use crate::builder::Defaults;
use crate::program::Jitter;

/// What holds for all flows of a file.
pub(super) struct FlowContext {
    pub(super) defaults: Defaults,
    pub(super) within: Duration,
    /// `defaults.think.jitter`.
    pub(super) jitter: Jitter,
    /// The file has something that Artillery does not take.
    pub(super) corrected: bool,
}
