//! The kernel's counters of the proxy's processes.

use std::fs;
use std::time::Duration;

/// Time on a processor so far, user and system, of these processes and their threads; whole 10 ms per process.
pub fn cpu(pids: &[u32]) -> Duration {
    let ticks: u64 = pids.iter().filter_map(|pid| ticks(*pid)).sum();
    Duration::from_millis(ticks * 10)
}

fn ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th field after it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Resident bytes, summed over the processes.
pub fn resident(pids: &[u32]) -> u64 {
    sum(pids, "status", &["VmRSS:"])
}

/// Resident bytes that no other process shares, summed over the processes.
pub fn private(pids: &[u32]) -> u64 {
    sum(pids, "smaps_rollup", &["Private_Clean:", "Private_Dirty:", "Private_Hugetlb:"])
}

fn sum(pids: &[u32], file: &str, names: &[&str]) -> u64 {
    let text = pids.iter().filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/{file}")).ok());
    let kilobytes = |text: String| -> u64 {
        let lines = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
        lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
    };
    text.map(kilobytes).sum::<u64>() * 1024
}
