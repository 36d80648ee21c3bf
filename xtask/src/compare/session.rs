//! One comparison from its sources to its document: builds both sides, runs the suites, has them judged.
//!
//! Used by `compare`, `gate` and `prove-gate`, which differ in what they name and in what they make of the outcome.

use std::{
    collections::BTreeSet,
    fs,
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use clap::{Args, builder::PossibleValuesParser};
use harness::{
    budget::Budgets,
    build::{self, Artifact, Request},
    compare::{self, AGAIN, Built, Comparison, Side, SideFacts, Source, Version, Wanted},
    doctor,
    host::Host,
    judge::{self, BASE, HEAD, History, Judgement},
    layout, name, placement,
    record::Record,
    run::{self, Ended},
    suite,
    target::{self, Entry},
};
use probe::suite::{Database, Depth, Family, Placement, Plan, Target};

use crate::{bench, command_line, history};

/// One run of a suite within a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Its folder within that of the comparison.
    pub(crate) folder: &'static str,
    suite: &'static str,
    only: Family,
    /// What is run when no case is named; all that a quick run has if there is none here either.
    cases: &'static [&'static str],
}

impl Part {
    pub(crate) fn only(self) -> Family {
        self.only
    }
}

/// What a request costs.
///
/// Routes without a database: what one costs with it depends on the database's own tables, and is counted when it is named.
pub(crate) const COUNTS: Part = Part {
    folder: "counts",
    suite: "allocation",
    only: Family::Counts,
    cases: &["plaintext", "json", "health", "users", "echo", "download"],
};

/// What a request leaves behind.
pub(crate) const LEAKS: Part =
    Part { folder: "leaks", suite: "memory-leak", only: Family::Counts, cases: &["keep-alive"] };

/// How long a request takes: one at a time, and many.
pub(crate) const TIMES: Part =
    Part { folder: "times", suite: "engine", only: Family::Times, cases: &["json", "plaintext-16-deep"] };

/// How long destructors take.
pub(crate) const DROPS: Part = Part {
    folder: "drops",
    suite: "drop-timing",
    only: Family::Times,
    cases: &["own-request", "own-response", "own-body"],
};

/// What the cases that take a database are called by.
const DATABASE: &[&str] = &["db", "queries", "fortunes", "updates", "cached"];

/// What a comparison measures unless told otherwise.
pub(crate) const PARTS: &[Part] = &[COUNTS, LEAKS, TIMES];

/// How long the doctor looks at the machine before times are taken.
const DOCTOR_WINDOW: Duration = Duration::from_secs(2);

/// What to compare, and whether times, counts or both.
#[derive(Debug, Clone, Args)]
pub(crate) struct Measured {
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Compare only times, or only counts.
    #[arg(long, value_name = "FAMILY", value_parser = bench::family)]
    pub(crate) only: Option<Family>,
    /// Take times although `cargo xtask doctor` finds that they would mislead here.
    #[arg(long)]
    pub(crate) anyway: bool,
    #[command(flatten)]
    pub(crate) pairing: Pairing,
    #[command(flatten)]
    pub(crate) kept: Kept,
}

/// Which targets in which cases.
#[derive(Debug, Clone, Args)]
pub(crate) struct Choice {
    /// Compare only this target (repeatable).
    #[arg(long = "target", value_name = "NAME", default_value = "armature")]
    pub(crate) targets: Vec<String>,
    /// Compare only this test or case (repeatable) [counts: routes without a database; times: json and plaintext-16-deep].
    #[arg(long = "case", value_name = "NAME")]
    pub(crate) cases: Vec<String>,
}

/// How times are taken.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Pairing {
    /// A lane that cannot have changed, measured beside the sides (repeatable; `none` for none).
    #[arg(long = "control", value_name = "NAME", default_value = "hyper")]
    pub(crate) controls: Vec<String>,
    /// Pairs of launches; fewer than 7 are no comparison.
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) pairs: u32,
    /// Seconds of each launch in a closed loop, and as many in an open one; the sides take turns in them.
    #[arg(long, value_name = "SECONDS", default_value = "0.6", value_parser = bench::seconds)]
    pub(crate) duration: f64,
    /// Seed of the order of launches.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

impl Default for Pairing {
    /// As the command line has it.
    fn default() -> Self {
        Self { controls: vec!["hyper".to_owned()], pairs: 14, duration: 0.6, seed: 1 }
    }
}

/// How it is built, and where it is kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct Kept {
    /// The profile that the servers are built with.
    #[arg(long, default_value = "lto-fat", value_parser = PossibleValuesParser::new(build::PROFILES))]
    pub(crate) profile: String,
    /// The folder of what is measured [a new one below target/lab].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

