//! Facts about the machine on which the run was made.

use serde::{Deserialize, Serialize};

/// Settings of this machine that affect connections. `None` if a setting could not be read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LocalMachine {
    /// The value of `net.ipv4.tcp_keepalive_time` in seconds.
    pub keepalive_time_s: Option<u64>,
    /// `net.ipv4.tcp_retries2`: the number of retransmissions.
    pub retries2: Option<u64>,
    /// `net.ipv4.tcp_mtu_probing`: 0 disables probing.
    pub mtu_probing: Option<u64>,
    /// `net.netfilter.nf_conntrack_tcp_timeout_established` in seconds; also `None` if connections are not tracked.
    pub conntrack_established_s: Option<u64>,
    /// The soft limit of open files.
    pub open_files: Option<u64>,
    /// The names of the proxy variables in the environment.
    pub proxy_variables: Vec<String>,
}
