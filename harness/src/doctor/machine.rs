//! Findings about the machine itself: its CPUs, who else uses them, and the kernel's settings.

use super::{Decision, Finding, Readings};

/// In the order in which they are printed.
pub(super) const DECISIONS: &[Decision] = &[
    cpus,
    quota,
    shared_cores,
    governor,
    turbo,
    steal,
    load,
    aslr,
    huge_pages,
    swap,
    kernel,
    accept_queue,
    open_files,
    disk,
];

/// The kernel that the lab's interfaces are known on: SO_REUSEPORT's balancing, epoll and /proc as used here are older,
/// the oldest kernel still maintained upstream is 5.10.
const KERNEL_OLDEST: (u32, u32) = (5, 10);

/// 256 connections at each end of a `bench`, their pipes, and room for the database: 4,096 is eight times that.
const OPEN_FILES_MIN: u64 = 4096;

/// Four builds of the servers with fat LTO, the light build of the tests, and the records.
const DISK_MIN_BYTES: u64 = 6 << 30;

fn cpus(readings: &Readings) -> Finding {
    let cpus = &readings.host.cpus;
    let reading = format!("{} allowed: {}", cpus.len(), list(cpus));
    if cpus.len() >= 2 {
        return Finding::ok("CPUs", reading, "server and load generator each get CPUs of their own");
    }
    Finding::problem(
        "CPUs",
        reading,
        "server and load generator would take turns on one CPU, so no time could be told from the other's; counts still work",
        "measure on a machine with two CPUs or more, or widen the affinity: taskset -pc 0-1 $$",
    )
}

fn quota(readings: &Readings) -> Finding {
    match readings.quota_cpus {
        None => Finding::ok("CPU quota", "none", "the scheduler never pauses the run to enforce one"),
        Some(cpus) if cpus >= 2.0 => {
            Finding::ok("CPU quota", format!("{cpus:.1} CPUs"), "enough for a server and a generator of one CPU each")
        }
        Some(cpus) => Finding::problem(
            "CPU quota",
            format!("{cpus:.1} CPUs"),
            "the control group is paused within each period once its quota is used; the pauses would be measured as latency",
            "give the container two CPUs or more, for example docker run --cpus 2, or start it without a quota",
        ),
    }
}

fn shared_cores(readings: &Readings) -> Finding {
    if !readings.shared_cores {
        return Finding::ok("SMT", "each allowed CPU is a core", "server and generator share no core");
    }
    Finding::advice(
        "SMT",
        "allowed CPUs are threads of one core",
        "a server beside a busy sibling runs slower than alone; ratios between targets hold, absolutes do not",
        "echo off | sudo tee /sys/devices/system/cpu/smt/control",
    )
}

fn governor(readings: &Readings) -> Finding {
    let reading = readings.governors.join(", ");
    match readings.governors.as_slice() {
        [] => Finding::ok(
            "governor",
            "none shown",
            "the hypervisor or firmware sets the clock; the run's noise floor has to show whether it is steady",
        ),
        [one] if one == "performance" => Finding::ok("governor", reading, "the clock does not wait for load"),
        _ => Finding::advice(
            "governor",
            reading,
            "the clock follows the load, so a target measured after a pause starts slower",
            "sudo cpupower frequency-set -g performance",
        ),
    }
}

fn turbo(readings: &Readings) -> Finding {
    match readings.turbo {
        None => Finding::ok("turbo", "not shown", "nothing here to switch"),
        Some(false) => Finding::ok("turbo", "off", "the clock has one ceiling, hot or cold"),
        Some(true) => Finding::advice(
            "turbo",
            "on",
            "the clock falls as the machine warms, so later rounds are slower; interleaving evens it out over targets, not over time",
            "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo, or on others: echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost",
        ),
    }
}

