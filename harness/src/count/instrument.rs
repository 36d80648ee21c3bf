//! What a server is started under, so that what it has spent can be read while it runs: callgrind, strace, the build that
//! counts allocations, or nothing but the kernel's own counters.
//!
//! A reading tells totals since the start; what they mean for a request is `../sweep.rs`'s.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    process::{Command, Stdio},
};

use probe::{
    launch::GLIBC_TUNABLES,
    suite::{Plan, Target},
};

use super::{
    TOOL_SLOWDOWN,
    callgrind::{self, Parts},
    tool_version,
};
use crate::{
    build,
    target::{Server, Setup, Trouble},
};

/// Metrics with their totals since the server's start.
pub(crate) type Totals = Vec<(&'static str, i128)>;

/// What a server is started under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instrument {
    /// `allocations_per_request`, `allocated_bytes_per_request` and `live_bytes_per_request`, in the build that counts.
    CountingBuild,
    /// `context_switches_voluntary_per_request` and `context_switches_involuntary_per_request`, by the kernel.
    Kernel,
    /// `system_calls_per_lone_request`.
    Strace,
    /// `instructions_per_request`, in user mode.
    Callgrind,
}

impl Instrument {
    pub(crate) const ALL: [Self; 4] = [Self::CountingBuild, Self::Kernel, Self::Strace, Self::Callgrind];

    /// What it counts, in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::CountingBuild => "allocations",
            Self::Kernel => "context switches",
            Self::Strace => "system calls",
            Self::Callgrind => "instructions",
        }
    }

    /// What both counts of a case take, s, and what the two servers take to start and end; measured on two CPUs.
    pub(crate) fn expected_s(self) -> (f64, f64) {
        match self {
            Self::CountingBuild => (0.4, 0.3),
            Self::Kernel => (0.2, 0.3),
            Self::Strace => (0.6, 0.3),
            Self::Callgrind => (2.0, 3.0),
        }
    }

    /// How many times as many requests make a mean: one that does not slow a server down can afford more.
    pub(crate) fn requests_factor(self) -> u64 {
        match self {
            Self::CountingBuild | Self::Kernel => 4,
            Self::Strace | Self::Callgrind => 1,
        }
    }

    /// Why it cannot be used on `target` here, with what to do about it.
    pub(crate) fn obstacle(self, target: &Target) -> Option<String> {
        let (name, words) = (&target.name, self.words());
        match self {
            Self::CountingBuild | Self::Callgrind if !target.control => {
                Some(format!("Target {name} has no control channel: its {words} were not counted."))
            }
            Self::CountingBuild if target.counting.is_empty() => {
                Some(format!("Target {name} has no build that counts allocations: they were not counted."))
            }
            Self::CountingBuild | Self::Kernel => None,
            Self::Strace => strace_obstacle(),
            Self::Callgrind => missing("valgrind", words),
        }
    }

    /// How it counts, for the record.
    pub(crate) fn method(self) -> Option<String> {
        match self {
            Self::CountingBuild => None,
            Self::Kernel => Some(
                "Context switches are the kernel's counts, of the timed build. They depend on what else the machine does \
                 and are no ground for a verdict."
                    .to_owned(),
            ),
            Self::Strace => Some(format!(
                "The system calls of a lone request were counted with {} (-f, a line each).",
                tool_version("strace")?
            )),
            Self::Callgrind => Some(format!(
                "The instructions of a request were counted with {} (callgrind, GLIBC_TUNABLES={GLIBC_TUNABLES}).",
                tool_version("valgrind")?
            )),
        }
    }

    /// Starts `target` under it, with one worker: a count is of one thread's work. `round` tells two counts apart.
    pub(crate) fn start(
        self,
        target: &Target,
        plan: &Plan,
        database: Option<&str>,
        round: u32,
    ) -> Result<Instrumented, Trouble> {
        let file = plan.folder.join(format!("{}-{}-{round}.out", self.words().replace(' ', "-"), target.name));
        let tool: Vec<String> = match self {
            Self::CountingBuild | Self::Kernel => Vec::new(),
            // A signal to strace is one to what it traces, so that a server without a control channel can be ended.
            Self::Strace => ["strace", "-f", "-I", "2", "-o", &file.to_string_lossy(), "--"].map(str::to_owned).into(),
            Self::Callgrind => callgrind::command(&file),
        };
        let build = if self == Self::CountingBuild { &target.counting } else { &target.command };
        let target = Target { command: tool.iter().chain(build).cloned().collect(), ..target.clone() };
        // Two counts run side by side, each on a CPU of its own.
        let cpus = if round == 0 { &plan.placement.server } else { &plan.placement.generator };
        let slowdown = if tool.is_empty() { 1 } else { TOOL_SLOWDOWN };
        let server =
            Server::start(&target, &Setup { cpus: &cpus[..cpus.len().min(1)], database, pool: None, slowdown })?;
        Ok(Instrumented { instrument: self, server, parts: Parts::of(file.clone()), file, at: 0, total: 0 })
    }
}

