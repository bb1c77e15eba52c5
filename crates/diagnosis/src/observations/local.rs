//! The machine the run was made from.

use serde::{Deserialize, Serialize};

/// Facts about this machine that make connections drop or hide that they did. `None`: could not be read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LocalMachine {
    /// `net.ipv4.tcp_keepalive_time`, seconds.
    pub keepalive_time_s: Option<u64>,
    /// `net.ipv4.tcp_retries2`.
    pub retries2: Option<u64>,
    /// `net.ipv4.tcp_mtu_probing`.
    pub mtu_probing: Option<u64>,
    /// `net.netfilter.nf_conntrack_tcp_timeout_established`, seconds; `None` also where connections are not tracked.
    pub conntrack_established_s: Option<u64>,
    /// Soft limit of open files.
    pub open_files: Option<u64>,
    /// Names of the proxy variables that are set.
    pub proxy_variables: Vec<String>,
}
