//! `cargo xtask history`: what runs have shown until now, and commands of others remember by it.
//!
//! Thin over `harness::history`. Read next: harness/src/history/mod.rs.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use harness::{
    compare::Comparison,
    file,
    history::{self, Entry, Filter, Place, Run, Scope, Store},
    host::Host,
    judge::{self, Rule, Series},
    metric, name,
    record::Record,
    run,
};

use crate::output;

/// Exit code where something was left out.
const BROKEN: u8 = 3;

/// Keep, search and move what runs have shown until now.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  cargo xtask history list                          the runs that are known, the latest last
  cargo xtask history list --suite engine --commit 3f2a --json
  cargo xtask history show 2026-11-23               the run whose id begins so, beside the one before it
  cargo xtask history import                        all runs and comparisons below target/lab
  cargo xtask history import ../other/run.json old.ndjson
  cargo xtask history export --out history.ndjson   a line a run, from which the history can be made again
  cargo xtask history prune --older-than 180d --dry-run
  cargo xtask history --history postgres://lab@db.example/lab list

`bench`, `gate` and `compare` record what they measure by themselves. The history is an index: what it holds is in the records of
the runs, and it can be made again of them.

Exit codes: 0 done; 2 wrong command line, or no such run; 3 something cannot be read or written (the rest is done).")]
pub(crate) struct History {
    /// The history: an SQLite file, or a postgres:// URL [ARMATURE_HISTORY, or target/lab/history.db]
    #[arg(long, value_name = "PATH|URL", global = true)]
    history: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Import(Import),
    Export(Export),
    List(List),
    Show(Show),
    Prune(Prune),
}

/// Record runs; one that is known already is replaced.
#[derive(Debug, Args)]
#[command(after_help = "Each run is named on standard output as soon as it is recorded, and is not lost from then on.")]
struct Import {
    /// Runs, comparisons, folders of them, or exports; `-` is an export on standard input [what is below target/lab]
    paths: Vec<PathBuf>,
}

