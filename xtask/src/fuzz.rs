//! `cargo xtask fuzz`: the targets of `armature-core/fuzz` under libFuzzer, some at a time.
//!
//! Owns the command line and what is said of each target. Building stands in `fuzz/build.rs`, running one target and
//! making its finding smaller in `fuzz/trial.rs`.

use std::{
    env, fs,
    num::NonZero,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Result, bail};
use clap::Args;
use harness::{layout, name};

mod build;
mod trial;

use crate::{
    check::packages::{Package, Packages},
    output,
};
use build::Toolchain;
use trial::{Ending, Finding, Places, Trial};

/// The package of the targets, and the feature with which their programs are built.
const PACKAGE: &str = "armature-fuzz";
pub(crate) const FEATURE: &str = "libfuzzer";

/// Where the package stands.
const FOLDER: &str = "armature-core/fuzz";

/// How long each target runs in a test run, in seconds; with two CPUs all take two minutes.
pub(crate) const TEST_SECONDS: u64 = 20;

/// Fuzz the framework's parsers, router, encoder and connections.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 when nothing was found, 1 on a finding, 3 when a tool is missing (with CI=true: 1).\n\n\
                  Examples:\n  cargo xtask fuzz\n  cargo xtask fuzz --seconds 600 --only connection --jobs 1\n  \
                  cargo xtask fuzz --only chunked --replay armature-core/fuzz/artifacts/chunked/crash-0123"
)]
pub(crate) struct Fuzz {
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Seed of what is tried; 0 draws another each time, a test run always takes the same
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Run only this target; may be given several times
    #[arg(long, value_name = "TARGET")]
    only: Vec<String>,
    /// How many targets run at the same time [default: as many as CPUs]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,
    /// Run the one target of --only on this input alone, and print all it says
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Say which targets there are, with the number of files in the corpus of each
    #[arg(long)]
    list: bool,
}

/// Whether this workspace has fuzz targets.
pub(crate) fn has_targets(packages: &[Package]) -> bool {
    packages.iter().any(|package| package.name == PACKAGE)
}

/// Whether what fuzzing needs is installed.
pub(crate) fn can_build() -> bool {
    Toolchain::find().is_ok()
}

/// How to come by what fuzzing needs.
pub(crate) const CURE: &str =
    "rustup toolchain install nightly --profile minimal; a C++ compiler from apt-get install g++";

impl Fuzz {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let root = layout::workspace_root()?;
        let targets = self.targets(&root)?;
        if self.list {
            let corpus = root.join(FOLDER).join("corpus");
            let line = |target: &String| format!("{target:<16} {} files\n", files(&corpus.join(target)));
            output::print(&targets.iter().map(line).collect::<String>())?;
            return Ok(ExitCode::SUCCESS);
        }
        let toolchain = match Toolchain::find() {
            Ok(toolchain) => toolchain,
            Err(missing) => {
                eprintln!("error: {missing} is missing; to have it: {CURE}");
                let is_ci = env::var("CI").is_ok_and(|value| value == "true");
                return Ok(ExitCode::from(if is_ci { 1 } else { 3 }));
            }
        };
        let places = Places::new(&root.join(FOLDER), &layout::target_folder()?);
        if let Some(input) = &self.replay {
            let [target] = &targets[..] else { bail!("--replay needs --only, to name the one target of the input") };
            let input = std::path::absolute(input)?;
            toolchain.build(&root, std::slice::from_ref(target))?;
            return trial::replay(&toolchain.program(target)?, &input);
        }
        toolchain.build(&root, &targets)?;
        let found = self.run_all(&toolchain, &places, &targets)?;
        // In the form of cargo's runners, so that `cargo xtask test` adds it up with theirs.
        output::print(&format!(
            "\ntest result: {}. {} passed; {found} failed\n",
            verdict(found),
            targets.len() - found
        ))?;
        Ok(ExitCode::from(u8::from(found > 0)))
    }

    /// The names of the chosen targets.
    fn targets(&self, root: &Path) -> Result<Vec<String>> {
        let packages = Packages::of_workspace(root)?;
        let Some(package) = packages.list.iter().find(|package| package.name == PACKAGE) else {
            bail!("no package {PACKAGE} in {}; run this command inside the checkout", root.display())
        };
        let all: Vec<&str> = package.programs.iter().map(|program| program.name.as_str()).collect();
        if let Some(wanted) = self.only.iter().find(|wanted| !all.contains(&wanted.as_str())) {
            return Err(name::Unknown::new("fuzz target", wanted, all).into());
        }
        let is_chosen = |target: &&str| self.only.is_empty() || self.only.iter().any(|wanted| wanted == target);
        Ok(all.into_iter().filter(is_chosen).map(str::to_owned).collect())
    }

    /// Runs the targets and says how each ended; gives the number of those with a finding.
    fn run_all(&self, toolchain: &Toolchain, places: &Places, targets: &[String]) -> Result<usize> {
        let cpus = thread::available_parallelism().map_or(1, NonZero::get);
        let jobs = self.jobs.map_or(cpus, NonZero::get).min(targets.len());
        let time = Duration::from_secs(self.seconds);
        eprintln!("{} targets, {} s each, {jobs} at a time", targets.len(), self.seconds);
        let (next, found, broken) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(None));
        let work = || {
            while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                let ran = toolchain
                    .program(target)
                    .and_then(|program| Trial { target, program: &program, places }.run(time, self.seed));
                let told = match ran {
                    Ok(Ending::Quiet { runs, coverage }) => {
                        output::print(&format!("ok      {target:<16} {runs:>10} inputs, {coverage} places reached\n"))
                    }
                    Ok(Ending::Found(finding)) => {
                        found.fetch_add(1, Ordering::Relaxed);
                        output::print(&describe(target, &finding))
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = told {
                    *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(work);
            }
        });
        match broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(found.into_inner()),
        }
    }
}

fn verdict(found: usize) -> &'static str {
    if found == 0 { "ok" } else { "FAILED" }
}

/// Says what was found and what to do about it.
fn describe(target: &str, finding: &Finding) -> String {
    let Finding { what, input, log } = finding;
    let bytes = fs::read(input).unwrap_or_default();
    let text: String = bytes.escape_ascii().to_string().chars().take(500).collect();
    let input = input.display();
    format!(
        "FAILED  {target}: {what}\n        input of {} bytes: {text}\n        again: cargo xtask fuzz --only {target} --replay {input}\n        \
         once it is fixed, keep it as {FOLDER}/corpus/{target}/NAME: every test run replays it\n        log: {}\n",
        bytes.len(),
        log.display()
    )
}

/// The number of files in a folder.
fn files(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}
