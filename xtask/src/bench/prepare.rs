//! Builds what a run needs, saying what and why, and answers which suites, cases and targets there are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use harness::{
    build::{self, Artifact, Request},
    host::Host,
    layout, name, suite,
    target::Entry,
};
use probe::suite::{Depth, Target};

/// What a run starts from.
#[derive(Default)]
pub(super) struct Prepared {
    /// Ready to be started.
    pub(super) targets: Vec<Target>,
    /// The exact binaries.
    pub(super) artifacts: Vec<Artifact>,
    /// The load generator; empty for a suite of programs.
    pub(super) loadgen: PathBuf,
    /// The program that fills and dumps the database; empty for a suite of programs.
    pub(super) seeder: PathBuf,
    /// The program that runs benchmarks under valgrind; empty for a suite of servers, and where it cannot be had.
    pub(super) runner: PathBuf,
}

/// Builds the suite of that name and returns its program.
pub(super) fn suite(wanted: &str) -> Result<PathBuf> {
    let known = suites()?;
    if !known.iter().any(|name| name == wanted) {
        return Err(name::Unknown::new("suite", wanted, known.iter().map(String::as_str)).into());
    }
    say(&format!("Building the suite {wanted}: it decides what is sent and checks the answers (profile light)."));
    Request::new(&format!("suite-{wanted}"), "light").build()
}

/// The suites: the packages below suites/.
fn suites() -> Result<Vec<String>> {
    let folder = layout::workspace_root()?.join("suites");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// Whether the suite counts anything in the cases that are wanted, which are all if none is named.
pub(super) fn is_counted(program: &Path, wanted: &[String]) -> Result<bool> {
    let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted.split('@').next() == Some(name));
    let cases = suite::cases(program)?;
    Ok(cases.iter().any(|case| case.counted && (wanted.is_empty() || is_wanted(&case.id) || is_wanted(&case.test))))
}

/// Refuses a case that the suite does not know.
pub(super) fn check_cases(program: &Path, wanted: &[String]) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let cases = suite::cases(program)?;
    let mut known: Vec<&str> = cases.iter().flat_map(|case| [case.test.as_str(), case.id.as_str()]).collect();
    known.sort_unstable();
    known.dedup();
    for wanted in wanted {
        // A concurrency level may follow the id.
        let id = wanted.split('@').next().unwrap_or(wanted);
        if !known.contains(&id) {
            return Err(name::Unknown::new("case", wanted, known).into());
        }
    }
    Ok(())
}

/// Prints what could be measured.
pub(super) fn print_list(program: &Path, entries: &[Entry]) -> Result<ExitCode> {
    println!("Cases (--case takes a test or a case):");
    for case in suite::cases(program)? {
        let when = match case.depth {
            Depth::Quick => "--quick and longer",
            Depth::Default => "by default",
            Depth::Full => "--full",
            Depth::Named => "only when named",
        };
        println!("  {:<22} {:<16} {} ({when})", case.id, case.test, case.title);
    }
    println!("Targets:");
    for entry in entries {
        let role = format!("{:?}", entry.role).to_lowercase();
        let serves = if entry.serves.is_empty() { "all tests".to_owned() } else { entry.serves.join(", ") };
        let when = if entry.default { "" } else { " (only when named)" };
        println!("  {:<22} {role:<16} {serves}{when}", entry.name);
    }
    Ok(ExitCode::SUCCESS)
}

/// How a suite meets its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As servers, behind sockets.
    Servers,
    /// As programs of benchmarks, which its own lab.toml lists.
    Programs,
}

/// How the suite of that name meets its targets.
pub(super) fn kind(suite: &str) -> Result<Kind> {
    let is_shared = layout::lab_of(suite)? == layout::workspace_root()?.join("lab.toml");
    Ok(if is_shared { Kind::Servers } else { Kind::Programs })
}

/// A binary to build, and what is built of it.
struct Build<'a> {
    package: &'a str,
    binary: &'a str,
    /// The program that is counted, if it is another one.
    counting: Option<&'a str>,
    timed: PathBuf,
    counted: Option<PathBuf>,
}

