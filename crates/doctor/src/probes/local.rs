//! Reads settings of this machine that affect connections.

use std::fs;

use undrop_diagnosis::observations::LocalMachine;

/// The environment variables for forward proxies.
const PROXIES: [&str; 6] =
    ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

/// Reads the settings from `/proc`; on other systems than Linux, most remain unknown.
pub(crate) fn local() -> LocalMachine {
    LocalMachine {
        keepalive_time_s: number("/proc/sys/net/ipv4/tcp_keepalive_time"),
        retries2: number("/proc/sys/net/ipv4/tcp_retries2"),
        mtu_probing: number("/proc/sys/net/ipv4/tcp_mtu_probing"),
        conntrack_established_s: number("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"),
        open_files: fs::read_to_string("/proc/self/limits").ok().and_then(|text| open_files(&text)),
        proxy_variables: PROXIES
            .iter()
            .filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
            .map(|&name| name.to_owned())
            .collect(),
    }
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_read() {
        let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                    Max open files            1024                 524288               files\n";
        assert_eq!(open_files(text), Some(1024));
        assert_eq!(open_files("Max open files            unlimited  unlimited  files"), None);
    }
}
