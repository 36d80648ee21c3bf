//! Findings about the tools that the lab uses when they are there.

use super::{Decision, Finding, HardwareCounters, Readings};

/// In the order in which they are printed.
pub(super) const DECISIONS: &[Decision] =
    &[c_compiler, hardware_counters, perf_permission, valgrind, strace, postgres, wrk];

fn c_compiler(readings: &Readings) -> Finding {
    match &readings.c_compiler {
        Some(path) => {
            Finding::ok("C compiler", path.display().to_string(), "builds SQLite, the allocator and the linker step")
        }
        None => Finding::problem(
            "C compiler",
            "none of cc, gcc, clang",
            "the servers cannot be built: SQLite and the allocator are C",
            "sudo apt-get install -y build-essential",
        ),
    }
}

fn hardware_counters(readings: &Readings) -> Finding {
    match &readings.hardware_counters {
        HardwareCounters::Counted => {
            Finding::ok("perf events", "instructions counted", "counts come from the hardware")
        }
        HardwareCounters::Unsupported => Finding::advice(
            "perf events",
            "not supported",
            "the hypervisor hides the counters: perf samples by the clock only; instruction counts have to come from callgrind",
            "nothing to install; measure on bare metal, or on a host that exposes its counters, to have them",
        ),
        HardwareCounters::Failed(message) => Finding::advice(
            "perf events",
            message,
            "no instruction counts and no profiles from perf",
            "run it by hand to see why: perf stat -e instructions:u true",
        ),
        HardwareCounters::NoProgram => Finding::advice(
            "perf events",
            "perf is not installed",
            "no instruction counts and no profiles from perf; times are not affected",
            "sudo apt-get install -y linux-perf (Debian) or linux-tools-generic (Ubuntu)",
        ),
    }
}

/// perf_event_paranoid in proc_sys_kernel(5): above 2 (a distribution's addition) unprivileged use is barred entirely.
fn perf_permission(readings: &Readings) -> Finding {
    match readings.perf_event_paranoid {
        Some(level) if level > 2 => Finding::advice(
            "perf permission",
            format!("perf_event_paranoid is {level}"),
            "only root may use perf here",
            "sudo sysctl -w kernel.perf_event_paranoid=1",
        ),
        Some(level) => Finding::ok(
            "perf permission",
            format!("perf_event_paranoid is {level}"),
            "a user's own processes may be observed",
        ),
        None => Finding::ok("perf permission", "not shown", "this kernel has no perf events"),
    }
}

fn valgrind(readings: &Readings) -> Finding {
    match &readings.valgrind {
        Some(path) => Finding::ok(
            "valgrind",
            path.display().to_string(),
            "callgrind can count instructions without hardware counters",
        ),
        None => Finding::advice(
            "valgrind",
            "not installed",
            "no instruction counts from callgrind; times are not affected",
            "sudo apt-get install -y valgrind",
        ),
    }
}

fn strace(readings: &Readings) -> Finding {
    match &readings.strace {
        Some(path) => Finding::ok("strace", path.display().to_string(), "system calls can be counted"),
        None => Finding::advice(
            "strace",
            "not installed",
            "no counts of system calls; times are not affected",
            "sudo apt-get install -y strace",
        ),
    }
}

fn postgres(readings: &Readings) -> Finding {
    match &readings.postgres {
        Some(folder) => Finding::ok(
            "PostgreSQL",
            folder.display().to_string(),
            "bench --database postgres can start a private cluster",
        ),
        None => Finding::advice(
            "PostgreSQL",
            "no initdb and postgres in PATH or /usr/lib/postgresql/*/bin",
            "bench --database postgres cannot run; the embedded SQLite file can",
            "sudo apt-get install -y postgresql",
        ),
    }
}

fn wrk(readings: &Readings) -> Finding {
    match &readings.wrk {
        Some(path) => Finding::ok("wrk", path.display().to_string(), "the load generator can be held against it"),
        None => Finding::advice(
            "wrk",
            "not installed",
            "the lab does not use it; only the script that compares the load generator with it does",
            "sudo apt-get install -y wrk",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Level, tests::check};
    use super::*;

    #[test]
    fn each_tool_moves_its_own_finding() {
        check(&[
            ("C compiler", |it| it.c_compiler = None, Level::Problem),
            ("perf events", |it| it.hardware_counters = HardwareCounters::Unsupported, Level::Advice),
            ("perf events", |it| it.hardware_counters = HardwareCounters::Failed("no".into()), Level::Advice),
            ("perf events", |it| it.hardware_counters = HardwareCounters::NoProgram, Level::Advice),
            ("perf permission", |it| it.perf_event_paranoid = Some(3), Level::Advice),
            ("perf permission", |it| it.perf_event_paranoid = None, Level::Ok),
            ("valgrind", |it| it.valgrind = None, Level::Advice),
            ("strace", |it| it.strace = None, Level::Advice),
            ("PostgreSQL", |it| it.postgres = None, Level::Advice),
            ("wrk", |it| it.wrk = None, Level::Advice),
        ]);
    }
}
