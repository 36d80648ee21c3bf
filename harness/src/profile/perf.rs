//! perf(1): whether it may run here, one at work on a process, and what it has seen.
//!
//! It samples between [`Perf::begin`] and [`Perf::end`] and at no other time: it is told on its standard input and acknowledges
//! (perf-record(1), `--control`). It keeps the top of the stack with each sample and walks it by the unwind tables, since a C library
//! often has no frame pointers. The functions of the process are named by `symbol.rs`, which knows what was inlined, those of the kernel
//! by perf.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::{folded::KERNEL, symbol::Symbols};
use crate::process::{Child, Start, describe};

/// How long perf may take to attach itself, to answer, and to write what it has.
const PATIENCE: Duration = Duration::from_secs(10);

/// From here on an address is the kernel's.
const KERNEL_FROM: u64 = 1 << 63;

/// How stacks are walked, and how much of one is kept with a sample, bytes: 55 calls of an unoptimised server take 20 KiB.
const CALL_GRAPH: &str = "dwarf,32768";

/// What is sampled where the processor counts nothing that perf may read: a clock that runs while the process does.
const CLOCK: &str = "cpu-clock";

/// What is sampled where it does.
const CYCLES: &str = "cycles";

/// Threads of the lab's own in a process.
const OWN_THREADS: &[&str] = &["control", "signals"];

/// What is sampled on this machine: `cycles` where the processor counts them, `cpu-clock` where it does not.
///
/// # Errors
/// Why perf cannot be used at all.
pub fn event() -> Result<&'static str, String> {
    let works = |event: &str| {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let data = folder.path().join("data");
        let words = ["record", "--quiet", "--event", event, "--output"];
        let output = perf(&words).arg(&data).args(["--", "true"]).output().map_err(|error| error.to_string())?;
        if output.status.success() { Ok(()) } else { Err(last_line(&output)) }
    };
    if crate::build::find_program("perf").is_none() {
        return Err("there is no perf; sudo apt-get install -y linux-perf".to_owned());
    }
    // perf record takes its clock in place of a counter that is not there, and does not say so; perf stat does.
    let counted = perf(&["stat", "--event", CYCLES, "--field-separator", ",", "--", "true"]).output();
    if counted.is_ok_and(|output| output.status.success() && !String::from_utf8_lossy(&output.stderr).contains('<')) {
        return works(CYCLES).map(|()| CYCLES);
    }
    works(CLOCK)
        .map(|()| CLOCK)
        .map_err(|said| format!("perf may not run here ({said}); see kernel.perf_event_paranoid"))
}

/// perf at work on a process.
pub(super) struct Perf {
    child: Child,
    data: PathBuf,
}

/// One sample: how often, and its stack from the root.
pub(super) type Seen = Vec<String>;

impl Perf {
    /// Attaches itself to all threads of a process, and samples nothing yet.
    pub(super) fn attach(pid: u32, event: &str, rate_hz: u32, data: &Path) -> Result<Self> {
        let (pid, rate) = (pid.to_string(), rate_hz.to_string());
        let words = ["record", "--quiet", "--event", event, "--freq", &rate, "--call-graph", CALL_GRAPH, "--pid", &pid];
        let start =
            Start::new("perf", Path::new("perf")).arguments(words).arguments(["--delay=-1", "--control=fd:0,1"]);
        let child = start.arguments(["--output".as_ref(), data.as_os_str()]).spawn()?;
        Ok(Self { child, data: data.to_path_buf() })
    }

    pub(super) fn begin(&mut self) -> Result<()> {
        self.tell("enable")
    }

    /// Ends it; what it has seen is in its file.
    pub(super) fn end(&mut self) -> Result<()> {
        self.tell("disable")?;
        self.child.write_line("stop")?;
        match self.child.wait(PATIENCE) {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("perf {}: {}", describe(status), self.child.stderr_tail().join(" / ")),
            None => bail!("perf did not end in {} s", PATIENCE.as_secs()),
        }
    }

    fn tell(&mut self, command: &str) -> Result<()> {
        let said = self.child.write_line(command).map(|()| self.child.read_line(PATIENCE));
        match said {
            Ok(Ok(line)) if line.contains("ack") => Ok(()),
            _ => bail!("perf does not {command}: {}", self.child.stderr_tail().join(" / ")),
        }
    }

    /// What it has seen, named.
    pub(super) fn seen(&self, symbols: &mut Symbols) -> Result<Vec<Seen>> {
        let words = ["script", "--no-inline", "--fields", "comm,tid,ip,sym,dso", "--input"];
        let output = perf(&words).arg(&self.data).output().context("perf cannot be started")?;
        if !output.status.success() {
            bail!("perf script {}: {}", describe(output.status), last_line(&output));
        }
        // It may be gone already, with the folder; nothing is lost then.
        let _ = fs::remove_file(&self.data);
        Ok(samples(&String::from_utf8_lossy(&output.stdout), symbols))
    }
}

fn perf(words: &[&str]) -> Command {
    let mut command = Command::new("perf");
    command.args(words).stdin(Stdio::null()).env("LC_ALL", "C");
    command
}

fn last_line(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    let line = told.lines().map(str::trim).rfind(|line| !line.is_empty());
    line.unwrap_or("it says nothing").chars().take(200).collect()
}

/// What `perf script` prints: a line for the thread, then one for each frame, the innermost first, then an empty one.
fn samples(text: &str, symbols: &mut Symbols) -> Vec<Seen> {
    let mut samples = Vec::new();
    for block in text.split("\n\n") {
        let mut lines = block.lines().filter(|line| !line.trim().is_empty());
        let thread = lines.next().and_then(|line| line.trim().rsplit_once(' ')).map_or("", |(name, _)| name.trim());
        if OWN_THREADS.contains(&thread) {
            continue;
        }
        let mut stack = Vec::new();
        for (depth, line) in lines.enumerate() {
            let (address, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            let (name, file) = rest.rsplit_once(" (").unwrap_or((rest, ""));
            let Ok(address) = u64::from_str_radix(address, 16) else { continue };
            if address >= KERNEL_FROM {
                // Names of the kernel are not everybody's to read (kernel.kptr_restrict); that it is the kernel is told.
                let known = !name.is_empty() && name != "[unknown]";
                stack.push(format!("{}{KERNEL}", if known { name } else { "[kernel]" }));
            } else {
                // Of a process's own code perf tells where it is in its file.
                let file = file.strip_suffix(')').unwrap_or(file);
                stack.extend(symbols.names_in(file, address, depth > 0).iter().rev().cloned());
            }
        }
        if !stack.is_empty() {
            stack.reverse();
            samples.push(stack);
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_the_kernel_s_frames_and_without_the_lab_s_threads() {
        let text = "target x 12\n\tffffffff81000000 do_syscall_64 ([kernel.kallsyms])\n\tffffffff81000001 [unknown] ([kernel.kallsyms])\n\
                    \t               1 no where ([unknown])\n\ncontrol 13\n\t               1 nowhere ([unknown])\n\ntarget 14\n\n";
        let mut symbols = Symbols::of(std::process::id()).unwrap();
        assert_eq!(samples(text, &mut symbols), [["[unknown]", "[kernel]_[k]", "do_syscall_64_[k]"]]);
    }
}
