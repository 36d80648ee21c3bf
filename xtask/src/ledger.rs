//! `cargo xtask ledger`: runs the experiments and writes down what becomes of each claim. Which there are, and how each is done,
//! is the business of `suites/experiments`, in process, and of `suites/knobs`, over a socket; what follows from the figures is
//! `harness::ledger`'s.

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
    build::{self, Request},
    compare::AGAIN,
    file,
    host::Host,
    layout,
    ledger::{self, Effect, Entry},
    lock::Lock,
    name,
    record::Record,
    run::{self, Ended},
    target,
};
use probe::suite::{Case, Database, Depth, Family, Plan};

use crate::{
    bench::{
        self, INTERRUPTED,
        prepare::{self, Prepared},
        suite::Suite,
    },
    compare::{placed, unfit},
    output,
};

/// The suites whose experiments make up the ledger, in its order, with how long their windows are.
const SUITES: [Windows; 2] = [
    Windows { suite: "experiments", quick_s: [0.01, 0.05], full_s: [0.03, 0.12] },
    Windows { suite: "knobs", quick_s: [0.05, 0.25], full_s: [0.1, 0.5] },
];

/// Connections of a load that names no number of its own; each case of these suites does.
const CONNECTIONS: u32 = 64;

/// How long one suite's launches warm up and are timed, s.
struct Windows {
    suite: &'static str,
    quick_s: [f64; 2],
    full_s: [f64; 2],
}

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
  cargo xtask ledger --only sendfile          one over a socket, a knob of the server turned on one side
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
        let mut parts = self.parts()?;
        let _lock = Lock::take(&crate::command_line())?;
        let id = run::new_id("ledger", SystemTime::now());
        let folder = self.out.clone().map_or_else(|| layout::ledgers_folder().map(|all| all.join(&id)), Ok)?;
        bench::make_folder(&folder)?;
        let host = Host::read();
        for part in &mut parts {
            part.build(&self.profile, &host)?;
        }
        // Times last: what decides whether they may be taken is how the machine is when they would be.
        let unfit = if self.anyway { None } else { unfit()? };
        let only = unfit.is_some().then_some(Family::Counts);
        let session = Session { ledger: &self, host, folder: &folder, interrupted: &interrupted };
        let (mut records, mut entries) = (Vec::new(), Vec::new());
        for part in &parts {
            let Some((mut first, again)) = session.try_claims(part, only)? else {
                return Ok(ExitCode::from(INTERRUPTED));
            };
            first.notes.extend(unfit.as_ref().map(|why| format!("No times were taken: {why}.")));
            entries.extend(ledger::entries(&first, again.as_ref()));
            records.push(first);
        }
        self.conclude(&records, &entries, &folder)
    }

    /// The suites that have something of what is wanted.
    fn parts(&self) -> Result<Vec<Part>> {
        let suites = SUITES.iter().map(|windows| Ok((windows, Suite::find(windows.suite)?)));
        let suites = suites.collect::<Result<Vec<_>>>()?;
        let known = || suites.iter().flat_map(|(_, suite)| &suite.cases);
        for wanted in &self.only {
            if !known().any(|case| is(case, wanted)) {
                let names = known().map(|case| case.test.as_str());
                return Err(name::Unknown::new("experiment", wanted, names).into());
            }
        }
        let parts = suites.into_iter().map(|(windows, suite)| {
            let cases = suite.cases.iter().filter(|case| self.wants(case)).map(|case| case.id.clone()).collect();
            Part { windows, suite, cases, prepared: Prepared::default() }
        });
        Ok(parts.filter(|part| !part.cases.is_empty()).collect())
    }

    /// Whether a case is wanted; one that is named is, however short the run.
    fn wants(&self, case: &Case) -> bool {
        let is_wanted = self.only.is_empty() || self.only.iter().any(|wanted| is(case, wanted));
        self.only.contains(&case.id) || (is_wanted && (!self.quick || case.depth == Depth::Quick))
    }

    /// Writes down what follows, and says it.
    fn conclude(&self, records: &[Record], entries: &[Entry], folder: &Path) -> Result<ExitCode> {
        let records: Vec<&Record> = records.iter().collect();
        let markdown = reports::ledger::markdown(&records, entries)?;
        let mut files = vec![
            (folder.join("ledger.md"), markdown.clone()),
            (folder.join("ledger.html"), reports::ledger::html(&records, entries)?),
            (folder.join("ledger.json"), serde_json::to_string_pretty(entries)? + "\n"),
        ];
        // A part of the experiments is no ledger.
        if self.only.is_empty() && self.out.is_none() {
            files.push((layout::workspace_root()?.join(LEDGER), markdown));
        }
        output::print(&reports::ledger::terminal(&records, entries))?;
        for (path, text) in &files {
            file::write_whole(path, text.as_bytes())
                .with_context(|| format!("{} cannot be written", path.display()))?;
            eprintln!("{}", path.display());
        }
        for note in records.iter().flat_map(|record| &record.notes) {
            eprintln!("note: {note}");
        }
        let is_broken = entries.is_empty() || entries.iter().any(|entry| entry.effect == Effect::Broken);
        Ok(ExitCode::from(if is_broken { BROKEN } else { 0 }))
    }
}