fn steal(readings: &Readings) -> Finding {
    let reading = format!("{} now, {} since boot", percent(readings.steal_share), percent(readings.host.steal_share));
    // One per cent is the size of the effects that the lab tries to see; at five a round says more about the neighbours.
    if readings.steal_share > 0.05 {
        Finding::problem(
            "steal",
            reading,
            "the hypervisor gives this machine's CPUs to others in the middle of rounds",
            "wait until cat /proc/stat shows the eighth column standing still, or use a host with dedicated CPUs",
        )
    } else if readings.steal_share > 0.01 || readings.host.steal_share > 0.05 {
        Finding::advice(
            "steal",
            reading,
            "neighbours take CPU time now and then; more rounds are needed for the same interval",
            "cargo xtask bench --rounds 9, or use a host with dedicated CPUs",
        )
    } else {
        Finding::ok("steal", reading, "the CPUs are this machine's own")
    }
}

fn load(readings: &Readings) -> Finding {
    let reading = format!("{} of the CPUs busy, load {:.2}", percent(readings.busy_share), readings.load_1m);
    if readings.busy_share > 0.25 {
        Finding::problem(
            "load",
            reading,
            "something else is running and would share the CPUs with the server",
            "find it and end it or wait for it: top -b -n 1 | head -n 15",
        )
    } else if readings.busy_share > 0.05 {
        Finding::advice(
            "load",
            reading,
            "something small is running; it shows up as outliers",
            "find it: top -b -n 1 | head -n 15",
        )
    } else {
        Finding::ok("load", reading, "the machine is idle")
    }
}

/// randomize_va_space in proc_sys_kernel(5).
fn aslr(readings: &Readings) -> Finding {
    match readings.randomize_va_space {
        Some(2) => Finding::ok(
            "ASLR",
            "full (2)",
            "each launch has a layout of its own, so rounds average over layouts instead of timing one; counting tools switch it off for themselves",
        ),
        Some(other) => Finding::advice(
            "ASLR",
            format!("randomize_va_space is {other}"),
            "every launch has the same layout, so all rounds repeat one layout's luck",
            "sudo sysctl -w kernel.randomize_va_space=2",
        ),
        None => Finding::ok("ASLR", "not shown", "nothing here to switch"),
    }
}

fn huge_pages(readings: &Readings) -> Finding {
    match readings.huge_pages.as_deref() {
        Some("always") => Finding::advice(
            "huge pages",
            "always",
            "the kernel merges pages on its own when it finds time: resident memory reads high and moves between runs",
            "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
        ),
        Some(mode) => Finding::ok("huge pages", mode, "resident memory is what the program asked for"),
        None => Finding::ok("huge pages", "not shown", "nothing here to switch"),
    }
}

fn swap(readings: &Readings) -> Finding {
    // A few pages of idle daemons are swapped out on any machine that has been up for long.
    if readings.swap_used_bytes < 64 << 20 {
        return Finding::ok("swap", "not in use", "memory that is touched is in memory");
    }
    Finding::advice(
        "swap",
        format!("{} MiB in use", readings.swap_used_bytes >> 20),
        "pages of a server may have to be read from disk in the middle of a round",
        "end what fills the memory, then: sudo swapoff -a && sudo swapon -a",
    )
}

fn kernel(readings: &Readings) -> Finding {
    let kernel = &readings.host.kernel;
    match version(kernel) {
        Some(found) if found >= KERNEL_OLDEST => Finding::ok("kernel", kernel, "has everything that the lab uses"),
        _ => Finding::advice(
            "kernel",
            if kernel.is_empty() { "not shown" } else { kernel.as_str() },
            "the lab is only known to work on Linux 5.10 or newer",
            "boot a Linux kernel of version 5.10 or newer; uname -r shows which one runs",
        ),
    }
}

/// listen(2) cuts the queue that a server asks for to somaxconn.
fn accept_queue(readings: &Readings) -> Finding {
    match readings.somaxconn {
        Some(length) if length < 1024 => Finding::advice(
            "accept queue",
            format!("somaxconn is {length}"),
            "when many connections open at once some are dropped and tried again a second later",
            "sudo sysctl -w net.core.somaxconn=4096",
        ),
        Some(length) => {
            Finding::ok("accept queue", format!("somaxconn is {length}"), "all connections of a case can wait at once")
        }
        None => Finding::ok("accept queue", "not shown", "nothing here to switch"),
    }
}

