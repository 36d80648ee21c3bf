//! `cargo xtask bench`: from a command line to a plan, from a plan to a report.
//!
//! Which suites there are is `bench/suite.rs`'s, what is built `bench/prepare.rs`'s, what is drawn meanwhile
//! `bench/progress.rs`'s, and several suites in turn `bench/several.rs`'s; measuring is the suite's and `harness::run`'s.

use std::{
    fs,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use anyhow::{Context, Result, bail};
use clap::{Args, builder::PossibleValuesParser};
use harness::{
    build,
    host::Host,
    layout, placement,
    record::{Record, Status},
    run::{self, Ended},
    target::Entry,
};
use probe::suite::{Database, Depth, Family, Plan};
use reports::{Report, Style};

use crate::{history, output};

pub(crate) mod prepare;
mod progress;
mod several;
pub(crate) mod suite;

use prepare::Prepared;
pub(crate) use prepare::seeder;
pub(crate) use progress::Progress;
use suite::Suite;

/// The suite that is run when none is named.
const SUITE: &str = "techempower";

/// The suite that `--soak` is about, and its case.
const SOAK: (&str, &str) = ("memory-leak", "soak");

/// Exit code of a run that measured all, and found a leak.
const FOUND: u8 = 1;

/// Exit code after a failure that leaves a figure missing.
const BROKEN: u8 = 3;

/// Exit code after Ctrl-C, as shells give it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Build the servers, measure them side by side and write a report.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask bench --quick                              a first result, about a minute after the build
  cargo xtask bench                                      what a comparison rests on, under 15 minutes on 2 CPUs
  cargo xtask bench --target axum --target armature --case json --rounds 10
  cargo xtask bench --database postgres --case fortunes  against a private PostgreSQL cluster
  cargo xtask bench --connections 16,64,256 --full
  cargo xtask bench --suite engine --case json           times, and instructions, system calls and allocations a request
  cargo xtask bench --suite database --case pool         queries, updates, fortunes, pools; counted at the database
  cargo xtask bench --suite micro --quick                in process: nanoseconds and instructions an operation
  cargo xtask bench --suite drop-timing --quick          destructors: how long, when, and whether each has run
  cargo xtask bench --suite allocation                   counts of a request on every route, and of patterns of allocation
  cargo xtask bench --suite memory-leak                  whether live memory comes back after identical cycles of traffic
  cargo xtask bench --soak 30 --target armature          the same over half an hour of mixed traffic, with RSS and PSS
  cargo xtask bench --all --list                         how long all suites would take
  cargo xtask bench --all --quick                        all suites, one after the other, a record each
  cargo xtask bench --quick --json > summary.json        for programs; progress stays on standard error
  cargo xtask bench --list                               the cases and targets there are

Exit codes: 0 all measured; 1 all measured, and armature leaks (in a run without armature: any target; a leak of another
target beside it is reported, and is no reason to fail); 2 wrong command line; 3 something could not be measured (the
rest is reported); 130 interrupted (what was measured is kept and marked as partial). Of several suites: the worst.")]
pub(crate) struct Bench {
    /// The suite to run, by its name or the path of a program; repeatable. The default is techempower.
    #[arg(long = "suite", value_name = "NAME")]
    suites: Vec<String>,
    /// Run every suite, one after the other; says beforehand how long it will take.
    #[arg(long, conflicts_with_all = ["suites", "targets", "cases", "lab", "soak", "json"])]
    all: bool,
    /// Look for leaks under mixed traffic for so long; one round unless --rounds is given.
    #[arg(long, value_name = "MINUTES", value_parser = minutes, conflicts_with_all = ["suites", "cases", "duration"])]
    soak: Option<f64>,
    /// A first result: the seven tests at one level, short windows, 3 rounds.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Everything: all levels, concurrency levels 16, 64 and 256, latency at 25, 50 and 75 % of saturation, 9 rounds.
    #[arg(long)]
    full: bool,
    /// Measure only this target (repeatable); see --list.
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// Measure only this test or case (repeatable); see --list.
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// Rounds; each launches every target anew [quick 3, default 7, full 9].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Seconds of each closed-loop window; the open-loop window is five sevenths of it [quick 0.3, default 0.7, full 3].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<f64>,
    /// Concurrency levels, separated by commas [default 64, full 16,64,256].
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=16384))]
    connections: Vec<u32>,
    /// sqlite, postgres (a private cluster from installed binaries), or a postgres:// URL.
    #[arg(long, default_value = "sqlite", value_parser = database)]
    database: Database,
    /// The run's folder [target/lab/runs/ID]; of several suites, a folder for each is made in it.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Print the summary as JSON on standard output instead of tables.
    #[arg(long)]
    json: bool,
    /// The profile that the servers are built with.
    #[arg(long, default_value = "lto-fat", value_parser = PossibleValuesParser::new(build::PROFILES))]
    profile: String,
    /// The file that lists the targets [the suite's own lab.toml, or that in the workspace's root].
    #[arg(long, value_name = "FILE")]
    lab: Option<PathBuf>,
    /// Measure only times, or only counts.
    #[arg(long, value_name = "FAMILY", value_parser = family)]
    only: Option<Family>,
    /// Seed of the order of targets.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Show the cases and targets, or how long several suites would take, and measure nothing.
    #[arg(long)]
    list: bool,
}

