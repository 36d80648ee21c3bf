//! Reads the counters of a process and its descendants from outside, for servers without a control channel.
//!
//! CPU times come in clock ticks here (10 ms on most kernels, proc_pid_stat(5)), which the record says; servers that
//! speak the control channel report microseconds.

use std::{collections::HashMap, fs, path::Path};

use nix::unistd::{SysconfVar, sysconf};
use probe::{message::Counters, usage::kib_field};

/// The counters of `pid` and all its living descendants together; peak memory is the sum of their peaks.
#[must_use]
pub(crate) fn counters(pid: u32) -> Counters {
    let ticks_per_s = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok());
    let tick_us = 1_000_000 / ticks_per_s.unwrap_or(100).max(1);
    let mut sum = Counters::default();
    for pid in family(pid) {
        if let Some(stat) = fs::read_to_string(format!("/proc/{pid}/stat")).ok().as_deref().and_then(Stat::parse) {
            sum.cpu_user_us += stat.user_ticks * tick_us;
            sum.cpu_system_us += stat.system_ticks * tick_us;
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        sum.rss_bytes += kib_field(&status, "VmRSS:");
        sum.rss_peak_bytes += kib_field(&status, "VmHWM:");
        for task in entries(&format!("/proc/{pid}/task")) {
            let status = fs::read_to_string(format!("/proc/{pid}/task/{task}/status")).unwrap_or_default();
            sum.context_switches_voluntary += number_field(&status, "voluntary_ctxt_switches:");
            sum.context_switches_involuntary += number_field(&status, "nonvoluntary_ctxt_switches:");
        }
    }
    sum
}

/// Memory of a process that is in RAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resident {
    /// RSS: all of it, bytes.
    pub rss_bytes: u64,
    /// PSS: its own, and its share of what it has in common with others, bytes.
    pub pss_bytes: u64,
}

/// Reads /proc/PID/smaps_rollup (proc_pid_smaps(5)).
pub(crate) fn resident(pid: u32) -> Option<Resident> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    Some(Resident { rss_bytes: kib_field(&text, "Rss:"), pss_bytes: kib_field(&text, "Pss:") })
}

/// How many times `pid` and its living descendants have `file` open.
#[must_use]
pub(crate) fn open_files(pid: u32, file: &Path) -> u64 {
    let folders = family(pid).into_iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).ok());
    let links = folders.flatten().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter(|link| link == file).count() as u64
}

/// A process and its living descendants.
fn family(root: u32) -> Vec<u32> {
    let mut children = HashMap::<u32, Vec<u32>>::new();
    for pid in entries("/proc") {
        if let Some(stat) = fs::read_to_string(format!("/proc/{pid}/stat")).ok().as_deref().and_then(Stat::parse) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut family = vec![root];
    let mut next = 0;
    while let Some(pid) = family.get(next).copied() {
        family.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    family
}

/// The fields of /proc/PID/stat that are read here.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    user_ticks: u64,
    system_ticks: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses and may hold anything, parentheses included.
        let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            user_ticks: fields.get(11)?.parse().ok()?,
            system_ticks: fields.get(12)?.parse().ok()?,
        })
    }
}

fn entries(folder: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn number_field(status: &str, name: &str) -> u64 {
    status.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_program_name_does_not_shift_the_fields() {
        let text = "42 (a) R 1) S 7 42 42 0 -1 4194560 1 0 0 0 123 45 0 0 20 0 1 0";
        assert_eq!(Stat::parse(text), Some(Stat { parent: 7, user_ticks: 123, system_ticks: 45 }));
        assert_eq!(Stat::parse("garbage"), None);
    }

    #[test]
    fn shared_memory_counts_in_part_only() {
        let resident = resident(std::process::id()).unwrap();
        assert!(resident.pss_bytes > 0 && resident.rss_bytes >= resident.pss_bytes, "{resident:?}");
        assert_eq!(super::resident(u32::MAX), None);
    }

    #[test]
    fn a_file_counts_as_often_as_it_is_open() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().canonicalize().unwrap();
        let again = fs::File::open(&path).unwrap();
        assert_eq!(open_files(std::process::id(), &path), 2);
        drop(again);
        assert_eq!(open_files(std::process::id(), &path), 1);
    }

    #[test]
    fn this_process_has_memory_and_switches() {
        let counters = counters(std::process::id());
        assert!(counters.rss_peak_bytes > 0 && counters.context_switches_voluntary > 0, "{counters:?}");
    }
}
