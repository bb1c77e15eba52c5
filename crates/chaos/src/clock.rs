//! The clock of the proxy, which tests can pause.

use std::time::Instant;

/// Returns the present time of the runtime.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
