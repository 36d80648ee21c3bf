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
    compare::{self, Built, COUNTED, Comparison, Side, SideFacts, Source, TIMED, TIMED_AGAIN, Wanted},
    host::{self, Host},
    judge::{self, BASE, HEAD},
    layout, name, placement,
    record::Record,
    run::{self, Ended},
    suite,
    target::{self, Entry},
};
use probe::suite::{Database, Depth, Family, Placement, Plan, Target};

use crate::{bench, command_line};

/// The suite whose times are compared.
const TIMES: &str = "engine";

/// The suite whose counts are compared.
const COUNTS: &str = "engine";

/// Cases whose times are compared when none is named: one request at a time, and many.
const CASES: &[&str] = &["json", "plaintext-16-deep"];

/// Others may use so much of the CPUs before times say nothing.
const BUSY_MAX: f64 = 0.15;

/// The hypervisor may give so much away.
const STEAL_MAX: f64 = 0.05;

/// What to measure, and how long.
#[derive(Debug, Clone, Args)]
pub(crate) struct Measured {
    /// Compare only this target (repeatable).
    #[arg(long = "target", value_name = "NAME", default_value = "armature")]
    pub(crate) targets: Vec<String>,
    /// Compare only this test or case (repeatable) [counts: all; times: json and plaintext-16-deep].
    #[arg(long = "case", value_name = "NAME")]
    pub(crate) cases: Vec<String>,
    /// A lane that cannot have changed, measured beside the sides (repeatable; `none` for none).
    #[arg(long = "control", value_name = "NAME", default_value = "hyper")]
    pub(crate) controls: Vec<String>,
    /// Pairs of launches; fewer than 7 are no comparison.
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) pairs: u32,
    /// Seconds of each closed-loop window.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = bench::seconds)]
    pub(crate) duration: f64,
    /// Compare only times, or only counts.
    #[arg(long, value_name = "FAMILY", value_parser = bench::family)]
    pub(crate) only: Option<Family>,
    /// The profile that the servers are built with.
    #[arg(long, default_value = "lto-fat", value_parser = PossibleValuesParser::new(build::PROFILES))]
    pub(crate) profile: String,
    /// Seed of the order of launches.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The comparison's folder [target/lab/comparisons/ID].
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
    host: Host,
    interrupted: Arc<AtomicBool>,
    entries: Vec<Entry>,
    controls: Vec<Entry>,
    /// What the head may cost; none for a comparison that holds it to nothing but its base.
    budgets: Option<Budgets>,
}

/// The two sides, named.
pub(crate) struct Sides {
    pub(crate) base: Source,
    pub(crate) head: Source,
}

/// A side, built.
struct Lane {
    built: Built,
    facts: SideFacts,
}

/// One run of a suite to be made.
struct Batch<'a> {
    suite: &'a str,
    only: Family,
    cases: Vec<String>,
    /// Its folder within that of the comparison.
    name: &'a str,
    targets: Vec<Target>,
    artifacts: Vec<Artifact>,
}

impl Session {
    pub(crate) fn new(measured: &Measured, budgets: Option<Budgets>) -> Result<Self> {
        let interrupted = bench::watch_for_interrupts()?;
        let all = target::entries(&layout::workspace_root()?.join("lab.toml"))?;
        let controls: Vec<String> = measured.controls.iter().filter(|name| *name != "none").cloned().collect();
        let controls = if controls.is_empty() { Vec::new() } else { target::choose(&all, &controls)? };
        Ok(Self {
            entries: target::choose(&all, &measured.targets)?,
            controls,
            measured: measured.clone(),
            host: Host::read(),
            interrupted,
            budgets,
        })
    }

