//! `cargo xtask test`: every test of the workspace, with the programs that they start built first, then those of packages
//! with features once more with each, then a short run of the fuzz targets.
//!
//! Owns what is built before, which optional tools are looked for, which tests `--fast` leaves out, and the sum at the
//! end. The running is cargo's: its output passes through unchanged.

use std::{
    env,
    io::{BufRead, BufReader, Write, stdout},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use harness::{build, database, layout};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    check::packages::{Package, Packages},
    fuzz,
};

/// Run every test of the workspace.
#[derive(Debug, Args)]
#[command(after_help = "With CI=true a missing tool is a failure, before anything runs.\n\n\
                  Examples:\n  cargo xtask test\n  cargo xtask test --fast\n  cargo xtask test -- chunked             only tests with this in their name\n  \
                  cargo xtask test -- -- --nocapture      what tests print is shown")]
pub(crate) struct Test {
    /// Leave out documentation tests, the integration tests that take longest, features, and fuzzing
    #[arg(long)]
    fast: bool,
    /// Handed to `cargo test`
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// A tool without which some tests skip what they test.
struct Tool {
    name: &'static str,
    is_there: fn() -> bool,
    skipped: &'static str,
    cure: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "PostgreSQL",
        is_there: || database::postgres_binaries().is_some(),
        skipped: "every test against a PostgreSQL cluster",
        cure: "sudo apt-get install -y postgresql",
    },
    Tool {
        name: "valgrind",
        is_there: || build::find_program("valgrind").is_some(),
        skipped: "the count of instructions",
        cure: "sudo apt-get install -y valgrind",
    },
    Tool {
        name: "strace",
        is_there: || build::find_program("strace").is_some(),
        skipped: "the count of system calls",
        cure: "sudo apt-get install -y strace",
    },
];

const FUZZING: Tool = Tool {
    name: "nightly Rust and a C++ compiler",
    is_there: fuzz::can_build,
    skipped: "a short run of each fuzz target",
    cure: fuzz::CURE,
};

/// Integration tests that `--fast` leaves out, by package and name.
const SLOW: &[(&str, &str)] = &[
    ("allocation-pattern", "pattern"),
    ("compile-fail-tests", "compile_fail"),
    ("suite-memory-leak", "memory_leak"),
    ("xtask", "allocation"),
    ("xtask", "bench"),
    ("xtask", "drop_timing"),
    ("xtask", "micro"),
];

/// Features with which the tests of their package are run once more, by package and name.
const FEATURES: &[(&str, &str)] = &[("armature-core", "http2,simd-json,tls")];

impl Test {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let must_have = env::var("CI").is_ok_and(|value| value == "true");
        let packages = Packages::of_workspace(&layout::workspace_root()?)?;
        // Who hands arguments to cargo asks for some tests only.
        let fuzzes = !self.fast && self.arguments.is_empty() && fuzz::has_targets(&packages.list);
        let tools = TOOLS.iter().chain(fuzzes.then_some(&FUZZING));
        let (remarks, may_run) = look_for(tools, must_have);
        for remark in remarks {
            eprintln!("{remark}");
        }
        if !may_run {
            return Ok(ExitCode::from(1));
        }
        let begin = Instant::now();
        build_programs(&packages.list)?;
        let mut selection = vec!["--workspace".to_owned()];
        if self.fast {
            selection.extend(quick(&packages.list, SLOW)?);
        }
        let mut sum = Sum::default();
        let mut passed = run(cargo_test(&selection, &self.arguments)?, &mut sum)?;
        for (package, feature) in FEATURES.iter().filter(|_| !self.fast) {
            let is_there = packages.list.iter().any(|it| it.name == *package);
            if is_there && passed != Passed::Interrupted {
                let selection = ["--package", package, "--features", feature].map(str::to_owned);
                passed = passed.and(run(cargo_test(&selection, &self.arguments)?, &mut sum)?);
            }
        }
        if fuzzes && passed != Passed::Interrupted && (FUZZING.is_there)() {
            passed = passed.and(run(fuzz_shortly(), &mut sum)?);
        }
        println!("\n{} runner(s) and the builds took {:.1} s", sum.runners, begin.elapsed().as_secs_f64());
        println!("{sum}");
        Ok(ExitCode::from(u8::from(passed != Passed::All)))
    }
}

/// How a command that runs tests ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    All,
    NotAll,
    /// A signal ended it.
    Interrupted,
}

impl Passed {
    fn and(self, other: Self) -> Self {
        if self == Self::All { other } else { self }
    }
}

/// What to say about the tools that are missing, and whether the tests may run without them.
fn look_for<'a>(tools: impl IntoIterator<Item = &'a Tool>, must_have: bool) -> (Vec<String>, bool) {
    let missing = tools.into_iter().filter(|tool| !(tool.is_there)());
    let mut remarks: Vec<String> = missing
        .map(|tool| format!("without {}: skipped is {}; to have it: {}", tool.name, tool.skipped, tool.cure))
        .collect();
    let may_run = remarks.is_empty() || !must_have;
    if !may_run {
        remarks.push("error: with CI=true every tool must be there; nothing was run".to_owned());
    }
    (remarks, may_run)
}

/// Builds every program but this one, each alone, as `bench` does: tests start them, and alone is how they are used.
fn build_programs(packages: &[Package]) -> Result<()> {
    for package in packages.iter().filter(|package| package.name != env!("CARGO_PKG_NAME")) {
        // The fuzz targets need another toolchain, and no test starts them.
        for program in package.programs.iter().filter(|program| !program.features.iter().any(|it| it == fuzz::FEATURE))
        {
            eprintln!("building {}, which tests start", program.name);
            let features: Vec<&str> = program.features.iter().map(String::as_str).collect();
            build::Request {
                binary: &program.name,
                features: &features,
                ..build::Request::new(&package.name, "light")
            }
            .build()?;
        }
    }
    Ok(())
}

