//! One launch of a program of benchmarks: started, waited for, and gone afterwards; and the CPUs that it runs on.
//!
//! The program gets a process group of its own and a standard input that says nothing: when that closes, whatever the
//! reason, it ends its group (`leash.rs`).

use std::{
    ffi::{OsStr, OsString},
    io::Read,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::suite::{Case, Failure, Target};

/// glibc chooses its copying functions by what the CPU can do; without these features it chooses the same on any x86-64.
pub const GLIBC_TUNABLES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-ERMS,-FSRM";

/// Lines of standard error that are kept, and characters of each.
const TAIL: (usize, usize) = (20, 400);

/// What to launch.
#[derive(Debug)]
#[must_use]
pub struct Program {
    words: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
}

/// Why a launch showed nothing.
#[derive(Debug)]
pub struct Launched {
    /// For people.
    pub reason: String,
    /// The last lines of its standard error.
    pub stderr_tail: Vec<String>,
}

impl Launched {
    /// A launch that came to its end and is of no use, for this reason.
    #[must_use]
    pub fn of(reason: String) -> Self {
        Self { reason, stderr_tail: Vec::new() }
    }

    /// What a suite says of it.
    #[must_use]
    pub fn failure(self, target: &Target, case: Option<&Case>, round: Option<u32>) -> Failure {
        Failure {
            target: target.name.clone(),
            case: case.map(|case| case.id.clone()),
            round,
            reason: self.reason,
            stderr_tail: self.stderr_tail,
            disqualifies: false,
        }
    }
}

impl Program {
    /// A program and its first arguments.
    pub fn new(command: &[impl AsRef<OsStr>]) -> Self {
        Self { words: command.iter().map(|word| word.as_ref().to_owned()).collect(), variables: Vec::new() }
    }

    /// Adds arguments.
    pub fn arguments(mut self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    pub fn variable(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name, value.as_ref().to_owned()));
        self
    }

    /// Runs it to its end and returns its standard output.
    ///
    /// # Errors
    /// When it cannot be started, does not end in time, or ends as a failure.
    pub fn run(&self, patience: Duration) -> Result<String, Launched> {
        let (first, rest) =
            self.words.split_first().ok_or_else(|| Launched::of("there is no program to measure with".to_owned()))?;
        let name = first.to_string_lossy();
        let mut child = Command::new(first)
            .args(rest)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| Launched::of(format!("{name} cannot be started: {error}")))?;
        let (output, complaints) = (read(child.stdout.take()), read(child.stderr.take()));
        let ended = wait(&mut child, patience);
        let output = output.join().unwrap_or_default();
        let stderr_tail = tail(&complaints.join().unwrap_or_default());
        match ended {
            Some(status) if status.success() => Ok(output),
            Some(status) => Err(Launched { reason: format!("{name} {}", describe(status)), stderr_tail }),
            None => {
                Err(Launched { reason: format!("{name} had not ended after {} s", patience.as_secs()), stderr_tail })
            }
        }
    }
}

/// Does something, and starts what is started for it, on these CPUs; on those there are if there are none.
pub fn on<T>(cpus: &[usize], act: impl FnOnce() -> T) -> T {
    let mut set = CpuSet::new();
    let fits = !cpus.is_empty() && cpus.iter().all(|cpu| set.set(*cpu).is_ok());
    // A CPU that went away since the plan was made is not worth a failure: what is measured says where it ran.
    let _ = fits.then(|| sched_setaffinity(Pid::from_raw(0), &set));
    act()
}

fn read(stream: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is what there is.
        let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for the end; kills the whole group when it does not come in time.
fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            Ok(None) | Err(_) => {
                let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
                let _ = child.wait();
                return None;
            }
        }
    }
}

fn tail(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL.0)..].iter().map(|line| line.chars().take(TAIL.1).collect()).collect()
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