    /// Builds, measures and judges. What is not measured is said in the document's notes.
    pub(crate) fn compare(&self, sides: Sides) -> Result<Outcome> {
        let started = SystemTime::now();
        let id = run::new_id("compare", started);
        let folder = self.folder(&id)?;
        self.check_names()?;
        let Some(base) = self.build(BASE, sides.base)? else { return Ok(Outcome::Interrupted) };
        let Some(head) = self.build(HEAD, sides.head)? else { return Ok(Outcome::Interrupted) };
        let mut comparison = Comparison {
            schema: compare::SCHEMA,
            id,
            started: run::timestamp(started),
            finished: String::new(),
            repeat: command_line(),
            host: self.host.clone(),
            identical: compare::identical(&base.built, &head.built),
            base: base.facts.clone(),
            head: head.facts.clone(),
            judgement: None,
            notes: Vec::new(),
            runs: Vec::new(),
        };
        if !comparison.identical {
            if !self.measure(&base, &head, &folder, &mut comparison)? {
                eprintln!("Interrupted. What was measured is in {}", folder.display());
                return Ok(Outcome::Interrupted);
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
        let Some(Lane { built, .. }) = self.build(HEAD, source)? else { return Ok(None) };
        let batch = Batch {
            suite: COUNTS,
            only: Family::Counts,
            cases: self.measured.cases.clone(),
            name: "counts",
            targets: built.targets,
            artifacts: built.artifacts,
        };
        self.run(batch, &folder)
    }

    fn folder(&self, id: &str) -> Result<PathBuf> {
        let folder = match &self.measured.out {
            Some(folder) => folder.clone(),
            None => layout::comparisons_folder()?.join(id),
        };
        bench::make_folder(&folder)?;
        Ok(folder)
    }

    /// Refuses cases and budgets of what is not there before anything is built.
    fn check_names(&self) -> Result<()> {
        let mut known = Vec::new();
        for suite in BTreeSet::from([COUNTS, TIMES]) {
            known.extend(suite::cases(&program(suite)?)?);
        }
        for wanted in &self.measured.cases {
            if !known.iter().any(|case| case.id == *wanted || case.test == *wanted) {
                return Err(name::Unknown::new("case", wanted, known.iter().map(|case| case.id.as_str())).into());
            }
        }
        let Some(budgets) = &self.budgets else { return Ok(()) };
        let targets = target::entries(&layout::workspace_root()?.join("lab.toml"))?;
        budgets.check_names(&known, &targets.into_iter().map(|entry| entry.name).collect())
    }

    /// A side's binaries; `None` after Ctrl-C.
    fn build(&self, suffix: &'static str, source: Source) -> Result<Option<Lane>> {
        let wanted = Wanted {
            entries: &self.entries,
            profile: &self.measured.profile,
            counted: self.wants(Family::Counts),
            features: &[],
            host: &self.host,
        };
        let (label, commit) = (source.label(), source.commit().map(str::to_owned));
        match Side::new(suffix, source)?.build(&wanted, |step| eprintln!("{step}")) {
            Ok(built) => {
                let facts = SideFacts { label, commit, artifacts: built.artifacts.clone() };
                Ok(Some(Lane { built, facts }))
            }
            // A Ctrl-C during the build reaches cargo too, which fails then.
            Err(_) if self.interrupted.load(Ordering::Relaxed) => Ok(None),
            Err(error) => {
                Err(error.context(format!("the {} ({label}) does not build", suffix.trim_start_matches('@'))))
            }
        }
    }

    fn wants(&self, family: Family) -> bool {
        self.measured.only.is_none_or(|only| only == family)
    }

    /// Runs the suites, whose records stay in the comparison's folder; `false` after Ctrl-C.
    fn measure(&self, base: &Lane, head: &Lane, folder: &Path, comparison: &mut Comparison) -> Result<bool> {
        let sides = || base.built.targets.iter().zip(&head.built.targets);
        let targets: Vec<Target> = sides().flat_map(|(base, head)| [base.clone(), head.clone()]).collect();
        let artifacts = [base.facts.artifacts.clone(), head.facts.artifacts.clone()].concat();
        let batch = |suite, only, cases, name| Batch {
            suite,
            only,
            cases,
            name,
            targets: targets.clone(),
            artifacts: artifacts.clone(),
        };
        if self.wants(Family::Counts) {
            comparison.runs.push(COUNTED.to_owned());
            let cases = self.measured.cases.clone();
            if self.run(batch(COUNTS, Family::Counts, cases, COUNTED), folder)?.is_none() {
                return Ok(false);
            }
        }
        if !self.wants(Family::Times) {
            return Ok(true);
        }
        if let Some(why) = unfit(&self.host) {
            comparison.notes.push(format!("Times were not compared: {why}."));
            return Ok(true);
        }
        let timed = |cases, name| -> Result<Option<Record>> {
            let mut batch = batch(TIMES, Family::Times, cases, name);
            for entry in &self.controls {
                let control = compare::control(entry, &self.measured.profile, &self.host)?;
                batch.targets.extend(control.targets);
                batch.artifacts.extend(control.artifacts);
            }
            self.run(batch, folder)
        };
        let all = || CASES.iter().map(|&case| case.to_owned()).collect();
        let cases = if self.measured.cases.is_empty() { all() } else { self.measured.cases.clone() };
        comparison.runs.push(TIMED.to_owned());
        let Some(record) = timed(cases, TIMED)? else { return Ok(false) };
        if let Some(cases) = judge::suspects(&[&record]).get(TIMES) {
            eprintln!("Something has moved; a second batch of launches has to say the same.");
            comparison.runs.push(TIMED_AGAIN.to_owned());
            return Ok(timed(cases.iter().cloned().collect(), TIMED_AGAIN)?.is_some());
        }
        Ok(true)
    }

    /// Runs one suite; `None` after Ctrl-C.
    fn run(&self, batch: Batch<'_>, folder: &Path) -> Result<Option<Record>> {
        let folder = folder.join(batch.name);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let scratch = bench::scratch_folder(&folder, false)?;
        let plan = Plan {
            folder: scratch.path().to_path_buf(),
            targets: batch.targets,
            cases: batch.cases,
            depth: Depth::Quick,
            connections: vec![64],
            rounds: self.measured.pairs,
            warmup_s: 0.2_f64.min(self.measured.duration),
            duration_s: self.measured.duration,
            open_duration_s: self.measured.duration / 2.0,
            open_shares: vec![0.5],
            database: Database::Sqlite,
            placement: placed(&self.host, batch.only)?,
            loadgen: Request::new("loadgen", "release").build()?,
            seeder: PathBuf::new(),
            runner: PathBuf::new(),
            only: Some(batch.only),
            // Another order, and other choices, for a batch that is to be independent.
            seed: self.measured.seed + u64::from(batch.name == TIMED_AGAIN),
        };
        let id = run::new_id(batch.suite, SystemTime::now());
        let mut record = Record::begun(id, batch.suite, self.host.clone(), plan.clone());
        record.profile.clone_from(&self.measured.profile);
        record.artifacts = batch.artifacts;
        record.repeat = command_line();
        let mut progress = bench::Progress::new(std::io::stderr().is_terminal());
        let program = program(batch.suite)?;
        let ended = run::run(&mut record, &folder, &program, &plan, &self.interrupted, |event| progress.on(event))?;
        progress.finish();
        drop(scratch);
        record.write(&folder)?;
        Ok((ended != Ended::Interrupted).then_some(record))
    }
}

fn program(suite: &str) -> Result<PathBuf> {
    Request::new(&format!("suite-{suite}"), "light").build()
}

/// Where server and generator run. Counts can be taken on one CPU.
fn placed(host: &Host, only: Family) -> Result<Placement> {
    match placement::split(&host.cpus, false) {
        Err(_) if only == Family::Counts && !host.cpus.is_empty() => {
            Ok(Placement { server: host.cpus.clone(), generator: host.cpus.clone(), database: Vec::new() })
        }
        split => split,
    }
}

/// Why no times can be compared on this machine now.
fn unfit(host: &Host) -> Option<String> {
    if host.cpus.len() < 2 {
        return Some("there is one CPU, which server and load generator would share".to_owned());
    }
    let (busy, steal) = host::disturbance(Duration::from_secs(2));
    if steal > STEAL_MAX {
        return Some(format!("the hypervisor gives {:.0} % of the CPUs to others", steal * 100.0));
    }
    (busy > BUSY_MAX).then(|| {
        format!("something else uses {:.0} % of the CPUs; end it, or wait for it, and compare again", busy * 100.0)
    })
}