/// How long and how often, by kind of run. Two CPUs measure the quick kind in about a minute and the default kind, which
/// has the rounds that a firm verdict needs, in under a quarter of an hour.
struct Effort {
    depth: Depth,
    rounds: u32,
    warmup_s: f64,
    duration_s: f64,
    connections: &'static [u32],
    open_shares: &'static [f64],
}

const QUICK: Effort =
    Effort { depth: Depth::Quick, rounds: 3, warmup_s: 0.1, duration_s: 0.3, connections: &[64], open_shares: &[0.5] };

const DEFAULT: Effort = Effort { depth: Depth::Default, rounds: 7, warmup_s: 0.2, duration_s: 0.7, ..QUICK };

const FULL: Effort = Effort {
    depth: Depth::Full,
    rounds: 9,
    warmup_s: 1.0,
    duration_s: 3.0,
    connections: &[16, 64, 256],
    open_shares: &[0.5, 0.25, 0.75],
};

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let interrupted = watch_for_interrupts()?;
        let host = Host::read();
        let private_database = self.database == Database::PrivatePostgres;
        if private_database && !self.list && harness::database::postgres_binaries().is_none() {
            bail!("no PostgreSQL server binaries in PATH or /usr/lib/postgresql; {}", harness::database::POSTGRES_CURE);
        }
        match self.names()?.as_slice() {
            [name] => self.one(&Suite::find(name)?, host, self.out.as_deref(), &interrupted).map(ExitCode::from),
            names => several::run(&self, names, &host, &interrupted),
        }
    }

    /// The suites that are asked for.
    fn names(&self) -> Result<Vec<String>> {
        Ok(match (self.all, self.soak) {
            (true, _) => suite::all()?,
            (_, Some(_)) => vec![SOAK.0.to_owned()],
            _ if self.suites.is_empty() => vec![SUITE.to_owned()],
            _ => self.suites.clone(),
        })
    }

    fn cases(&self) -> Vec<String> {
        if self.soak.is_some() { vec![SOAK.1.to_owned()] } else { self.cases.clone() }
    }

    /// All targets of a suite, and those that are to be measured.
    fn entries(&self, suite: &Suite) -> Result<(Vec<Entry>, Vec<Entry>)> {
        let entries = harness::target::entries(self.lab.as_ref().unwrap_or(&suite.lab))?;
        let chosen = harness::target::choose(&entries, &self.targets)?;
        let chosen = suite.taking_part(chosen, &self.cases(), self.effort().depth);
        Ok((entries, chosen))
    }

    /// Runs one suite and returns its exit code.
    fn one(&self, suite: &Suite, host: Host, out: Option<&Path>, interrupted: &AtomicBool) -> Result<u8> {
        let (entries, chosen) = self.entries(suite)?;
        if self.list {
            suite.print_list(&entries);
            return Ok(0);
        }
        let private_database = self.database == Database::PrivatePostgres;
        let placement = placement::split(&host.cpus, private_database)?;
        suite.check_cases(&self.cases())?;
        let id = run::new_id(&suite.name, SystemTime::now());
        let folder =
            out.map_or_else(|| Ok(layout::runs_folder()?.join(&id)), |out| Ok::<_, anyhow::Error>(out.into()))?;
        make_folder(&folder)?;
        let counted = suite.is_counted(&self.cases(), self.effort().depth);
        let prepared = match prepare::build(&chosen, &self.profile, &host, counted, suite) {
            Ok(prepared) => prepared,
            // A Ctrl-C during the build reaches cargo too, which fails then.
            Err(_) if interrupted.load(Ordering::Relaxed) => return Ok(INTERRUPTED),
            Err(error) => return Err(error),
        };
        let scratch = scratch_folder(&folder, private_database)?;
        let plan = self.plan(suite, &prepared, scratch.path(), placement);
        let mut record = self.record(suite, id, host, &prepared, plan.clone());
        let ended = measure(&mut record, &folder, &suite.program, &plan, interrupted)?;
        drop(scratch);
        let kept = record.write(&folder);
        let concluded = self.conclude(&record, &folder, ended);
        // Last, because a database may keep one waiting.
        if kept.is_ok() && ended != Ended::Interrupted {
            history::remember(&record);
        }
        let code = concluded?;
        kept.map(|()| code)
    }

    fn effort(&self) -> Effort {
        match (self.quick, self.full) {
            (true, _) => QUICK,
            (_, true) => FULL,
            _ => DEFAULT,
        }
    }

    fn plan(&self, suite: &Suite, prepared: &Prepared, folder: &Path, placement: probe::suite::Placement) -> Plan {
        let effort = self.effort();
        let soak_s = self.soak.map(|minutes| minutes * 60.0);
        let duration_s = soak_s.or(self.duration).unwrap_or(effort.duration_s);
        let own_rounds = if soak_s.is_some() { Some(1) } else { suite.rounds };
        Plan {
            folder: folder.to_path_buf(),
            targets: prepared.targets.clone(),
            cases: self.cases(),
            depth: effort.depth,
            connections: if self.connections.is_empty() {
                effort.connections.to_vec()
            } else {
                self.connections.clone()
            },
            rounds: self.rounds.or(own_rounds).unwrap_or(effort.rounds),
            warmup_s: effort.warmup_s.min(duration_s),
            duration_s,
            open_duration_s: duration_s * 5.0 / 7.0,
            open_shares: effort.open_shares.to_vec(),
            database: self.database.clone(),
            placement,
            loadgen: prepared.loadgen.clone(),
            seeder: prepared.seeder.clone(),
            runner: prepared.runner.clone(),
            profiling: None,
            only: self.only,
            seed: self.seed,
        }
    }

    fn record(&self, suite: &Suite, id: String, host: Host, prepared: &Prepared, plan: Plan) -> Record {
        Record {
            // Building is over by now: its start is when measuring begins.
            repeat: crate::command_line(),
            profile: self.profile.clone(),
            artifacts: prepared.artifacts.clone(),
            ..Record::begun(id, &suite.name, host, plan)
        }
    }

    fn conclude(&self, record: &Record, folder: &Path, ended: Ended) -> Result<u8> {
        if ended == Ended::Interrupted {
            eprintln!("Interrupted. What was measured is in {}", folder.display());
            eprintln!("`cargo xtask report {}` renders it, marked as partial.", folder.display());
            return Ok(INTERRUPTED);
        }
        let report = Report::new(record);
        let written = report.write_all(folder);
        if self.json {
            output::print(&report.summary_json()?)?;
        } else {
            output::print(&report.terminal_tables(Style::of_stdout()))?;
        }
        for path in written.as_deref().unwrap_or_default() {
            eprintln!("{}", path.display());
        }
        for note in &record.notes {
            eprintln!("note: {note}");
        }
        for failure in &record.failures {
            eprintln!("failed: {}", failure.reason);
            for line in &failure.stderr_tail {
                eprintln!("    | {line}");
            }
        }
        let wrong = record.verifications.iter().any(|verification| !verification.problems.is_empty());
        let whole = ended == Ended::Complete && record.failures.is_empty() && !wrong && !record.samples.is_empty();
        written?;
        if let Status::Partial { reason } = &record.status {
            eprintln!("broken: {reason}");
        }
        Ok(match whole {
            false => BROKEN,
            true if report.has_leak() => FOUND,
            true => 0,
        })
    }
}

