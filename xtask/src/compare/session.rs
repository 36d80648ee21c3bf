//! One comparison from its sources to its document: builds both sides, runs the suites, has them judged.
//!
//! Used by `compare`, `gate` and `prove-gate`, which differ in what they name and in what they make of the outcome.

use std::{
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
    build::{self, Request},
    compare::{self, Built, Comparison, Side, SideFacts, Source, Wanted},
    host::{self, Host},
    judge::{self, BASE, HEAD, History, Judgement},
    layout, placement,
    record::Record,
    run::{self, Ended},
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
}

/// The two sides, named.
pub(crate) struct Sides {
    pub(crate) base: Source,
    pub(crate) head: Source,
}

impl Session {
    pub(crate) fn new(measured: &Measured) -> Result<Self> {
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
        })
    }

    /// Builds, measures and judges. What is not measured is said in the document's notes.
    pub(crate) fn compare(&self, sides: Sides) -> Result<Outcome> {
        let started = SystemTime::now();
        let id = run::new_id("compare", started);
        let folder = match &self.measured.out {
            Some(folder) => folder.clone(),
            None => layout::comparisons_folder()?.join(&id),
        };
        bench::make_folder(&folder)?;
        let [base, head] = match self.build(sides)? {
            Some(sides) => sides,
            None => return Ok(Outcome::Interrupted),
        };
        let mut comparison = Comparison {
            schema: compare::SCHEMA,
            id,
            started: run::timestamp(started),
            finished: String::new(),
            repeat: command_line(),
            host: self.host.clone(),
            base: base.1,
            head: head.1,
            identical: compare::identical(&base.0, &head.0),
            judgement: None,
            notes: Vec::new(),
            runs: Vec::new(),
        };
        if !comparison.identical {
            let Some(judgement) = self.measure(&base.0, &head.0, &folder, &mut comparison)? else {
                eprintln!("Interrupted. What was measured is in {}", folder.display());
                return Ok(Outcome::Interrupted);
            };
            comparison.judgement = Some(judgement);
        }
        comparison.finished = run::timestamp(SystemTime::now());
        comparison.write(&folder)?;
        Ok(Outcome::Judged(Box::new(comparison), folder))
    }

    /// Both sides' binaries; `None` after Ctrl-C.
    fn build(&self, sides: Sides) -> Result<Option<[(Built, SideFacts); 2]>> {
        let wanted = Wanted {
            entries: &self.entries,
            profile: &self.measured.profile,
            counted: self.wants(Family::Counts),
            features: &[],
            host: &self.host,
        };
        let build = |suffix: &'static str, source: Source| -> Result<Option<(Built, SideFacts)>> {
            let (label, commit) = (source.label(), source.commit().map(str::to_owned));
            let built = Side::new(suffix, source)?.build(&wanted, |step| eprintln!("{step}"));
            match built {
                Ok(built) => {
                    let facts = SideFacts { label, commit, artifacts: built.artifacts.clone() };
                    Ok(Some((built, facts)))
                }
                // A Ctrl-C during the build reaches cargo too, which fails then.
                Err(_) if self.interrupted.load(Ordering::Relaxed) => Ok(None),
                Err(error) => {
                    Err(error.context(format!("the {} ({label}) does not build", suffix.trim_start_matches('@'))))
                }
            }
        };
        let Some(base) = build(BASE, sides.base)? else { return Ok(None) };
        let Some(head) = build(HEAD, sides.head)? else { return Ok(None) };
        Ok(Some([base, head]))
    }

    fn wants(&self, family: Family) -> bool {
        self.measured.only.is_none_or(|only| only == family)
    }

    /// Runs the suites and judges them; `None` after Ctrl-C.
    fn measure(
        &self,
        base: &Built,
        head: &Built,
        folder: &Path,
        comparison: &mut Comparison,
    ) -> Result<Option<Judgement>> {
        let mut first = Vec::new();
        if self.wants(Family::Counts) {
            let cases = self.measured.cases.clone();
            let Some(record) = self.suite(COUNTS, Family::Counts, cases, base, head, folder, "counts", comparison)?
            else {
                return Ok(None);
            };
            first.push(record);
        }
        let mut second = Vec::new();
        if self.wants(Family::Times) {
            if let Some(why) = unfit(&self.host) {
                comparison.notes.push(format!("Times were not compared: {why}."));
            } else {
                let named = !self.measured.cases.is_empty();
                let cases = if named {
                    self.measured.cases.clone()
                } else {
                    CASES.iter().map(|&case| case.to_owned()).collect()
                };
                let run = |cases, name, comparison: &mut Comparison| {
                    self.suite(TIMES, Family::Times, cases, base, head, folder, name, comparison)
                };
                let Some(record) = run(cases, "times", comparison)? else { return Ok(None) };
                let suspects = judge::suspects(&[&record]);
                first.push(record);
                if let Some(cases) = suspects.get(TIMES) {
                    eprintln!("Something has moved; a second batch of launches has to say the same.");
                    let cases = cases.iter().cloned().collect();
                    let Some(record) = run(cases, "times-again", comparison)? else { return Ok(None) };
                    second.push(record);
                }
            }
        }
        let (first, second): (Vec<&Record>, Vec<&Record>) = (first.iter().collect(), second.iter().collect());
        Ok(Some(judge::side_by_side(&first, &second, &History::new())))
    }

    /// Runs one suite on both sides; its record stays in the comparison's folder. `None` after Ctrl-C.
    #[expect(clippy::too_many_arguments, reason = "a run is made of just these")]
    fn suite(
        &self,
        suite: &str,
        only: Family,
        cases: Vec<String>,
        base: &Built,
        head: &Built,
        folder: &Path,
        name: &str,
        comparison: &mut Comparison,
    ) -> Result<Option<Record>> {
        let program = Request::new(&format!("suite-{suite}"), "light").build()?;
        let mut targets: Vec<Target> =
            base.targets.iter().zip(&head.targets).flat_map(|(base, head)| [base.clone(), head.clone()]).collect();
        let mut artifacts = [base.artifacts.clone(), head.artifacts.clone()].concat();
        if only == Family::Times {
            for entry in &self.controls {
                let control = compare::control(entry, &self.measured.profile, &self.host)?;
                targets.extend(control.targets);
                artifacts.extend(control.artifacts);
            }
        }
        let folder = folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let scratch = bench::scratch_folder(&folder, false)?;
        let plan = Plan {
            folder: scratch.path().to_path_buf(),
            targets,
            cases,
            depth: Depth::Quick,
            connections: vec![64],
            rounds: self.measured.pairs,
            warmup_s: 0.2_f64.min(self.measured.duration),
            duration_s: self.measured.duration,
            open_duration_s: self.measured.duration / 2.0,
            open_shares: vec![0.5],
            database: Database::Sqlite,
            placement: placed(&self.host, only)?,
            loadgen: Request::new("loadgen", "release").build()?,
            seeder: PathBuf::new(),
            runner: PathBuf::new(),
            only: Some(only),
            // Another order, and other choices, for a batch that is to be independent.
            seed: self.measured.seed + u64::from(name.ends_with("again")),
        };
        let mut record = Record::begun(run::new_id(suite, SystemTime::now()), suite, self.host.clone(), plan.clone());
        record.profile.clone_from(&self.measured.profile);
        record.artifacts = artifacts;
        record.repeat.clone_from(&comparison.repeat);
        let mut progress = bench::Progress::new(std::io::stderr().is_terminal());
        let ended = run::run(&mut record, &folder, &program, &plan, &self.interrupted, |event| progress.on(event))?;
        progress.finish();
        drop(scratch);
        record.write(&folder)?;
        comparison.notes.extend(record.notes.iter().cloned());
        comparison.runs.push(name.to_owned());
        Ok((ended != Ended::Interrupted).then_some(record))
    }
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
