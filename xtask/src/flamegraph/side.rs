//! From what was named on the command line to profiles: builds, has the suite take them, or reads what is there.

use std::{
    fs,
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::SystemTime,
};

use anyhow::{Context, Result, bail};
use harness::{
    build::{Artifact, Request},
    compare::{self, Side, Version, Wanted},
    host::Host,
    judge::{BASE, HEAD},
    layout, name,
    profile::{self, Folded},
    record::Record,
    run::{self, Ended},
    suite,
    target::{self, Entry},
};
use probe::suite::{Database, Depth, Family, Plan, Profiling, Target};

use super::{Flamegraph, Kind};
use crate::{
    bench,
    compare::{placed, takes_database},
};

/// The suites whose cases can be profiled, in the order in which a case is looked for.
const SUITES: &[&str] = &["engine", "techempower", "database"];

/// The folder of profiles within that of a flamegraph.
const PROFILES: &str = "profiles";

/// What a side was named by.
pub(super) enum Source {
    /// Something to start.
    Built(compare::Source),
    /// A file of folded stacks.
    File(PathBuf),
    /// The folder of an earlier flamegraph.
    Run(PathBuf),
}

impl Source {
    /// Finds out what `text` names.
    ///
    /// # Errors
    /// When it is nothing that can be profiled.
    pub(super) fn named(text: &str) -> Result<Self> {
        let path = Path::new(text);
        let of_a_run = layout::flamegraphs_folder()?.join(text);
        if let Some(run) = [path, &of_a_run].into_iter().find(|folder| folder.join(PROFILES).is_dir()) {
            return Ok(Self::Run(run.to_path_buf()));
        }
        match compare::Source::named(text) {
            Ok(compare::Source::Record(_)) => bail!("{text} is a record of figures and holds no profiles"),
            Ok(source) => Ok(Self::Built(source)),
            Err(_) if path.is_file() => Ok(Self::File(path.to_path_buf())),
            Err(error) => Err(error.context("it is neither folded stacks nor the folder of a flamegraph")),
        }
    }

    /// Whether it is to be started, and was not profiled before.
    pub(super) fn is_built(&self) -> bool {
        matches!(self, Self::Built(_))
    }

