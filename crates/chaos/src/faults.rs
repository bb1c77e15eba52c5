//! The faults of the two links of a connection.

use undrop_fault::Fault;

/// The faults of the two links of a connection: to the upstream, and back.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The faults of the link from the client to the upstream.
    pub forth: Fault,
    /// The faults of the link from the upstream to the client.
    pub back: Fault,
}