/// How a comparison ended.
pub(crate) enum Outcome {
    /// With a document, which is also in the folder.
    Judged(Box<Comparison>, PathBuf),
    /// By the user.
    Interrupted,
}

/// What stays the same while comparisons are made.
pub(crate) struct Session {
    measured: Measured,
    parts: Vec<Part>,
    host: Host,
    interrupted: Arc<AtomicBool>,
    /// What the head may cost; none for a comparison that holds it to nothing but its base.
    budgets: Option<Budgets>,
    /// Whether counts may wander as far as they always have on this machine.
    has_history: bool,
}

/// Both sides of one part, built.
struct Sides {
    base: Built,
    head: Built,
}

impl Session {
    /// A session that measures `parts`, as far as the command line wants them.
    ///
    /// # Errors
    /// When a case, a target or a budget is of what is not there.
    pub(crate) fn new(measured: &Measured, parts: &[Part], budgets: Option<Budgets>) -> Result<Self> {
        let wanted = |part: &&Part| measured.only.is_none_or(|only| only == part.only);
        let session = Self {
            measured: measured.clone(),
            parts: parts.iter().filter(wanted).copied().collect(),
            host: Host::read(),
            interrupted: bench::watch_for_interrupts()?,
            budgets,
            has_history: false,
        };
        session.check_names()?;
        Ok(session)
    }

    /// Judges counts beside those of earlier commits.
    pub(crate) fn with_history(self) -> Self {
        Self { has_history: true, ..self }
    }

    /// Builds, measures and judges. What is not measured is said in the document's notes.
    pub(crate) fn compare(&self, base: Version, head: Version) -> Result<Outcome> {
        let started = SystemTime::now();
        let id = run::new_id("compare", started);
        let folder = self.folder(&id)?;
        let facts = |version: &Version| SideFacts {
            label: version.source.label(),
            commit: version.source.commit().map(str::to_owned),
            clean: version.is_clean(),
            artifacts: Vec::new(),
        };
        let mut comparison = Comparison {
            schema: compare::SCHEMA,
            id,
            started: run::timestamp(started),
            finished: String::new(),
            repeat: command_line(),
            host: self.host.clone(),
            identical: false,
            earlier: Vec::new(),
            base: facts(&base),
            head: facts(&head),
            judgement: None,
            notes: Vec::new(),
            runs: Vec::new(),
        };
        let Some(sides) = self.build(base, head)? else { return Ok(Outcome::Interrupted) };
        for sides in &sides {
            for (facts, built) in [(&mut comparison.base, &sides.base), (&mut comparison.head, &sides.head)] {
                facts.artifacts.extend(built.artifacts.iter().cloned());
                facts.artifacts.dedup();
            }
        }
        comparison.identical = sides.iter().all(|sides| compare::identical(&sides.base, &sides.head));
        if !comparison.identical {
            if !self.measure(&sides, &folder, &mut comparison)? {
                eprintln!("Interrupted. What was measured is in {}", folder.display());
                return Ok(Outcome::Interrupted);
            }
            if self.has_history {
                let counted = self.parts.iter().filter(|part| part.only == Family::Counts);
                let suites: Vec<&str> = counted.map(|part| part.suite).collect();
                let head = comparison.head.commit.as_deref().unwrap_or_default();
                comparison.earlier = history::earlier(&self.host, &suites, &self.measured.kept.profile, head);
            }
            comparison.judge(&folder, self.budgets.as_ref())?;
        }
        comparison.finished = run::timestamp(SystemTime::now());
        comparison.write(&folder)?;
        Ok(Outcome::Judged(Box::new(comparison), folder))
    }

    /// The counts of one source alone, for its budgets; `None` after Ctrl-C.
    pub(crate) fn count(&self, source: Source) -> Result<Option<Record>> {
        let folder = self.folder(&run::new_id("bless", SystemTime::now()))?;
        let mut side = Side::new(HEAD, source.into())?;
        let entries = self.entries(COUNTS.suite)?;
        let Some(built) = self.build_side(&mut side, "head", &entries, true)? else { return Ok(None) };
        let cases = self.cases(COUNTS)?;
        self.run(COUNTS, COUNTS.folder, cases, built.targets, built.artifacts, &folder)
    }