fn measure(record: &mut Record, folder: &Path, suite: &Path, plan: &Plan, interrupted: &AtomicBool) -> Result<Ended> {
    let p = &plan.placement;
    eprintln!(
        "Measuring: server on CPU {:?}, load generator on CPU {:?}{}",
        p.server,
        p.generator,
        if p.database.is_empty() { String::new() } else { format!(", database on CPU {:?}", p.database) }
    );
    let mut progress = Progress::new(std::io::stderr().is_terminal());
    let ended = run::run(record, folder, suite, plan, interrupted, |event| progress.on(event));
    progress.finish();
    ended
}

/// Where a run's data lies while it runs; gone afterwards. PostgreSQL runs as another user, who may not be able to
/// reach the run's folder, so its cluster gets a folder of the system's.
pub(crate) fn scratch_folder(folder: &Path, private_database: bool) -> Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("armature-lab-");
    let scratch = if private_database { builder.tempdir() } else { builder.tempdir_in(folder) };
    let scratch = scratch.context("no scratch folder can be made")?;
    if private_database {
        use std::os::unix::fs::PermissionsExt;
        // The cluster's own folder inside is closed to all but its user.
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755))?;
    }
    Ok(scratch)
}

pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder).map(drop)).with_context(|| {
        format!("the run's folder {} cannot be written to; choose another with --out", folder.display())
    })
}

/// A flag that Ctrl-C or SIGTERM raises; a second one ends the process at once.
pub(crate) fn watch_for_interrupts() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.05..=10_080.0).contains(&value) => Ok(value),
        _ => Err("give minutes from 0.05 to 10080 (a week), for example 30".to_owned()),
    }
}

pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('s').parse::<f64>() {
        Ok(value) if (0.05..=3600.0).contains(&value) => Ok(value),
        _ => Err("give seconds from 0.05 to 3600, for example 0.5".to_owned()),
    }
}

pub(crate) fn family(text: &str) -> Result<Family, String> {
    match text {
        "times" => Ok(Family::Times),
        "counts" => Ok(Family::Counts),
        _ => Err("give times or counts".to_owned()),
    }
}

fn database(text: &str) -> Result<Database, String> {
    match text {
        "sqlite" => Ok(Database::Sqlite),
        "postgres" => Ok(Database::PrivatePostgres),
        url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            Ok(Database::PostgresUrl { url: url.to_owned() })
        }
        _ => Err("give sqlite, postgres, or postgres://USER:PASSWORD@HOST:PORT/DATABASE".to_owned()),
    }
}
