//! Builds what a run needs, saying what and why, and nothing else. What a suite needs is `suite.rs`'s.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use harness::{
    build::{self, Artifact, Request},
    host::Host,
    layout,
    target::Entry,
};
use probe::suite::Target;

use super::suite::{Kind, Suite};

/// What a run starts from.
#[derive(Default)]
pub(crate) struct Prepared {
    /// Ready to be started.
    pub(crate) targets: Vec<Target>,
    /// The exact binaries.
    pub(crate) artifacts: Vec<Artifact>,
    /// The load generator; empty for a suite that does without.
    pub(crate) loadgen: PathBuf,
    /// The program that fills and dumps the database; empty for a suite that does without.
    pub(crate) seeder: PathBuf,
    /// The program that runs benchmarks under valgrind; empty for a suite of servers, and where it cannot be had.
    pub(crate) runner: PathBuf,
}

/// A binary to build, and what is built of it.
struct Build<'a> {
    package: &'a str,
    binary: &'a str,
    /// The program that is counted, if it is another one.
    counting: Option<&'a str>,
    timed: Option<PathBuf>,
    counted: Option<PathBuf>,
}

/// Builds the targets, each alone, and what else the suite needs; with `counted`, what counts.
pub(crate) fn build(entries: &[Entry], profile: &str, host: &Host, counted: bool, suite: &Suite) -> Result<Prepared> {
    let mut builds: Vec<Build<'_>> = Vec::new();
    for entry in entries {
        let Some(package) = entry.package.as_deref() else { continue };
        let binary = entry.binary.as_deref().unwrap_or(package);
        if !builds.iter().any(|build| build.binary == binary) {
            let counting = entry.counting.as_deref();
            builds.push(Build { package, binary, counting, timed: None, counted: None });
        }
    }
    let needs = &suite.needs;
    let has_runner = counted && builds.iter().any(|build| build.counting.is_some());
    let steps = builds.len() + [needs.loadgen, has_runner, needs.seeder].into_iter().filter(|needed| *needed).count();
    let (begun, mut done) = (Instant::now(), 0);
    let mut step = |what: &str, why: &str| {
        done += 1;
        say(&format!("[{done}/{steps}, {} s] Building {what}: {why}.", begun.elapsed().as_secs()));
    };
    let mut prepared = Prepared::default();
    if needs.loadgen {
        step("loadgen", "the load generator (profile release)");
        prepared.loadgen = Request::new("loadgen", "release").build()?;
    }
    if has_runner {
        step("gungraun-runner", "it runs benchmarks under valgrind");
        prepared.runner = runner();
    }
    for build in &mut builds {
        let what = if suite.kind == Kind::Servers { "a server under test" } else { "the benchmarks" };
        step(build.binary, &format!("{what} (profile {profile})"));
        build.make(profile, counted, needs.timed)?;
    }
    if needs.seeder {
        step("workload-seed", "it fills the database and reads it behind the servers' backs (profile release)");
        prepared.seeder = seeder(profile)?;
    }
    for entry in entries {
        let own =
            builds.iter().find(|build| Some(build.binary) == entry.binary.as_deref().or(entry.package.as_deref()));
        let (timed, counted) = own.map_or((None, None), |build| (build.timed.as_deref(), build.counted.as_deref()));
        let Some(binary) = timed.or(counted).map(Path::to_path_buf).or_else(|| found(entry)) else {
            bail!(
                "target {}: there is no program `{}`; install it, or correct its command in lab.toml",
                entry.name,
                entry.command.first().map_or("", String::as_str)
            );
        };
        let counting = timed.is_none() && counted.is_some();
        let artifact = build::describe_artifact(entry, &binary, profile, &host.rustc)?;
        prepared.artifacts.push(Artifact { counting, ..artifact });
        if let (Some(_), Some(counted)) = (timed, counted) {
            let artifact = build::describe_artifact(entry, counted, profile, &host.rustc)?;
            prepared.artifacts.push(Artifact { counting: true, ..artifact });
        }
        prepared.targets.push(entry.target(&entry.name, &binary, counted));
    }
    Ok(prepared)
}

/// The program that fills and dumps the database.
pub(crate) fn seeder(profile: &str) -> Result<PathBuf> {
    Request { binary: "workload-seed", features: &["database"], ..Request::new("workload", profile) }.build()
}

/// What would be measured, with nothing built: for a suite to say how long it would take.
pub(super) fn unbuilt(entries: &[Entry], counted: bool) -> Prepared {
    let nowhere = Path::new("/not/built");
    let unbuilt = |entry: &Entry| {
        let counting = (counted && entry.package.is_some()).then_some(nowhere);
        // Nothing is started of it, nor of a server that is there already.
        Target { command: Vec::new(), ..entry.target(&entry.name, nowhere, counting) }
    };
    Prepared {
        targets: entries.iter().map(unbuilt).collect(),
        artifacts: Vec::new(),
        loadgen: nowhere.to_path_buf(),
        seeder: nowhere.to_path_buf(),
        runner: nowhere.to_path_buf(),
    }
}

impl Build<'_> {
    fn make(&mut self, profile: &str, counted: bool, timed: bool) -> Result<()> {
        let request = Request { binary: self.binary, ..Request::new(self.package, profile) };
        self.counted = match self.counting {
            _ if !counted => None,
            Some(binary) => Some(Request { binary, ..request }.build()?),
            // First, so that the timed build is what lies where cargo puts it afterwards.
            None => Some(counting(self.package, profile)?),
        };
        if timed || self.counted.is_none() {
            self.timed = Some(request.build()?);
        }
        Ok(())
    }
}

/// The program of a server that is built elsewhere.
fn found(entry: &Entry) -> Option<PathBuf> {
    entry.command.first().and_then(build::find_program)
}

/// The program that runs benchmarks under valgrind, in the version of the library in the lock file; installed if it is not
/// there yet. Where it cannot be had the path is empty, and the suite measures times only and says so.
fn runner() -> PathBuf {
    if build::find_program("valgrind").is_none() {
        return PathBuf::new();
    }
    let version = probe::versions::locked(&["gungraun"]).remove("gungraun").unwrap_or_default();
    build::install("gungraun-runner", &version).unwrap_or_else(|error| {
        say(&format!("{error:#}"));
        PathBuf::new()
    })
}

/// Builds a target so that it counts its allocations, and returns a copy that the timed build does not replace. It knows its
/// lines, whatever the profile: a call site is of use by its line.
fn counting(package: &str, profile: &str) -> Result<PathBuf> {
    let binary = Request { features: &["count-allocations"], line_tables: true, ..Request::new(package, profile) };
    let binary = binary.build()?;
    let folder = layout::target_folder()?.join("lab").join("counting").join(profile);
    let kept = folder.join(package);
    fs::create_dir_all(&folder)
        // A copy under another name first: a program that still runs from the old one cannot be written over.
        .and_then(|()| fs::copy(&binary, kept.with_extension("draft")))
        .and_then(|_| fs::rename(kept.with_extension("draft"), &kept))
        .with_context(|| format!("{} cannot be kept as {}", binary.display(), kept.display()))?;
    Ok(kept)
}

pub(super) fn say(text: &str) {
    eprintln!("{text}");
}