    /// One source on both sides of a part, whose difference is noise; `None` after Ctrl-C.
    pub(crate) fn alike(&self, part: Part, source: Source) -> Result<Option<Judgement>> {
        let folder = self.folder(&run::new_id("noise", SystemTime::now()))?;
        let Some(sides) = self.build(source.clone().into(), source.into())? else { return Ok(None) };
        let record = self.run_part(part, part.folder, self.cases(part)?, &sides[0], &folder)?;
        Ok(record.map(|record| judge::side_by_side(&[&record], &[], &History::new())))
    }

    fn folder(&self, id: &str) -> Result<PathBuf> {
        let folder = match &self.measured.kept.out {
            Some(folder) => folder.clone(),
            None => layout::comparisons_folder()?.join(id),
        };
        bench::make_folder(&folder)?;
        Ok(folder)
    }

    fn entries(&self, suite: &str) -> Result<Vec<Entry>> {
        target::choose(&target::entries(&layout::lab_of(suite)?)?, &self.measured.choice.targets)
    }

    /// Refuses cases and budgets of what is not there before anything is built.
    fn check_names(&self) -> Result<()> {
        let (mut known, mut targets) = (Vec::new(), BTreeSet::new());
        for suite in self.parts.iter().map(|part| part.suite).collect::<BTreeSet<_>>() {
            known.extend(suite::cases(&program(suite)?)?);
            targets.extend(target::entries(&layout::lab_of(suite)?)?.into_iter().map(|entry| entry.name));
        }
        for wanted in &self.measured.choice.cases {
            if !known.iter().any(|case| case.id == *wanted || case.test == *wanted) {
                return Err(name::Unknown::new("case", wanted, known.iter().map(|case| case.id.as_str())).into());
            }
        }
        self.budgets.as_ref().map_or(Ok(()), |budgets| budgets.check_names(&known, &targets))
    }

    /// The sides of each part; `None` after Ctrl-C.
    fn build(&self, base: Version, head: Version) -> Result<Option<Vec<Sides>>> {
        let (mut one, mut other) = (Side::new(BASE, base)?, Side::new(HEAD, head)?);
        let mut built = Vec::new();
        for part in &self.parts {
            let entries = self.entries(part.suite)?;
            let counted = part.only == Family::Counts;
            let Some(base) = self.build_side(&mut one, "base", &entries, counted)? else { return Ok(None) };
            let Some(head) = self.build_side(&mut other, "head", &entries, counted)? else { return Ok(None) };
            built.push(Sides { base, head });
        }
        Ok(Some(built))
    }

    fn build_side(&self, side: &mut Side, name: &str, entries: &[Entry], counted: bool) -> Result<Option<Built>> {
        let wanted = Wanted { entries, profile: &self.measured.kept.profile, counted, stacks: false, host: &self.host };
        match side.build(&wanted, |step| eprintln!("{step}")) {
            Ok(built) => Ok(Some(built)),
            // A Ctrl-C during the build reaches cargo too, which fails then.
            Err(_) if self.interrupted.load(Ordering::Relaxed) => Ok(None),
            Err(error) => Err(error.context(format!("the {name} ({}) does not build", side.label()))),
        }
    }

    /// Runs the parts, whose records stay in the comparison's folder; `false` after Ctrl-C.
    fn measure(&self, sides: &[Sides], folder: &Path, comparison: &mut Comparison) -> Result<bool> {
        let mut timed = true;
        for (part, sides) in self.parts.iter().zip(sides) {
            if compare::identical(&sides.base, &sides.head) {
                comparison.notes.push(format!("The programs of the suite {} are the same on both sides.", part.suite));
                continue;
            }
            if part.only == Family::Times
                && timed
                && !self.measured.anyway
                && let Some(why) = unfit()?
            {
                comparison.notes.push(format!("Times were not compared: {why}."));
                timed = false;
            }
            if part.only == Family::Times && !timed {
                continue;
            }
            let Some(record) = self.run_part(*part, part.folder, self.cases(*part)?, sides, folder)? else {
                return Ok(false);
            };
            comparison.runs.push(part.folder.to_owned());
            let Some(suspects) = judge::suspects(&[&record]).remove(part.suite) else { continue };
            eprintln!("Something has moved; a second batch of launches has to say the same.");
            let again = format!("{}{AGAIN}", part.folder);
            if self.run_part(*part, &again, suspects.into_iter().collect(), sides, folder)?.is_none() {
                return Ok(false);
            }
            comparison.runs.push(again);
        }
        Ok(true)
    }

    /// The cases of a part: those that were named, as far as its suite has them.
    fn cases(&self, part: Part) -> Result<Vec<String>> {
        let known = suite::cases(&program(part.suite)?)?;
        let has = |name: &&String| known.iter().any(|case| case.id == **name || case.test == **name);
        let named: Vec<String> = self.measured.choice.cases.iter().filter(has).cloned().collect();
        Ok(if named.is_empty() { part.cases.iter().map(|&case| case.to_owned()).collect() } else { named })
    }

