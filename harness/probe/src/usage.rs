//! Reads what this process has used so far: getrusage(2) and /proc/self/status.

use std::fs;

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};

use crate::{
    message::{Allocations, Counters},
    statements,
};

/// The counters of this process, all threads together.
///
/// CPU times have the resolution of getrusage(2), 1 µs. Memory reads as 0 where /proc is not mounted.
// Never inlined, since callgrind is told to close a part of its counts wherever this is called
// (harness/src/count/instrument.rs).
#[must_use]
#[inline(never)]
pub fn read() -> Counters {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut counters = Counters {
        rss_bytes: kib_field(&status, "VmRSS:"),
        rss_peak_bytes: kib_field(&status, "VmHWM:"),
        allocations: allocations(),
        statements: statements::read(),
        ..Counters::default()
    };
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        counters.cpu_user_us = micros(usage.user_time());
        counters.cpu_system_us = micros(usage.system_time());
        counters.context_switches_voluntary = count(usage.voluntary_context_switches());
        counters.context_switches_involuntary = count(usage.involuntary_context_switches());
    }
    counters
}

#[cfg(feature = "count-allocations")]
fn allocations() -> Option<Allocations> {
    crate::allocator::read()
}

#[cfg(not(feature = "count-allocations"))]
fn allocations() -> Option<Allocations> {
    None
}

/// A field of /proc/PID/status in bytes; the file gives KiB (proc_pid_status(5)). 0 where it is missing.
#[must_use]
pub fn kib_field(status: &str, name: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

fn micros(time: TimeVal) -> u64 {
    count(time.tv_sec()) * 1_000_000 + count(time.tv_usec())
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
