//! What an operator decides about sessions.

use std::sync::Arc;

use undrop_session::GatewayConfig;

/// Options of all sessions of a server.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Timers and buffers of one session.
    pub machine: Arc<GatewayConfig>,
    /// What all parked sessions of the process may hold together, in bytes. Default 256 MiB.
    pub detached_budget: usize,
    /// Payload bytes of one message. Default 64 MiB.
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
