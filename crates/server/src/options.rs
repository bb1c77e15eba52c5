//! The options of sessions.

use std::sync::Arc;

use undrop_session::GatewayConfig;

/// The options of all sessions of a server.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The timers and buffers of one session.
    pub machine: Arc<GatewayConfig>,
    /// The memory budget of all detached sessions of the process together, in bytes. Default: 256 MiB.
    pub detached_budget: usize,
    /// The maximum payload of one message, in bytes. Default: 64 MiB.
    pub max_message: u64,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            machine: Arc::new(GatewayConfig::default()),
            detached_budget: 256 * 1024 * 1024,
            max_message: 64 << 20,
        }
    }
}
