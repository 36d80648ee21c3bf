//! What machine this is: the facts that stand in every record. What to do about them is `doctor.rs`'s.

use std::{fs, process::Command};

use nix::{
    sched::{CpuSet, sched_getaffinity},
    sys::utsname::uname,
    unistd::Pid,
};
use probe::usage::kib_field;
use serde::{Deserialize, Serialize};

/// A machine, and its state when the run began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Marketing name of the CPU.
    pub cpu_model: String,
    /// Family, model and stepping, as /proc/cpuinfo gives them.
    pub cpu_stepping: String,
    /// Microcode revision.
    pub microcode: String,
    /// Whether a hypervisor is announced.
    pub virtual_machine: bool,
    /// CPUs that this process may use, by number.
    pub cpus: Vec<usize>,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Kernel name and release.
    pub kernel: String,
    /// C library and version.
    pub libc: String,
    /// `rustc --version`.
    pub rustc: String,
    /// Frequency governor of CPU 0; empty where the kernel shows none.
    pub governor: String,
    /// Load average over a minute when the run began.
    pub load_1m: f64,
    /// Share of CPU time that the hypervisor gave to others since boot, 0 to 1.
    pub steal_share: f64,
}

impl Host {
    /// Looks at this machine. What cannot be read stays empty.
    #[must_use]
    pub fn read() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            cpuinfo
                .lines()
                .find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))
                .and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned())
                .unwrap_or_default()
        };
        Self {
            cpu_model: field("model name"),
            cpu_stepping: format!("{}-{}-{}", field("cpu family"), field("model"), field("stepping")),
            microcode: field("microcode"),
            virtual_machine: field("flags").split(' ').any(|flag| flag == "hypervisor"),
            cpus: allowed_cpus(),
            memory_bytes: kib_field(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemTotal:"),
            kernel: uname().map_or_else(
                |_| String::new(),
                |name| format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy()),
            ),
            libc: first_line("ldd", &["--version"]),
            rustc: first_line("rustc", &["--version"]),
            governor: trimmed("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            load_1m: load_1m(),
            steal_share: steal_share(&fs::read_to_string("/proc/stat").unwrap_or_default()),
        }
    }
}

/// The CPUs that this process may run on (sched_getaffinity(2)), in order.
#[must_use]
pub fn allowed_cpus() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else {
        return Vec::new();
    };
    (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect()
}

/// Load average over a minute (proc_loadavg(5)); 0 where it cannot be read.
#[must_use]
pub fn load_1m() -> f64 {
    trimmed("/proc/loadavg").split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

/// Share of all CPU time since boot that went to other guests of the hypervisor (proc_stat(5), eighth column).
#[must_use]
pub fn steal_share(stat: &str) -> f64 {
    let times = times(stat);
    let total: f64 = times.iter().sum();
    if times.len() == 8 && total > 0.0 { times[7] / total } else { 0.0 }
}

/// The first eight columns of all CPUs together (proc_stat(5)): user, nice, system, idle, iowait, irq, softirq, steal.
fn times(stat: &str) -> Vec<f64> {
    let columns = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
    columns.filter_map(|number| number.parse().ok()).collect()
}

fn trimmed(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .and_then(|output| String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_column_over_all() {
        assert_eq!(steal_share("cpu  10 0 10 70 0 0 0 10 0 0\ncpu0 1 2 3\n"), 0.1);
        assert_eq!(steal_share("cpu 1 2\n"), 0.0);
        assert_eq!(steal_share(""), 0.0);
    }

    #[test]
    fn this_machine_has_a_cpu_and_memory() {
        let host = Host::read();
        assert!(!host.cpus.is_empty() && host.memory_bytes > 0 && host.kernel.starts_with("Linux"), "{host:?}");
    }
}