/// Why a tool cannot be used, if it is not there.
pub(super) fn missing(tool: &str, words: &str) -> Option<String> {
    build::find_program(tool).is_none().then(|| {
        format!("There is no {tool}: the {words} of a request were not counted; sudo apt-get install -y {tool}")
    })
}

/// Why system calls cannot be counted here: strace is not there, or may not trace even a child of its own.
pub(super) fn strace_obstacle() -> Option<String> {
    let words = Instrument::Strace.words();
    missing("strace", words).or_else(|| {
        let traced = Command::new("strace")
            .args(["-o", "/dev/null", "--", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        (!traced.is_ok_and(|status| status.success())).then(|| {
            format!(
                "ptrace(2) is forbidden here: the {words} of a request were not counted; see kernel.yama.ptrace_scope, the \
                 container's seccomp profile, and whether the lab is traced itself"
            )
        })
    })
}

/// A server under an instrument.
#[derive(Debug)]
pub(crate) struct Instrumented {
    instrument: Instrument,
    pub(crate) server: Server,
    file: PathBuf,
    parts: Parts,
    /// Bytes of strace's lines that were read.
    at: u64,
    /// What they say together.
    total: i128,
}

impl Instrumented {
    /// What it has spent until now, the reading's own share included, which is the same each time.
    pub(crate) fn read(&mut self) -> Result<Totals, Trouble> {
        let counters = match self.instrument {
            // What an answered request still holds is given back right after the answer.
            Instrument::CountingBuild => self.server.quiesce()?,
            _ => self.server.counters()?,
        };
        let said = |reason: String| Trouble { reason, stderr_tail: Vec::new() };
        match self.instrument {
            Instrument::CountingBuild => {
                let counted = counters
                    .allocations
                    .ok_or_else(|| said("its counters tell no allocations; was it built to count them?".to_owned()))?;
                Ok(vec![
                    ("allocations_per_request", counted.calls.into()),
                    ("allocated_bytes_per_request", counted.bytes.into()),
                    ("live_bytes_per_request", counted.live_bytes.into()),
                ])
            }
            Instrument::Kernel => Ok(vec![
                ("context_switches_voluntary_per_request", counters.context_switches_voluntary.into()),
                ("context_switches_involuntary_per_request", counters.context_switches_involuntary.into()),
            ]),
            Instrument::Strace => {
                self.read_lines().map_err(|error| said(format!("{}: {error}", self.file.display())))?;
                Ok(vec![("system_calls_per_lone_request", self.total)])
            }
            Instrument::Callgrind => {
                self.total += self.parts.written().map_err(said)?.into_iter().map(i128::from).sum::<i128>();
                Ok(vec![("instructions_per_request", self.total)])
            }
        }
    }

    /// Takes in the lines that strace has written since the last reading. One that is not whole yet waits for the next.
    fn read_lines(&mut self) -> std::io::Result<()> {
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(self.at))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.at += whole as u64;
        self.total += i128::from(calls(&String::from_utf8_lossy(&text[..whole])));
        Ok(())
    }

    /// Ends the server and removes what the instrument left.
    pub(crate) fn stop(self) -> Result<(), Trouble> {
        let stopped = self.server.stop();
        let _ = fs::remove_file(&self.file);
        stopped
    }
}

/// System calls in lines of `strace -f`: what another thread's call interrupted has two lines, and signals and exits are
/// no calls.
fn calls(lines: &str) -> u64 {
    let is_call = |line: &&str| {
        let what = line.split_once(' ').map_or("", |(_, what)| what.trim_start());
        !what.is_empty() && !["<... ", "---", "+++"].iter().any(|other| what.starts_with(other))
    };
    lines.lines().filter(is_call).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_in_two_lines_is_one_and_signals_are_none() {
        for (lines, expected) in [
            ("7 read(3, \"a\", 1) = 1\n7 write(4, \"a\", 1) = 1\n", 2),
            ("7 futex(0x1, FUTEX_WAIT <unfinished ...>\n8 getpid() = 7\n7 <... futex resumed>) = 0\n", 2),
            ("7 --- SIGTERM {si_signo=SIGTERM} ---\n7 +++ exited with 0 +++\n", 0),
            ("12345   epoll_wait(3, [], 1, 50) = 0\n", 1),
            ("", 0),
        ] {
            assert_eq!(calls(lines), expected, "{lines}");
        }
    }
}
