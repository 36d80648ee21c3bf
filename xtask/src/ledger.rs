//! `cargo xtask ledger`: runs the experiments and writes down what becomes of each claim. Which there are, and how each is done,
//! is `suites/experiments`' business; what follows from the figures is `harness::ledger`'s.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::AtomicBool,
    time::SystemTime,
};

use anyhow::{Context, Result};
use clap::{Args, builder::PossibleValuesParser};
use harness::{
    build::{self, Artifact, Request},
    compare::AGAIN,
    file,
    host::Host,
    layout,
    ledger::{self, Effect},
    lock::Lock,
    name,
    record::Record,
    run::{self, Ended},
    suite, target,
};
use probe::suite::{Case, Database, Depth, Family, Plan, Target};

use crate::{
    bench::{self, INTERRUPTED},
    compare::{placed, unfit},
    output,
};

/// The suite, and the package of its program.
const SUITE: &str = "experiments";
const PACKAGE: &str = "suite-experiments";

/// Where the ledger stands that is part of the project.
const LEDGER: &str = "reports/LEDGER.md";

/// Exit code when a claim could not be tried.
const BROKEN: u8 = 3;

/// Run the experiments and write down whether each optimisation pays, here and today.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask ledger                          all experiments; writes reports/LEDGER.md
  cargo xtask ledger --quick                  the smallest and the largest input of each
  cargo xtask ledger --only pool-queue        one experiment on all its inputs; reports/LEDGER.md stays as it is
  cargo xtask ledger --only routing --quick   a group

Each input has one of the verdicts pays, no effect, costs, cannot tell, broken. Tables, a page with plots and the records are in
a folder of the run, which is named at the end.

Exit codes: 0 every claim was tried; 3 one could not be; 130 interrupted.")]
pub(crate) struct Ledger {
    /// Run only this experiment, group or case (repeatable).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Short windows, and of each experiment the first and the last input.
    #[arg(long)]
    quick: bool,
    /// Pairs of launches in a batch; fewer than 7 are no comparison [14, with --quick 10].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: Option<u32>,
    /// Take times although `cargo xtask doctor` finds that they would mislead here.
    #[arg(long)]
    anyway: bool,
    /// The profile that the experiments are built with.
    #[arg(long, default_value = "lto-fat", value_parser = PossibleValuesParser::new(build::PROFILES))]
    profile: String,
    /// Seed of the order of launches.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The run's folder [target/lab/ledgers/ID].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Ledger {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let interrupted = bench::watch_for_interrupts()?;
        let suite = Request::new(PACKAGE, "light").build()?;
        let cases = self.cases(suite::cases(&suite)?)?;
        let _lock = Lock::take(&crate::command_line())?;
        let id = run::new_id("ledger", SystemTime::now());
        let folder = self.out.clone().map_or_else(|| layout::ledgers_folder().map(|all| all.join(&id)), Ok)?;
        bench::make_folder(&folder)?;
        let host = Host::read();
        let (targets, artifacts) = self.build(&host)?;
        // Times last: what decides whether they may be taken is how the machine is when they would be.
        let unfit = if self.anyway { None } else { unfit()? };
        let only = unfit.is_some().then_some(Family::Counts);
        // The build of the package that is counted has replaced the suite's program where the profiles are the same.
        let suite = Request::new(PACKAGE, "light").build()?;
        let session =
            Session { ledger: &self, suite, host, targets, artifacts, folder: &folder, interrupted: &interrupted };
        let Some(mut first) = session.measure("first", cases, only)? else { return Ok(ExitCode::from(INTERRUPTED)) };
        first.notes.extend(unfit.map(|why| format!("No times were taken: {why}.")));
        let suspects = ledger::suspects(&first);
        let again = if suspects.is_empty() {
            None
        } else {
            eprintln!("{} inputs show a difference; a second batch of launches has to say the same.", suspects.len());
            match session.measure(&format!("first{AGAIN}"), suspects, Some(Family::Times))? {
                Some(again) => Some(again),
                None => return Ok(ExitCode::from(INTERRUPTED)),
            }
        };
        self.conclude(&first, again.as_ref(), &folder)
    }

    /// The ids of what is wanted.
    fn cases(&self, known: Vec<Case>) -> Result<Vec<String>> {
        let group = |case: &Case| case.claim.as_ref().map(|claim| claim.group.clone()).unwrap_or_default();
        let is = |case: &Case, wanted: &str| case.id == wanted || case.test == wanted || group(case) == wanted;
        for wanted in &self.only {
            if !known.iter().any(|case| is(case, wanted)) {
                let names = known.iter().map(|case| case.test.as_str());
                return Err(name::Unknown::new("experiment", wanted, names).into());
            }
        }
        let chosen = known.into_iter().filter(|case| {
            // A case that is named is wanted however short the run.
            let is_named = self.only.contains(&case.id);
            let is_wanted = self.only.is_empty() || self.only.iter().any(|wanted| is(case, wanted));
            is_named || (is_wanted && (!self.quick || case.depth == Depth::Quick))
        });
        Ok(chosen.map(|case| case.id).collect())
    }

    /// Both sides, which are one program, built for timing and for counting.
    fn build(&self, host: &Host) -> Result<(Vec<Target>, Vec<Artifact>)> {
        eprintln!("Building the experiments (profile {}), for counting and for timing.", self.profile);
        // First, so that the timed build is what lies where cargo puts it afterwards.
        let counting = bench::counting(PACKAGE, &self.profile)?;
        let timed = Request::new(PACKAGE, &self.profile).build()?;
        let entries = target::entries(&layout::lab_of(SUITE)?)?;
        let targets = entries.iter().map(|entry| entry.target(&entry.name, &timed, Some(&counting))).collect();
        let describe = |entry| build::describe_artifact(entry, &timed, &self.profile, &host.rustc);
        Ok((targets, entries.iter().map(describe).collect::<Result<_>>()?))
    }

    /// Writes down what follows, and says it.
    fn conclude(&self, first: &Record, again: Option<&Record>, folder: &Path) -> Result<ExitCode> {
        let entries = ledger::entries(first, again);
        let markdown = reports::ledger::markdown(first, &entries)?;
        let mut files = vec![
            (folder.join("ledger.md"), markdown.clone()),
            (folder.join("ledger.html"), reports::ledger::html(first, &entries)?),
            (folder.join("ledger.json"), serde_json::to_string_pretty(&entries)? + "\n"),
        ];
        // A part of the experiments is no ledger.
        if self.only.is_empty() && self.out.is_none() {
            files.push((layout::workspace_root()?.join(LEDGER), markdown));
        }
        output::print(&reports::ledger::terminal(first, &entries))?;
        for (path, text) in &files {
            file::write_whole(path, text.as_bytes())
                .with_context(|| format!("{} cannot be written", path.display()))?;
            eprintln!("{}", path.display());
        }
        for note in &first.notes {
            eprintln!("note: {note}");
        }
        let is_broken = entries.is_empty() || entries.iter().any(|entry| entry.effect == Effect::Broken);
        Ok(ExitCode::from(if is_broken { BROKEN } else { 0 }))
    }
}

