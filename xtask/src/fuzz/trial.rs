//! Runs one fuzz target for a while, and makes the input of a finding smaller.
//!
//! libFuzzer writes what it finds interesting into a corpus of its own below the target folder; the corpus in the
//! checkout is only read. Its options are described at <https://llvm.org/docs/LibFuzzer.html>.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use harness::process::Start;

/// An input that takes this long is a finding, in seconds; most take less than a millisecond.
const TIMEOUT_SECONDS: u64 = 20;

/// Memory above which an input is a finding, in MiB; AddressSanitizer's quarantine takes some hundred of them.
const MEMORY_MIB: u64 = 2_048;

/// How long a finding's input is made smaller.
const MINIMISE: Duration = Duration::from_secs(15);

/// How much longer than asked for a target may take: to read its corpus, and to end.
const GRACE: Duration = Duration::from_secs(120);

/// Where things are read from and written to.
#[derive(Debug)]
pub(super) struct Places {
    /// The fuzz package: corpus, words and artifacts.
    package: PathBuf,
    /// The grown corpus and the logs.
    work: PathBuf,
}

impl Places {
    pub(super) fn new(package: &Path, target_folder: &Path) -> Self {
        Self { package: package.to_owned(), work: target_folder.join("lab").join("fuzz") }
    }
}

/// How a target ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// Nothing was found.
    Quiet {
        runs: String,
        coverage: String,
    },
    Found(Finding),
}

/// An input that the target failed on.
#[derive(Debug)]
pub(super) struct Finding {
    /// What went wrong, in a line or two.
    pub(super) what: String,
    pub(super) input: PathBuf,
    pub(super) log: PathBuf,
}

/// One target, about to be run.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    pub(super) target: &'a str,
    pub(super) program: &'a Path,
    pub(super) places: &'a Places,
}

impl Trial<'_> {
    /// Runs the target for so long, or until it finds something; seed 0 draws one.
    pub(super) fn run(&self, time: Duration, seed: u32) -> Result<Ending> {
        let corpus = self.places.work.join("corpus").join(self.target);
        let artifacts = self.places.package.join("artifacts").join(self.target);
        let logs = self.places.work.join("log");
        for folder in [&corpus, &artifacts, &logs] {
            fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let log = logs.join(format!("{}.log", self.target));
        let mut words = OsString::from("-dict=");
        words.push(self.places.package.join("words.dict"));
        let arguments = vec![
            format!("-max_total_time={}", time.as_secs()).into(),
            format!("-seed={seed}").into(),
            format!("-rss_limit_mb={MEMORY_MIB}").into(),
            "-print_final_stats=1".into(),
            words,
            corpus.into(),
            self.places.package.join("corpus").join(self.target).into(),
        ];
        let code = self.start(arguments, &artifacts, &log, time)?;
        let told = fs::read(&log).with_context(|| format!("{} cannot be read", log.display()))?;
        let told = String::from_utf8_lossy(&told);
        if code == Some(0) {
            let coverage = told.lines().rev().find_map(|line| word_after(line, "cov: ")).unwrap_or("?");
            let runs = told.lines().find_map(|line| word_after(line, "stat::number_of_executed_units: "));
            return Ok(Ending::Quiet { runs: runs.unwrap_or("?").to_owned(), coverage: coverage.to_owned() });
        }
        let Some(input) = told.lines().rev().find_map(|line| word_after(line, "Test unit written to ")) else {
            bail!("fuzz target {} did not run to its end, and found nothing; see {}", self.target, log.display());
        };
        let input = self.minimised(Path::new(input), &artifacts)?;
        Ok(Ending::Found(Finding { what: reason(&told), input, log }))
    }

    /// Runs the program, with what it says in `log`; gives its exit code.
    fn start(&self, arguments: Vec<OsString>, artifacts: &Path, log: &Path, time: Duration) -> Result<Option<i32>> {
        let mut prefix = OsString::from("-artifact_prefix=");
        // The slash makes it a folder.
        prefix.push(artifacts.join(""));
        // The shell lends its redirection; what it executes is the process that is waited for. The search for leaks stops
        // the process by ptrace(2), which containers forbid, and it is the one thing that is not looked for here.
        let script = ["-c", "ASAN_OPTIONS=detect_leaks=0 exec \"$@\" 2>\"$0\""].map(OsString::from);
        let mut child = Start::new(self.target, Path::new("sh"))
            .arguments(script)
            .arguments([log.as_os_str(), self.program.as_os_str()])
            .arguments([format!("-timeout={TIMEOUT_SECONDS}").into(), prefix])
            .arguments(arguments)
            .spawn()?;
        match child.wait(time + GRACE) {
            Some(status) => Ok(status.code()),
            None => bail!("fuzz target {} hangs; see {}", self.target, log.display()),
        }
    }

    /// The smallest input that libFuzzer comes to from this one in a short time; inputs that take too long stay as they are.
    fn minimised(&self, input: &Path, artifacts: &Path) -> Result<PathBuf> {
        let is_crash = input.file_name().is_some_and(|name| name.to_string_lossy().starts_with("crash-"));
        if !is_crash {
            return Ok(input.to_owned());
        }
        let smaller = input.with_extension("smaller");
        let mut exact = OsString::from("-exact_artifact_path=");
        exact.push(&smaller);
        let arguments = vec![
            "-minimize_crash=1".into(),
            format!("-max_total_time={}", MINIMISE.as_secs()).into(),
            exact,
            input.into(),
        ];
        let log = self.places.work.join("log").join(format!("{}.smaller.log", self.target));
        // However it ends: what it has written fails as the whole does.
        self.start(arguments, artifacts, &log, MINIMISE)?;
        if smaller.is_file() {
            fs::rename(&smaller, input)?;
        }
        Ok(input.to_owned())
    }
}

/// Runs a target on one input, with its output on the terminal.
pub(super) fn replay(program: &Path, input: &Path) -> Result<ExitCode> {
    if !input.is_file() {
        bail!("{} is no file", input.display());
    }
    let status = Command::new(program).arg(input).status().context("the fuzz target cannot be started")?;
    Ok(ExitCode::from(u8::from(!status.success())))
}

fn word_after<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.split_once(mark)?.1.split_whitespace().next()
}

/// What a log says went wrong: the panic's place and message, or else the sanitizer's line.
fn reason(log: &str) -> String {
    const LINES: usize = 4;
    let mut lines = log.lines().skip_while(|line| !line.contains("panicked at "));
    let place = lines.next().and_then(|line| line.split_once("panicked at ")).map(|(_, place)| place);
    let is_message = |line: &&str| !line.starts_with("stack backtrace:") && !line.starts_with("note:");
    match place {
        Some(place) => {
            let message: Vec<_> = lines.take_while(is_message).take(LINES).map(str::trim).collect();
            let text = format!("{place} {}", message.join(" "));
            text.chars().take(1_000).collect()
        }
        None => {
            let summary = log.lines().find(|line| line.contains("ERROR: "));
            summary.unwrap_or("ended without a word").trim().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_says_what_went_wrong() {
        for (log, expected) in [
            (
                "#1 INITED\nthread '<unnamed>' (7) panicked at a/b.rs:1:2:\nassertion failed\n  left: 1\nstack backtrace:\n 0: x\n",
                "a/b.rs:1:2: assertion failed left: 1",
            ),
            (
                "#2 x\n==7==ERROR: AddressSanitizer: heap-use-after-free on y\n",
                "==7==ERROR: AddressSanitizer: heap-use-after-free on y",
            ),
            ("Killed\n", "ended without a word"),
        ] {
            assert_eq!(reason(log), expected);
        }
    }
}