/// Write a line of JSON for each run.
#[derive(Debug, Args)]
struct Export {
    /// Where it goes; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

/// List the runs, the latest last.
#[derive(Debug, Args)]
struct List {
    /// Only of this suite
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    suite: String,
    /// Only of this commit: its hash, or how it begins
    #[arg(long, value_name = "HASH", default_value = "", hide_default_value = true)]
    commit: String,
    /// Only of this machine: its key, or how it begins; `here` is this one
    #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true)]
    machine: String,
    /// Print a line of JSON for each run
    #[arg(long)]
    json: bool,
}

/// Show a run's figures beside those of the run before it, on the same machine, of another commit.
#[derive(Debug, Args)]
struct Show {
    /// The run: its id, the beginning of its id, or `latest`
    run: String,
    /// Print the run as JSON
    #[arg(long)]
    json: bool,
}

/// Remove old runs from the history; their records stay.
#[derive(Debug, Args)]
#[command(
    after_help = "Making the history again, by `import` or after damage, brings back runs whose records are still there."
)]
struct Prune {
    /// Keep this many runs, the latest
    #[arg(long, value_name = "N", required_unless_present = "older_than", conflicts_with = "older_than")]
    keep: Option<usize>,
    /// Remove what began longer ago than this, for example 180d
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    older_than: Option<Duration>,
    /// Name what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

impl History {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut store = open(self.history.as_deref())?;
        match self.action {
            Action::Import(import) => return import.run(&mut store),
            Action::Export(export) => export.run(&mut store)?,
            Action::List(list) => list.run(&mut store)?,
            Action::Show(show) => show.run(&mut store)?,
            Action::Prune(prune) => prune.run(&mut store)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn open(named: Option<&str>) -> Result<Store> {
    history::open(&Place::chosen(named)?, &history::sources()?, |word| eprintln!("note: {word}"))
}

impl Import {
    fn run(self, store: &mut Store) -> Result<ExitCode> {
        let by_default = self.paths.is_empty();
        let paths = if by_default { history::sources()? } else { self.paths };
        let (mut recorded, mut problems) = (0, 0);
        for path in paths.iter().filter(|path| !by_default || path.is_dir()) {
            let found = if path == Path::new("-") {
                Ok(Box::new(history::lines(io::stdin().lock(), "standard input".to_owned()))
                    as Box<dyn Iterator<Item = _>>)
            } else {
                history::entries(path)
            };
            let entries = found.unwrap_or_else(|problem| Box::new(std::iter::once(Err(problem))));
            for entry in entries {
                match entry {
                    Ok(entry) => {
                        store.record(&entry)?;
                        output::print(&format!("{}\n", output::plain(&entry.run.run)))?;
                        recorded += 1;
                    }
                    Err(problem) => {
                        eprintln!("left out: {problem:#}");
                        problems += 1;
                    }
                }
            }
        }
        eprintln!("{recorded} runs recorded, {problems} left out");
        Ok(if problems == 0 { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) })
    }
}

impl Export {
    fn run(self, store: &mut Store) -> Result<()> {
        let mut text = String::new();
        for run in store.list(&Filter::default())? {
            // It may have been removed meanwhile.
            let Some(entry) = store.find(&run.run)? else { continue };
            text.push_str(&serde_json::to_string(&entry).context("a run cannot be put into JSON")?);
            text.push('\n');
        }
        if self.out == Path::new("-") { output::print(&text) } else { file::write_whole(&self.out, text.as_bytes()) }
    }
}

impl List {
    fn run(self, store: &mut Store) -> Result<()> {
        let machine = if self.machine == "here" { history::machine(&Host::read()) } else { self.machine };
        let runs = store.list(&Filter { suite: self.suite, commit: self.commit, machine })?;
        if runs.is_empty() {
            eprintln!("no such runs; `cargo xtask bench` makes them, `cargo xtask history import` records older ones");
        }
        let mut text = String::new();
        for run in &runs {
            text.push_str(&if self.json { serde_json::to_string(run)? } else { output::plain(&line(run)) });
            text.push('\n');
        }
        output::print(&text)
    }
}

impl Show {
    fn run(self, store: &mut Store) -> Result<()> {
        let entry = find(store, &self.run)?;
        if self.json {
            return output::print(&format!("{}\n", serde_json::to_string(&entry)?));
        }
        let baseline = store.baseline(&entry.run)?;
        output::print(&table(&entry, baseline.as_ref()))
    }
}

impl Prune {
    fn run(self, store: &mut Store) -> Result<()> {
        let mut runs = store.list(&Filter::default())?;
        if let Some(keep) = self.keep {
            runs.truncate(runs.len().saturating_sub(keep));
        }
        if let Some(age) = self.older_than {
            let before = SystemTime::now().checked_sub(age).filter(|before| *before > SystemTime::UNIX_EPOCH);
            let before = run::timestamp(before.context("nothing can be as old as that")?);
            runs.retain(|run| run.started < before);
        }
        let ids: Vec<String> = runs.into_iter().map(|run| run.run).collect();
        for id in &ids {
            output::print(&format!("{}\n", output::plain(id)))?;
        }
        if self.dry_run {
            eprintln!("{} runs would be removed", ids.len());
        } else {
            eprintln!("{} runs removed", store.delete(&ids)?);
        }
        Ok(())
    }
}

/// The run that is meant.
fn find(store: &mut Store, name: &str) -> Result<Entry> {
    let runs = store.list(&Filter::default())?;
    let ids: Vec<&str> = runs.iter().map(|run| run.run.as_str()).collect();
    let id = name::meant("run", name, &ids)?;
    store.find(id)?.with_context(|| format!("run {id} has just been removed"))
}

fn line(run: &Run) -> String {
    format!(
        "{}  {}, {}, commit {}, machine {}{}",
        run.run,
        run.suite,
        run.profile,
        commit(run),
        run.machine,
        if run.complete { "" } else { ", incomplete" }
    )
}

fn commit(run: &Run) -> String {
    match &run.commit {
        None => "unknown".to_owned(),
        Some(commit) => {
            let hash: String = commit.hash.chars().take(12).collect();
            hash + if commit.dirty { " with changes" } else { "" }
        }
    }
}

/// A run's figures, each with the baseline's and the change since.
fn table(entry: &Entry, baseline: Option<&Entry>) -> String {
    let host = &entry.run.host;
    let mut text = format!(
        "{}\n{}, {} CPUs, {}, {}; load {} at its start, {:.1} % stolen\n",
        line(&entry.run),
        host.cpu_model,
        host.cpus.len(),
        host.kernel,
        host.rustc,
        host.load_1m,
        host.steal_share * 100.0
    );
    match baseline {
        Some(baseline) => text.push_str(&format!("beside  {}\n", line(&baseline.run))),
        None => text.push_str("No run of another commit came before it on this machine.\n"),
    }
    let mut place = (String::new(), String::new());
    for figure in &entry.figures {
        if (&place.0, &place.1) != (&figure.target, &figure.case) {
            place = (figure.target.clone(), figure.case.clone());
            text.push_str(&format!("\n{}  {}\n", place.0, place.1));
        }
        let same = |other: &&history::Figure| {
            (&other.target, &other.case, &other.metric) == (&figure.target, &figure.case, &figure.metric)
        };
        let before = baseline.and_then(|baseline| baseline.figures.iter().find(same)).map(|other| other.value);
        let change = match before {
            Some(before) if before != 0.0 => {
                format!("{:>14}  {:+.2} %", shown(before), (figure.value / before - 1.0) * 100.0)
            }
            Some(before) => format!("{:>14}", shown(before)),
            None => String::new(),
        };
        text.push_str(format!("  {:<34} {:>14} {change}", figure.metric, shown(figure.value)).trim_end());
        text.push('\n');
    }
    text.lines().map(|line| output::plain(line) + "\n").collect()
}

/// As many digits as people read.
fn shown(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.001 { format!("{value:.3e}") } else { format!("{value:.3}") }
}

/// Records a run that has ended. The run is worth more than its place in the history: what goes wrong is only said.
pub(crate) fn remember(record: &Record) {
    told(Entry::of_record(record).map_or(Ok(()), |entry| open(None)?.record(&entry)));
}

/// Records what a comparison counted of its head.
pub(crate) fn remember_head(comparison: &Comparison, folder: &Path) {
    let entries = history::of_head(comparison, folder);
    if entries.is_empty() {
        return;
    }
    told(open(None).and_then(|mut store| entries.into_iter().try_for_each(|entry| store.record(&entry?))));
}

fn told(outcome: Result<()>) {
    if let Err(error) = outcome {
        eprintln!("note: this is not in the history: {error:#}; `cargo xtask history import` records it later");
    }
}

/// What commits other than `head` cost on this machine, count by count. Without a history, counts are judged all the same.
pub(crate) fn earlier(host: &Host, suites: &[&str], profile: &str, head: &str) -> Vec<Series> {
    let machine = history::machine(host);
    let read = || {
        let mut store = open(None)?;
        let mut earlier = Vec::new();
        for suite in suites {
            let scope = Scope { machine: machine.clone(), suite: (*suite).to_owned(), profile: profile.to_owned() };
            let is_count = |metric: &&metric::Metric| matches!(judge::rule(metric.name), Some(Rule::Count { .. }));
            for metric in metric::ALL.iter().filter(is_count) {
                earlier.extend(store.series(&scope, metric.name, head)?);
            }
        }
        Ok::<_, anyhow::Error>(earlier)
    };
    read().unwrap_or_else(|error| {
        eprintln!("note: counts are judged without a history: {error:#}");
        Vec::new()
    })
}