    /// Runs one suite on both sides, with its controls; `None` after Ctrl-C.
    fn run_part(
        &self,
        part: Part,
        name: &str,
        cases: Vec<String>,
        sides: &Sides,
        folder: &Path,
    ) -> Result<Option<Record>> {
        let pairs = sides.base.targets.iter().zip(&sides.head.targets);
        let mut targets: Vec<Target> = pairs.flat_map(|(base, head)| [base.clone(), head.clone()]).collect();
        let mut artifacts = [sides.base.artifacts.clone(), sides.head.artifacts.clone()].concat();
        let lab = target::entries(&layout::lab_of(part.suite)?)?;
        for name in self.measured.pairing.controls.iter().filter(|name| part.only == Family::Times && *name != "none") {
            // A suite of programs has other controls than those of servers.
            let Some(entry) = lab.iter().find(|entry| entry.name == *name) else { continue };
            let control = compare::control(entry, &self.measured.kept.profile, &self.host)?;
            targets.extend(control.targets);
            artifacts.extend(control.artifacts);
        }
        self.run(part, name, cases, targets, artifacts, folder)
    }

    fn run(
        &self,
        part: Part,
        name: &str,
        cases: Vec<String>,
        targets: Vec<Target>,
        artifacts: Vec<Artifact>,
        folder: &Path,
    ) -> Result<Option<Record>> {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let scratch = bench::scratch_folder(&folder, false)?;
        let seeder = if cases.iter().any(|case| takes_database(case)) {
            bench::seeder(&self.measured.kept.profile)?
        } else {
            PathBuf::new()
        };
        let plan = Plan {
            folder: scratch.path().to_path_buf(),
            targets,
            cases,
            depth: Depth::Quick,
            connections: vec![64],
            rounds: if part.only == Family::Times { self.measured.pairing.pairs } else { 1 },
            warmup_s: 0.2_f64.min(self.measured.pairing.duration),
            duration_s: self.measured.pairing.duration,
            open_duration_s: self.measured.pairing.duration,
            open_shares: vec![0.5],
            database: Database::Sqlite,
            placement: placed(&self.host, part.only)?,
            loadgen: Request::new("loadgen", "release").build()?,
            seeder,
            runner: PathBuf::new(),
            profiling: None,
            only: Some(part.only),
            // Another order, and other choices, for a batch that is to be independent.
            seed: self.measured.pairing.seed + u64::from(name.ends_with(AGAIN)),
        };
        let id = run::new_id(part.suite, SystemTime::now());
        let mut record = Record::begun(id, part.suite, self.host.clone(), plan.clone());
        record.profile.clone_from(&self.measured.kept.profile);
        record.artifacts = artifacts;
        record.repeat = command_line();
        eprintln!("Measuring {name}:");
        let mut progress = bench::Progress::new(std::io::stderr().is_terminal());
        let program = program(part.suite)?;
        let ended = run::run(&mut record, &folder, &program, &plan, &self.interrupted, |event| progress.on(event))?;
        progress.finish();
        drop(scratch);
        record.write(&folder)?;
        Ok((ended != Ended::Interrupted).then_some(record))
    }
}

/// Whether a case takes a database.
pub(crate) fn takes_database(case: &str) -> bool {
    DATABASE.iter().any(|family| case.starts_with(family))
}

fn program(suite: &str) -> Result<PathBuf> {
    Request::new(&format!("suite-{suite}"), "light").build()
}

/// Where server and generator run. Counts can be taken on one CPU.
pub(crate) fn placed(host: &Host, only: Family) -> Result<Placement> {
    match placement::split(&host.cpus, false) {
        Err(_) if only == Family::Counts && !host.cpus.is_empty() => {
            Ok(Placement { server: host.cpus.clone(), generator: host.cpus.clone(), database: Vec::new() })
        }
        split => split,
    }
}

/// Why no times can be compared on this machine now.
pub(crate) fn unfit() -> Result<Option<String>> {
    let findings = doctor::findings(&doctor::Readings::take(&layout::target_folder()?, DOCTOR_WINDOW));
    let problems = findings.iter().filter(|finding| finding.level == doctor::Level::Problem);
    let told: Vec<String> = problems.map(|finding| format!("{}: {}", finding.subject, finding.reading)).collect();
    Ok((!told.is_empty()).then(|| format!("{} (`cargo xtask doctor` tells more)", told.join("; "))))
}