/// Builds the targets, each alone, and what else the suite needs.
pub(super) fn build(entries: &[Entry], profile: &str, host: &Host, counted: bool, kind: Kind) -> Result<Prepared> {
    let mut builds: Vec<Build<'_>> = Vec::new();
    for entry in entries {
        let Some(package) = entry.package.as_deref() else { continue };
        let binary = entry.binary.as_deref().unwrap_or(package);
        if !builds.iter().any(|build| build.binary == binary) {
            let counting = entry.counting.as_deref();
            builds.push(Build { package, binary, counting, timed: PathBuf::new(), counted: None });
        }
    }
    let steps = builds.len() + 2;
    let begun = Instant::now();
    let step = |number: usize, what: &str, why: &str| {
        say(&format!("[{number}/{steps}, {} s] Building {what}: {why}.", begun.elapsed().as_secs()));
    };
    let mut prepared = Prepared::default();
    if kind == Kind::Servers {
        step(1, "loadgen", "the load generator (profile release)");
        prepared.loadgen = Request::new("loadgen", "release").build()?;
    } else if counted && builds.iter().any(|build| build.counting.is_some()) {
        step(1, "gungraun-runner", "it runs benchmarks under valgrind");
        prepared.runner = runner();
    }
    for (index, build) in builds.iter_mut().enumerate() {
        let what = if kind == Kind::Servers { "a server under test" } else { "the benchmarks" };
        step(index + 2, build.binary, &format!("{what} (profile {profile})"));
        let request = Request { binary: build.binary, ..Request::new(build.package, profile) };
        build.counted = match build.counting {
            _ if !counted => None,
            Some(binary) => Some(Request { binary, ..request }.build()?),
            // First, so that the timed build is what lies where cargo puts it afterwards.
            None => Some(counting(build.package, profile)?),
        };
        build.timed = request.build()?;
    }
    if kind == Kind::Servers {
        step(steps, "workload-seed", "it fills the database and reads it behind the servers' backs (profile release)");
        let seeder = Request { binary: "workload-seed", features: &["database"], ..Request::new("workload", profile) };
        prepared.seeder = seeder.build()?;
    }
    for entry in entries {
        let build =
            builds.iter().find(|build| Some(build.binary) == entry.binary.as_deref().or(entry.package.as_deref()));
        let (binary, counting) = match build {
            Some(build) => (Some(build.timed.clone()), build.counted.as_deref()),
            None => (entry.command.first().and_then(build::find_program), None),
        };
        let Some(binary) = binary else {
            bail!(
                "target {}: there is no program `{}`; install it, or correct its command in lab.toml",
                entry.name,
                entry.command.first().map_or("", String::as_str)
            );
        };
        prepared.artifacts.push(build::describe_artifact(entry, &binary, profile, &host.rustc)?);
        prepared.targets.push(target(entry, &binary, counting));
    }
    Ok(prepared)
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

fn target(entry: &Entry, binary: &Path, counting: Option<&Path>) -> Target {
    let ours = entry.package.is_some();
    let started = |binary: &Path| {
        let mut command = vec![binary.to_string_lossy().into_owned()];
        command.extend(entry.arguments.iter().cloned());
        command
    };
    Target {
        name: entry.name.clone(),
        role: entry.role,
        command: if ours { started(binary) } else { entry.command.clone() },
        counting: counting.map(started).unwrap_or_default(),
        serves: entry.serves.clone(),
        control: ours || entry.control,
        port: entry.port,
    }
}

/// Builds a target so that it counts its allocations, and returns a copy that the timed build does not replace.
fn counting(package: &str, profile: &str) -> Result<PathBuf> {
    let binary = Request { features: &["count-allocations"], ..Request::new(package, profile) }.build()?;
    let folder = layout::target_folder()?.join("lab").join("counting").join(profile);
    let kept = folder.join(package);
    fs::create_dir_all(&folder)
        // A copy under another name first: a program that still runs from the old one cannot be written over.
        .and_then(|()| fs::copy(&binary, kept.with_extension("draft")))
        .and_then(|_| fs::rename(kept.with_extension("draft"), &kept))
        .with_context(|| format!("{} cannot be kept as {}", binary.display(), kept.display()))?;
    Ok(kept)
}

fn say(text: &str) {
    eprintln!("{text}");
}
