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
pub(super) struct Prepared {
    /// Ready to be started.
    pub(super) targets: Vec<Target>,
    /// The exact binaries.
    pub(super) artifacts: Vec<Artifact>,
    /// The load generator.
    pub(super) loadgen: PathBuf,
    /// The program that fills and dumps the database.
    pub(super) seeder: PathBuf,
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

/// Builds the load generator, the seeder and the targets, each alone.
pub(super) fn build(entries: &[Entry], profile: &str, host: &Host, counted: bool) -> Result<Prepared> {
    let mut packages: Vec<&str> = entries.iter().filter_map(|entry| entry.package.as_deref()).collect();
    packages.dedup();
    let steps = packages.len() + 2;
    let begun = Instant::now();
    let step = |number: usize, what: &str, why: &str| {
        say(&format!("[{number}/{steps}, {} s] Building {what}: {why}.", begun.elapsed().as_secs()));
    };
    step(1, "loadgen", "the load generator (profile release)");
    let loadgen = Request::new("loadgen", "release").build()?;
    let mut binaries = Vec::new();
    for (index, package) in packages.iter().enumerate() {
        step(index + 2, package, &format!("a server under test (profile {profile})"));
        // First, so that the timed build is what lies where cargo puts it afterwards.
        let counting = if counted { Some(counting(package, profile)?) } else { None };
        binaries.push((*package, Request::new(package, profile).build()?, counting));
    }
    step(steps, "workload-seed", "it fills the database and reads it behind the servers' backs (profile release)");
    let seeder =
        Request { binary: "workload-seed", features: &["database"], ..Request::new("workload", profile) }.build()?;
    let mut prepared = Prepared { targets: Vec::new(), artifacts: Vec::new(), loadgen, seeder };
    for entry in entries {
        let (binary, counting) = match &entry.package {
            Some(package) => binaries
                .iter()
                .find(|(name, ..)| name == package)
                .map_or((None, None), |(_, path, counting)| (Some(path.clone()), counting.as_deref())),
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
