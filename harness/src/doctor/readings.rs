//! Everything the doctor looks at, read in one place; what a reading means is decided in `machine.rs` and `tools.rs`.
//!
//! A reading that the system does not offer is `None` or empty: a missing file is a fact, not an error.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use nix::sys::resource::{Resource, getrlimit};
use probe::usage::kib_field;
use serde::Serialize;

use crate::{
    build::find_program,
    database::postgres_binaries,
    host::{Host, load_1m},
};

/// What the doctor saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Readings {
    /// The facts that stand in every record too.
    pub host: Host,
    /// Frequency governors in use, each once; empty where the kernel shows none.
    pub governors: Vec<String>,
    /// Whether clock boost is on; `None` where the kernel does not say.
    pub turbo: Option<bool>,
    /// Whether two of the allowed CPUs are threads of one core.
    pub shared_cores: bool,
    /// CPUs that the control group's quota allows (cpu.max, cgroups(7)); `None` without a quota.
    pub quota_cpus: Option<f64>,
    /// Share of CPU time taken by the hypervisor while the doctor watched, 0 to 1.
    pub steal_share: f64,
    /// Share of CPU time used by anybody while the doctor watched, 0 to 1.
    pub busy_share: f64,
    /// Load average over a minute.
    pub load_1m: f64,
    /// /proc/sys/kernel/randomize_va_space: 0 off, 2 full.
    pub randomize_va_space: Option<i32>,
    /// /proc/sys/kernel/perf_event_paranoid.
    pub perf_event_paranoid: Option<i32>,
    /// Whether `perf` counts instructions here.
    pub hardware_counters: HardwareCounters,
    /// The bracketed word of /sys/kernel/mm/transparent_hugepage/enabled.
    pub huge_pages: Option<String>,
    /// Swap in use, bytes.
    pub swap_used_bytes: u64,
    /// Open files, the limit in force (RLIMIT_NOFILE).
    pub open_files_soft: u64,
    /// Open files, the limit that a process may raise itself to.
    pub open_files_hard: u64,
    /// /proc/sys/net/core/somaxconn: the longest accept queue that listen(2) grants.
    pub somaxconn: Option<u64>,
    /// Free space under the build folder, bytes; `None` where `df` does not say.
    pub disk_free_bytes: Option<u64>,
    /// The C compiler.
    pub c_compiler: Option<PathBuf>,
    /// valgrind.
    pub valgrind: Option<PathBuf>,
    /// strace.
    pub strace: Option<PathBuf>,
    /// The folder with `initdb` and `postgres`.
    pub postgres: Option<PathBuf>,
    /// wrk.
    pub wrk: Option<PathBuf>,
}

/// Whether `perf` can count instructions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HardwareCounters {
    /// It counts them.
    Counted,
    /// The CPU or its hypervisor has no counters.
    Unsupported,
    /// The program is there and failed with this message.
    Failed(String),
    /// The program is not installed.
    NoProgram,
}

impl Readings {
    /// Looks at this machine for `window`; `build_folder` is where the lab's builds and runs go.
    #[must_use]
    pub fn take(build_folder: &Path, window: Duration) -> Self {
        let host = Host::read();
        let before = CpuTimes::read();
        thread::sleep(window);
        let watched = CpuTimes::read().since(before);
        let (open_files_soft, open_files_hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            governors: governors(&host.cpus),
            turbo: turbo(),
            shared_cores: shared_cores(&host.cpus),
            quota_cpus: quota_cpus(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default()),
            steal_share: watched.share(watched.steal),
            busy_share: watched.share(watched.busy),
            load_1m: load_1m(),
            randomize_va_space: number("/proc/sys/kernel/randomize_va_space"),
            perf_event_paranoid: number("/proc/sys/kernel/perf_event_paranoid"),
            hardware_counters: hardware_counters(),
            huge_pages: fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")
                .ok()
                .and_then(|modes| bracketed(&modes)),
            swap_used_bytes: kib_field(&meminfo, "SwapTotal:").saturating_sub(kib_field(&meminfo, "SwapFree:")),
            open_files_soft,
            open_files_hard,
            somaxconn: number("/proc/sys/net/core/somaxconn"),
            disk_free_bytes: disk_free_bytes(build_folder),
            c_compiler: ["cc", "gcc", "clang"].iter().find_map(find_program),
            valgrind: find_program("valgrind"),
            strace: find_program("strace"),
            postgres: postgres_binaries(),
            wrk: find_program("wrk"),
            host,
        }
    }
}

