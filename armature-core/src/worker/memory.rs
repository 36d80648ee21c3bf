//! How much memory the process has, and how many idle connections it should part with.

use std::{fs, time::Duration};

/// How often it is looked at.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// How many of `idle` connections to close when `resident` of `resident_max` bytes are in use.
pub(super) fn excess(idle: usize, resident_bytes: u64, resident_bytes_max: u64) -> usize {
    if resident_bytes > resident_bytes_max { idle.div_ceil(8) } else { 0 }
}

/// Resident memory of the process, bytes (proc_pid_status(5)); 0 where it is not known.
pub(super) fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_goes_while_memory_is_short() {
        for (idle, resident, closed) in [(0, 200, 0), (1, 200, 1), (80, 200, 10), (81, 200, 11), (80, 100, 0)] {
            assert_eq!(excess(idle, resident, 100), closed, "{idle} at {resident}");
        }
        assert!(resident_bytes() > 100_000);
    }
}