/// Arguments that select unit tests and all integration tests but the slow ones.
fn quick(packages: &[Package], slow: &[(&str, &str)]) -> Result<Vec<String>> {
    let is_gone = |package: &str, test: &str| {
        packages.iter().any(|it| it.name == package && it.tests.iter().all(|target| target.name != test))
    };
    if let Some((package, test)) = slow.iter().find(|(package, test)| is_gone(package, test)) {
        bail!("the list of slow tests in xtask/src/test.rs names {test} of {package}, which is gone; remove it");
    }
    let mut arguments = vec!["--lib".to_owned(), "--bins".to_owned()];
    for package in packages {
        for test in &package.tests {
            if !slow.contains(&(package.name.as_str(), test.name.as_str())) {
                arguments.extend(["--test".to_owned(), test.name.clone()]);
            }
        }
    }
    Ok(arguments)
}

/// `cargo test` over the packages and targets selected.
fn cargo_test(selection: &[String], arguments: &[String]) -> Result<Command> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(layout::workspace_root()?)
        .args(["test", "--profile", "light", "--no-fail-fast"])
        .args(selection)
        .args(arguments)
        // Set for xtask by `cargo run`; build scripts of other packages would see it change.
        .env_remove("CARGO_MANIFEST_DIR");
    Ok(cargo)
}

/// This program once more, to fuzz for a short time.
fn fuzz_shortly() -> Command {
    // Not by its path: `cargo test` has linked xtask anew by now, and this file may be gone from its folder (proc(5)).
    let mut fuzz = Command::new("/proc/self/exe");
    fuzz.args(["fuzz", "--seconds", &fuzz::TEST_SECONDS.to_string(), "--seed", "1"]);
    fuzz
}

/// Runs a command that runs tests, passes its output through, and adds up what its runners say.
fn run(mut command: Command, sum: &mut Sum) -> Result<Passed> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // A group of its own: a signal reaches cargo, the runner and what the runner started together, and once.
        .process_group(0);
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| format!("{name} cannot be started; is it in PATH?"))?;
    forward_signals(&child)?;
    let mut output = BufReader::new(child.stdout.take().context("a command without output")?);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        sum.add(&String::from_utf8_lossy(&line));
        stdout().write_all(&line)?;
        stdout().flush()?;
        line.clear();
    }
    let status = child.wait()?;
    if let Some(signal) = status.signal() {
        eprintln!("error: {name} was ended by signal {signal}");
        return Ok(Passed::Interrupted);
    }
    Ok(if status.success() { Passed::All } else { Passed::NotAll })
}

/// Hands the first Ctrl-C or SIGTERM on to the group; a second one ends it at once.
fn forward_signals(child: &Child) -> Result<()> {
    let group = Pid::from_raw(child.id().cast_signed());
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("signals cannot be caught")?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            let wanted = if count > 0 { Ok(Signal::SIGKILL) } else { Signal::try_from(signal) };
            // The group may be gone by now, which is what was wanted.
            let _ = wanted.and_then(|signal| killpg(group, signal));
        }
    })?;
    Ok(())
}

/// What all runners said together.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    runners: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Sum {
    /// Adds a line such as `test result: ok. 9 passed; 0 failed; 1 ignored; …`; leaves others alone.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ").and_then(|(_, rest)| rest.split_once(". ")) else {
            return;
        };
        self.runners += 1;
        for count in counts.split(';') {
            let mut words = count.split_whitespace();
            let number = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                Some("ignored") => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 {
            write!(formatter, ", {} ignored", self.ignored)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::packages::Target;

    #[test]
    fn a_missing_tool_is_told_and_stops_only_a_ci_run() {
        let tool = |is_there| Tool { name: "wrench", is_there, skipped: "every bolt", cure: "buy one" };
        for (tools, must_have, remarks, may_run) in
            [([tool(|| true)], true, 0, true), ([tool(|| false)], false, 1, true), ([tool(|| false)], true, 2, false)]
        {
            let told = look_for(&tools, must_have);
            assert_eq!((told.0.len(), told.1), (remarks, may_run), "{told:?}");
            assert!(remarks == 0 || (told.0[0].contains("wrench") && told.0[0].contains("buy one")), "{told:?}");
        }
    }

    #[test]
    fn runners_are_added_up() {
        let mut sum = Sum::default();
        for line in [
            "running 3 tests\n",
            "test a ... ok\n",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s\n",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n",
        ] {
            sum.add(line);
        }
        assert_eq!((sum.runners, sum.to_string().as_str()), (2, "4 passed, 2 failed, 1 ignored"));
        assert_eq!(Sum::default().to_string(), "0 passed, 0 failed");
    }

    #[test]
    fn the_quick_selection_leaves_out_the_slow_and_notices_the_gone() {
        let target = |name: &str| Target { name: name.to_owned(), ..Target::default() };
        let packages =
            [Package { name: "a".to_owned(), tests: vec![target("wire"), target("soak")], ..Package::default() }];
        assert_eq!(quick(&packages, &[("a", "soak")]).unwrap(), ["--lib", "--bins", "--test", "wire"]);
        let gone = quick(&packages, &[("a", "gone")]).unwrap_err().to_string();
        assert!(gone.contains("gone of a"), "{gone}");
    }
}