fn open_files(readings: &Readings) -> Finding {
    let reading = format!("{} (at most {})", readings.open_files_soft, readings.open_files_hard);
    if readings.open_files_soft >= OPEN_FILES_MIN {
        Finding::ok("open files", reading, "enough for every connection of the largest case")
    } else if readings.open_files_hard >= OPEN_FILES_MIN {
        Finding::advice(
            "open files",
            reading,
            "cases with many connections fail to connect",
            format!("ulimit -n {OPEN_FILES_MIN}"),
        )
    } else {
        Finding::problem(
            "open files",
            reading,
            "cases with many connections fail to connect, and this user may not raise the limit",
            format!("sudo prlimit --pid $$ --nofile={OPEN_FILES_MIN}:{OPEN_FILES_MIN}"),
        )
    }
}

fn disk(readings: &Readings) -> Finding {
    let Some(free) = readings.disk_free_bytes else {
        return Finding::ok("disk", "not shown", "df did not say; a full disk is reported when it is met");
    };
    let reading = format!("{} GiB free", free >> 30);
    if free >= DISK_MIN_BYTES {
        return Finding::ok("disk", reading, "room for the builds and the records");
    }
    Finding::problem(
        "disk",
        reading,
        format!("the builds and records need about {} GiB", DISK_MIN_BYTES >> 30),
        "free some, for example with cargo clean, or point CARGO_TARGET_DIR at a larger disk",
    )
}

fn version(kernel: &str) -> Option<(u32, u32)> {
    let mut numbers = kernel.strip_prefix("Linux ")?.split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn list(cpus: &[usize]) -> String {
    let mut numbers: Vec<String> = cpus.iter().take(16).map(ToString::to_string).collect();
    if cpus.len() > numbers.len() {
        numbers.push("…".to_owned());
    }
    numbers.join(", ")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::super::{Level, tests::check};

    #[test]
    fn each_reading_moves_its_own_finding() {
        check(&[
            ("CPUs", |it| it.host.cpus = vec![3], Level::Problem),
            ("CPUs", |it| it.host.cpus = vec![0, 3], Level::Ok),
            ("CPU quota", |it| it.quota_cpus = Some(1.5), Level::Problem),
            ("CPU quota", |it| it.quota_cpus = Some(2.0), Level::Ok),
            ("SMT", |it| it.shared_cores = true, Level::Advice),
            ("governor", |it| it.governors = vec!["powersave".into()], Level::Advice),
            ("governor", |it| it.governors = vec!["performance".into(), "powersave".into()], Level::Advice),
            ("governor", |it| it.governors.clear(), Level::Ok),
            ("turbo", |it| it.turbo = Some(true), Level::Advice),
            ("turbo", |it| it.turbo = None, Level::Ok),
            ("steal", |it| it.steal_share = 0.06, Level::Problem),
            ("steal", |it| it.steal_share = 0.02, Level::Advice),
            ("steal", |it| it.host.steal_share = 0.06, Level::Advice),
            ("load", |it| it.busy_share = 0.3, Level::Problem),
            ("load", |it| it.busy_share = 0.06, Level::Advice),
            ("load", |it| it.load_1m = 9.0, Level::Ok),
            ("ASLR", |it| it.randomize_va_space = Some(0), Level::Advice),
            ("ASLR", |it| it.randomize_va_space = None, Level::Ok),
            ("huge pages", |it| it.huge_pages = Some("always".into()), Level::Advice),
            ("swap", |it| it.swap_used_bytes = 1 << 30, Level::Advice),
            ("swap", |it| it.swap_used_bytes = 1 << 20, Level::Ok),
            ("kernel", |it| it.host.kernel = "Linux 4.19.0-26".into(), Level::Advice),
            ("kernel", |it| it.host.kernel = "Linux 5.10.0".into(), Level::Ok),
            ("kernel", |it| it.host.kernel.clear(), Level::Advice),
            ("accept queue", |it| it.somaxconn = Some(128), Level::Advice),
            ("open files", |it| it.open_files_soft = 1024, Level::Advice),
            ("open files", |it| (it.open_files_soft, it.open_files_hard) = (1024, 1024), Level::Problem),
            ("disk", |it| it.disk_free_bytes = Some(1 << 30), Level::Problem),
            ("disk", |it| it.disk_free_bytes = None, Level::Ok),
        ]);
    }
}
