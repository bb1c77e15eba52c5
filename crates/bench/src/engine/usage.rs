//! Processor time and memory of this process.

use std::time::Duration;

/// Returns the processor time of this process so far; zero where it is not available.
pub(crate) fn cpu() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
        Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanos)
    }
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
}

/// Returns the resident memory of this process in bytes; zero where it is not available.
pub(crate) fn memory() -> u64 {
    // proc(5): "VmRSS:      1234 kB".
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}