    fn label(&self) -> String {
        match self {
            Self::Built(source) => source.label(),
            Self::File(path) | Self::Run(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }
}

/// The profiles of a picture.
pub(super) struct Taken {
    pub(super) head: Vec<Folded>,
    pub(super) head_label: String,
    pub(super) base: Option<Vec<Folded>>,
    pub(super) base_label: String,
}

/// Two sides of which one at least was profiled before; `None` after Ctrl-C.
pub(super) fn old_and_new(
    command: &Flamegraph,
    kind: Kind,
    base: &Source,
    head: Option<&Source>,
    folder: &Path,
) -> Result<Option<Taken>> {
    let mut sides = Vec::new();
    for source in [Some(base), head] {
        let Some(taken) = take(command, kind, None, source, folder)? else { return Ok(None) };
        sides.push(taken);
    }
    let (Some(head), Some(base)) = (sides.pop(), sides.pop()) else { bail!("there are no two sides") };
    Ok(Some(Taken { base: Some(base.head), base_label: base.head_label, ..head }))
}

/// Profiles of the head, and of what it is compared with; `None` after Ctrl-C.
pub(super) fn take(
    command: &Flamegraph,
    kind: Kind,
    base: Option<&Source>,
    head: Option<&Source>,
    folder: &Path,
) -> Result<Option<Taken>> {
    let alone = |head, label: &Source| Taken { head, head_label: label.label(), base: None, base_label: String::new() };
    match head {
        Some(source @ Source::File(path)) => return Ok(Some(alone(vec![profile::read_file(path)?], source))),
        Some(source @ Source::Run(path)) => return Ok(Some(alone(of_a_run(command, kind, path)?, source))),
        _ => {}
    }
    let found = find_case(command)?;
    let host = Host::read();
    let Some(built) = build(command, kind, base, head, &host)? else { return Ok(None) };
    let profiles = folder.join(PROFILES);
    fs::create_dir_all(&profiles).with_context(|| format!("{} cannot be made", profiles.display()))?;
    let Some(record) = run(command, kind, &found, &built, &host, folder)? else { return Ok(None) };
    let of = |name: &str| -> Result<Vec<Folded>> {
        let mut all = Vec::new();
        for (unit, _) in kind.pictures() {
            all.extend(profile::read(&profiles, unit)?.into_iter().filter(|profile| profile.header.target == name));
        }
        if all.is_empty() {
            bail!("there is no profile of {name}: {}", reasons(&record).join("; "));
        }
        Ok(all)
    };
    let Some(((head_name, head_label), rest)) = built.sides.split_first() else { bail!("there is nothing to profile") };
    let (base, base_label) = match rest {
        [(name, label), ..] => (Some(of(name)?), label.clone()),
        [] => (None, String::new()),
    };
    Ok(Some(Taken { head: of(head_name)?, head_label: head_label.clone(), base, base_label }))
}

/// The profiles of an earlier flamegraph: of the head, where it had two sides.
fn of_a_run(command: &Flamegraph, kind: Kind, folder: &Path) -> Result<Vec<Folded>> {
    let mut all = Vec::new();
    for (unit, _) in kind.pictures() {
        all.extend(profile::read(&folder.join(PROFILES), unit)?);
    }
    let names = [command.target.clone(), format!("{}{HEAD}", command.target)];
    all.retain(|profile| names.contains(&profile.header.target));
    if all.is_empty() {
        bail!("{} holds no profile of {} of this kind", folder.display(), command.target);
    }
    Ok(all)
}

/// A case, and the suite that has it.
struct Found {
    suite: &'static str,
    program: PathBuf,
    case: String,
}

fn find_case(command: &Flamegraph) -> Result<Found> {
    let mut known = Vec::new();
    for suite in SUITES {
        let program = Request::new(&format!("suite-{suite}"), "light").build()?;
        for case in suite::cases(&program)? {
            if case.id == command.case || case.test == command.case {
                return Ok(Found { suite, program, case: case.id });
            }
            known.push(case.id);
        }
    }
    Err(name::Unknown::new("case", &command.case, known.iter().map(String::as_str)).into())
}

/// What is started.
struct Built {
    targets: Vec<Target>,
    artifacts: Vec<Artifact>,
    /// The names of the head and of what it is compared with, each with what it is called in pictures.
    sides: Vec<(String, String)>,
}

/// Builds all sides; `None` after Ctrl-C.
fn build(
    command: &Flamegraph,
    kind: Kind,
    base: Option<&Source>,
    head: Option<&Source>,
    host: &Host,
) -> Result<Option<Built>> {
    let lab = target::entries(&layout::workspace_root()?.join("lab.toml"))?;
    let mut wanted = vec![command.target.clone()];
    wanted.extend(command.against.clone());
    // In the order in which they were named.
    let entries: Vec<Entry> = wanted
        .iter()
        .map(|name| Ok(target::choose(&lab, std::slice::from_ref(name))?.remove(0)))
        .collect::<Result<_>>()?;
    let interrupted = bench::watch_for_interrupts()?;
    let source = |source: &Source| match source {
        Source::Built(source) => Ok(source.clone()),
        other => bail!("{} was profiled before", other.label()),
    };
    let head_source = match head {
        Some(head) => source(head)?,
        None => compare::Source::tree()?,
    };
    let mut built = Built { targets: Vec::new(), artifacts: Vec::new(), sides: Vec::new() };
    let mut sides = vec![(HEAD, "head", head_source)];
    if let Some(base) = base {
        sides.push((BASE, "base", source(base)?));
    }
    for (suffix, name, source) in sides {
        let mut side = Side::new(suffix, version(source, kind))?;
        let label = side.label();
        let wanted = Wanted { entries: &entries, profile: &command.profile, counted: false, stacks: true, host };
        let made = match side.build(&wanted, |step| eprintln!("{step}")) {
            Ok(made) => made,
            // A Ctrl-C during the build reaches cargo too, which fails then.
            Err(_) if interrupted.load(Ordering::Relaxed) => return Ok(None),
            Err(error) => return Err(error.context(format!("the {name} ({label}) does not build"))),
        };
        for target in made.targets {
            // One side alone is called by its target's name.
            let name = if base.is_some() { target.name.clone() } else { target.lane().to_owned() };
            let counting = if kind == Kind::Alloc { target.command.clone() } else { Vec::new() };
            built.sides.push((name.clone(), if base.is_some() { label.clone() } else { name.clone() }));
            built.targets.push(Target { name, counting, ..target });
        }
        built.artifacts.extend(made.artifacts);
    }
    Ok(Some(built))
}

/// A source as it is built to be profiled.
fn version(source: compare::Source, kind: Kind) -> Version {
    let features = if kind == Kind::Alloc { vec!["count-allocations"] } else { Vec::new() };
    Version { features, ..Version::from(source) }
}

/// Has the suite take the profiles; `None` after Ctrl-C.
fn run(
    command: &Flamegraph,
    kind: Kind,
    found: &Found,
    built: &Built,
    host: &Host,
    folder: &Path,
) -> Result<Option<Record>> {
    let profiling = Profiling { kind: command.profiled(kind)?, rate_hz: command.rate, folder: folder.join(PROFILES) };
    let scratch = bench::scratch_folder(folder, false)?;
    let family = if kind.is_counted() { Family::Counts } else { Family::Times };
    let has_database = takes_database(&found.case);
    let plan = Plan {
        folder: scratch.path().to_path_buf(),
        targets: built.targets.clone(),
        cases: vec![found.case.clone()],
        depth: Depth::Quick,
        connections: vec![64],
        rounds: command.rounds(kind),
        warmup_s: 0.5_f64.min(command.window_s()),
        duration_s: command.window_s(),
        open_duration_s: 0.0,
        open_shares: Vec::new(),
        database: Database::Sqlite,
        placement: placed(host, family)?,
        loadgen: Request::new("loadgen", "release").build()?,
        seeder: if has_database { bench::seeder(&command.profile)? } else { PathBuf::new() },
        runner: PathBuf::new(),
        // Profiles are taken in rounds, as times are.
        only: Some(Family::Times),
        profiling: Some(profiling),
        seed: 1,
    };
    let mut record =
        Record::begun(run::new_id(found.suite, SystemTime::now()), found.suite, host.clone(), plan.clone());
    record.profile.clone_from(&command.profile);
    record.artifacts.clone_from(&built.artifacts);
    record.repeat = crate::command_line();
    let interrupted = bench::watch_for_interrupts()?;
    let mut progress = bench::Progress::new(std::io::stderr().is_terminal());
    let ended = run::run(&mut record, folder, &found.program, &plan, &interrupted, |event| progress.on(event))?;
    progress.finish();
    drop(scratch);
    record.write(folder)?;
    for note in &record.notes {
        eprintln!("note: {note}");
    }
    match ended {
        Ended::Interrupted => Ok(None),
        _ if !reasons(&record).is_empty() => bail!("{}", reasons(&record).join("; ")),
        Ended::Broken => bail!("the suite {} broke off", found.suite),
        Ended::Complete => Ok(Some(record)),
    }
}

/// Why something was not profiled.
fn reasons(record: &Record) -> Vec<String> {
    let failed = record.failures.iter().map(|failure| {
        let tail = failure.stderr_tail.last().map(|line| format!(" (it said: {line})")).unwrap_or_default();
        format!("{}{tail}", failure.reason)
    });
    let wrong = record.verifications.iter().filter(|verification| !verification.problems.is_empty());
    failed
        .chain(wrong.map(|wrong| format!("target {} answers wrong: {}", wrong.target, wrong.problems.join(", "))))
        .collect()
}
