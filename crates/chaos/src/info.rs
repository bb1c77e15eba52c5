//! Snapshots of the connections and faults of a proxy.

use serde::Serialize;

use crate::spec::FaultSpec;

/// A snapshot of an open connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectionInfo {
    /// The number of the connection, counted from 1 in the order of acceptance.
    pub connection: u64,
    /// The address of the client.
    pub peer: String,
    /// The age of the connection in seconds.
    pub age: f64,
    /// The number of bytes forwarded from the client.
    pub up: u64,
    /// The number of bytes forwarded from the upstream.
    pub down: u64,
    /// The number of faults injected into the connection.
    pub faults: u64,
}

/// Faults that were added under one name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultInfo {
    /// The name under which the faults can be removed.
    pub id: String,
    /// The faults, with their durations already divided by the speed of the proxy.
    pub faults: Vec<FaultSpec>,
}