/// Whether a case goes by a name: its own, its experiment's or its group's.
fn is(case: &Case, wanted: &str) -> bool {
    case.id == wanted || case.test == wanted || case.claim.as_ref().is_some_and(|claim| claim.group == wanted)
}

/// What is run of one suite.
struct Part {
    windows: &'static Windows,
    suite: Suite,
    /// Ids of its cases.
    cases: Vec<String>,
    prepared: Prepared,
}

impl Part {
    /// Builds both sides of the experiments that are wanted, for timing and for counting.
    fn build(&mut self, profile: &str, host: &Host) -> Result<()> {
        let entries = self.suite.taking_part(target::entries(&self.suite.lab)?, &self.cases, Depth::Full);
        self.prepared = prepare::build(&entries, profile, host, true, &self.suite)?;
        // The build of a package that is counted has replaced the suite's program where the two are one and so are the profiles.
        self.suite.program = Request::new(&format!("suite-{}", self.windows.suite), "light").build()?;
        Ok(())
    }
}

/// What the batches share.
struct Session<'a> {
    ledger: &'a Ledger,
    host: Host,
    folder: &'a Path,
    interrupted: &'a AtomicBool,
}

impl Session<'_> {
    /// Measures all of a suite's cases, and those that show a difference once more; `None` after Ctrl-C.
    fn try_claims(&self, part: &Part, only: Option<Family>) -> Result<Option<(Record, Option<Record>)>> {
        let suite = part.windows.suite;
        let Some(first) = self.measure(part, suite, part.cases.clone(), only)? else { return Ok(None) };
        let suspects = ledger::suspects(&first);
        if suspects.is_empty() {
            return Ok(Some((first, None)));
        }
        eprintln!("{} inputs show a difference; a second batch of launches has to say the same.", suspects.len());
        let again = self.measure(part, &format!("{suite}{AGAIN}"), suspects, Some(Family::Times))?;
        Ok(again.map(|again| (first, Some(again))))
    }

    /// One batch of these cases, whose record is in a folder of its own; `None` after Ctrl-C.
    fn measure(&self, part: &Part, name: &str, cases: Vec<String>, only: Option<Family>) -> Result<Option<Record>> {
        let folder = self.folder.join(name);
        bench::make_folder(&folder)?;
        let scratch = bench::scratch_folder(&folder, false)?;
        let quick = self.ledger.quick;
        let [warmup_s, duration_s] = if quick { part.windows.quick_s } else { part.windows.full_s };
        let prepared = &part.prepared;
        let plan = Plan {
            folder: scratch.path().to_path_buf(),
            targets: prepared.targets.clone(),
            cases,
            depth: Depth::Full,
            connections: vec![CONNECTIONS],
            rounds: self.ledger.pairs.unwrap_or(if quick { 10 } else { 14 }),
            warmup_s,
            duration_s,
            open_duration_s: 0.0,
            open_shares: Vec::new(),
            database: Database::Sqlite,
            placement: placed(&self.host, only.unwrap_or(Family::Times))?,
            loadgen: prepared.loadgen.clone(),
            seeder: prepared.seeder.clone(),
            runner: prepared.runner.clone(),
            profiling: None,
            only,
            // Another order for a batch that is to be independent.
            seed: self.ledger.seed + u64::from(name.ends_with(AGAIN)),
        };
        let id = run::new_id(part.windows.suite, SystemTime::now());
        let mut record = Record::begun(id, part.windows.suite, self.host.clone(), plan.clone());
        record.profile.clone_from(&self.ledger.profile);
        record.artifacts.clone_from(&prepared.artifacts);
        record.repeat = crate::command_line();
        let mut progress = bench::Progress::new(std::io::stderr().is_terminal());
        let program = &part.suite.program;
        let ended = run::run(&mut record, &folder, program, &plan, self.interrupted, |event| progress.on(event))?;
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