fn number<T: std::str::FromStr>(path: impl AsRef<Path>) -> Option<T> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn governors(cpus: &[usize]) -> Vec<String> {
    let mut found: Vec<String> = cpus
        .iter()
        .filter_map(|cpu| fs::read_to_string(format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor")).ok())
        .map(|governor| governor.trim().to_owned())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Clock boost, as the Intel driver (inverted) or the generic one says it.
fn turbo() -> Option<bool> {
    number::<u8>("/sys/devices/system/cpu/intel_pstate/no_turbo")
        .map(|off| off == 0)
        .or_else(|| number::<u8>("/sys/devices/system/cpu/cpufreq/boost").map(|on| on != 0))
}

/// Two CPUs with the same list of siblings are threads of one core.
fn shared_cores(cpus: &[usize]) -> bool {
    let mut siblings: Vec<String> = cpus
        .iter()
        .filter_map(|cpu| {
            fs::read_to_string(format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")).ok()
        })
        .collect();
    let listed = siblings.len();
    siblings.sort();
    siblings.dedup();
    siblings.len() < listed
}

/// The tightest quota of the group and its ancestors, in CPUs; `membership` is /proc/self/cgroup.
fn quota_cpus(membership: &str) -> Option<f64> {
    let mut tightest: Option<f64> = None;
    for line in membership.lines() {
        let mut columns = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (columns.next(), columns.next()) else {
            continue;
        };
        let root = match controllers {
            "" => PathBuf::from("/sys/fs/cgroup"),
            list if list.split(',').any(|name| name == "cpu") => Path::new("/sys/fs/cgroup").join(list),
            _ => continue,
        };
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            let folder = root.join(group);
            let quota =
                fs::read_to_string(folder.join("cpu.max")).ok().and_then(|text| quota_of(&text)).or_else(|| {
                    let microseconds: f64 = number(folder.join("cpu.cfs_quota_us"))?;
                    let period: f64 = number(folder.join("cpu.cfs_period_us"))?;
                    (microseconds > 0.0 && period > 0.0).then_some(microseconds / period)
                });
            if let Some(cpus) = quota {
                tightest = Some(tightest.map_or(cpus, |known| known.min(cpus)));
            }
        }
    }
    tightest
}

/// cpu.max: `max 100000`, or a quota and its period in µs.
fn quota_of(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
}

fn bracketed(modes: &str) -> Option<String> {
    let (_, rest) = modes.split_once('[')?;
    let (mode, _) = rest.split_once(']')?;
    Some(mode.to_owned())
}

fn hardware_counters() -> HardwareCounters {
    if find_program("perf").is_none() {
        return HardwareCounters::NoProgram;
    }
    // Counting user mode only is allowed up to perf_event_paranoid 2; `-x,` makes one line of fields an event.
    let output =
        Command::new("perf").args(["stat", "-x,", "-e", "instructions:u", "true"]).stdin(Stdio::null()).output();
    match output {
        Ok(output) => counters_of(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => HardwareCounters::Failed(error.to_string()),
    }
}

/// What `perf stat -x,` says: `1234,,instructions:u,…`, or `<not supported>` in place of the number.
fn counters_of(output: &str) -> HardwareCounters {
    let first = output.lines().find_map(|line| line.split_once(",,instructions").map(|(value, _)| value.trim()));
    match first {
        Some(value) if value.parse::<f64>().is_ok() => HardwareCounters::Counted,
        Some("<not supported>") => HardwareCounters::Unsupported,
        _ => HardwareCounters::Failed(
            output.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it printed nothing").to_owned(),
        ),
    }
}

/// Free space where `folder` is or will be, as `df -Pk` gives it, in bytes.
fn disk_free_bytes(folder: &Path) -> Option<u64> {
    let existing = folder.ancestors().find(|ancestor| ancestor.exists())?;
    let output = Command::new("df").arg("-Pk").arg(existing).output().ok()?;
    free_of(&String::from_utf8_lossy(&output.stdout))
}

/// The fourth column of the line below the heading, in KiB.
fn free_of(output: &str) -> Option<u64> {
    let kib: u64 = output.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    kib.checked_mul(1024)
}

/// The first line of /proc/stat, in clock ticks over all CPUs since boot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct CpuTimes {
    total: f64,
    busy: f64,
    steal: f64,
}

impl CpuTimes {
    fn read() -> Self {
        Self::of(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// Columns as in proc_stat(5): user nice system idle iowait irq softirq steal.
    fn of(stat: &str) -> Self {
        let columns: Vec<f64> = stat
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .take(8)
            .filter_map(|column| column.parse().ok())
            .collect();
        let [user, nice, system, idle, iowait, irq, softirq, steal] = columns[..] else {
            return Self::default();
        };
        let busy = user + nice + system + irq + softirq;
        Self { total: busy + idle + iowait + steal, busy, steal }
    }

    fn since(self, before: Self) -> Self {
        Self { total: self.total - before.total, busy: self.busy - before.busy, steal: self.steal - before.steal }
    }

    fn share(self, part: f64) -> f64 {
        if self.total > 0.0 { part / self.total } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perf_answers_are_told_apart() {
        for (output, expected) in [
            ("123456,,instructions:u,900,100.00,,\n", HardwareCounters::Counted),
            ("<not supported>,,instructions:u,0,100.00,,\n", HardwareCounters::Unsupported),
            (
                "\nWARNING: perf not found for kernel 6.1\n",
                HardwareCounters::Failed("WARNING: perf not found for kernel 6.1".to_owned()),
            ),
            ("", HardwareCounters::Failed("it printed nothing".to_owned())),
        ] {
            assert_eq!(counters_of(output), expected, "{output:?}");
        }
    }

    #[test]
    fn quotas_and_modes_are_read() {
        for (text, expected) in [("max 100000\n", None), ("150000 100000\n", Some(1.5)), ("", None)] {
            assert_eq!(quota_of(text), expected, "{text:?}");
        }
        for (text, expected) in [("always [madvise] never", Some("madvise")), ("never", None)] {
            assert_eq!(bracketed(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn free_space_is_the_fourth_column() {
        let heading = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
        assert_eq!(free_of(&format!("{heading}/dev/vda 1000 400 600 40% /\n")), Some(600 * 1024));
        assert_eq!(free_of(heading), None);
    }

    #[test]
    fn shares_are_of_the_watched_time() {
        let before = CpuTimes::of("cpu 10 0 10 80 0 0 0 0 0 0\n");
        let watched = CpuTimes::of("cpu 30 0 20 150 0 0 0 0 0 0\n").since(before);
        assert_eq!(watched.share(watched.busy), 0.3);
        assert_eq!(watched.share(watched.steal), 0.0);
        assert_eq!(CpuTimes::of("cpu 1 2\n").share(1.0), 0.0);
    }

    #[test]
    fn this_machine_can_be_read() {
        let readings = Readings::take(Path::new("/nonexistent/build/folder"), Duration::from_millis(1));
        assert!(readings.open_files_hard >= readings.open_files_soft, "{readings:?}");
        assert!((0.0..=1.0).contains(&readings.busy_share), "{readings:?}");
    }
}