/// What the batches share.
struct Session<'a> {
    ledger: &'a Ledger,
    suite: PathBuf,
    host: Host,
    targets: Vec<Target>,
    artifacts: Vec<Artifact>,
    folder: &'a Path,
    interrupted: &'a AtomicBool,
}

impl Session<'_> {
    /// One batch of these cases, whose record is in a folder of its own; `None` after Ctrl-C.
    fn measure(&self, name: &str, cases: Vec<String>, only: Option<Family>) -> Result<Option<Record>> {
        let folder = self.folder.join(name);
        bench::make_folder(&folder)?;
        let scratch = bench::scratch_folder(&folder, false)?;
        let quick = self.ledger.quick;
        let plan = Plan {
            folder: scratch.path().to_path_buf(),
            targets: self.targets.clone(),
            cases,
            depth: Depth::Full,
            connections: Vec::new(),
            rounds: self.ledger.pairs.unwrap_or(if quick { 10 } else { 14 }),
            warmup_s: if quick { 0.01 } else { 0.03 },
            duration_s: if quick { 0.05 } else { 0.12 },
            open_duration_s: 0.0,
            open_shares: Vec::new(),
            database: Database::Sqlite,
            placement: placed(&self.host, only.unwrap_or(Family::Times))?,
            loadgen: PathBuf::new(),
            seeder: PathBuf::new(),
            runner: PathBuf::new(),
            only,
            // Another order for a batch that is to be independent.
            seed: self.ledger.seed + u64::from(name.ends_with(AGAIN)),
        };
        let id = run::new_id(SUITE, SystemTime::now());
        let mut record = Record::begun(id, SUITE, self.host.clone(), plan.clone());
        record.profile.clone_from(&self.ledger.profile);
        record.artifacts.clone_from(&self.artifacts);
        record.repeat = crate::command_line();
        let mut progress = bench::Progress::new(std::io::stderr().is_terminal());
        let ended = run::run(&mut record, &folder, &self.suite, &plan, self.interrupted, |event| progress.on(event))?;
        progress.finish();
        drop(scratch);
        record.write(&folder)?;
        if ended == Ended::Interrupted {
            eprintln!("Interrupted. What was measured is in {}", folder.display());
            return Ok(None);
        }
        Ok(Some(record))
    }
}
