//! `cargo xtask report`: renders a run again from its record alone.
//!
//! Finds the run that is meant; what is said about it is the `reports` package's. Read next: reports/src/lib.rs.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use harness::{
    file, layout, name,
    record::{self, Record, Status},
};
use reports::{Report as Rendering, Style};

use crate::output;

/// Show a run again, from its record alone.
///
/// Without --format, report.html, report.md and results.csv are written anew into the run's folder, and the tables are
/// printed.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  cargo xtask report                              the latest run: its files and tables
  cargo xtask report --list                       the runs that are here
  cargo xtask report 2026-11-23 --format table    the run whose id begins so
  cargo xtask report latest --format json         figures, verdicts and units, for programs
  cargo xtask report ../other/run.json --format html --out other.html

Exit codes: 0 rendered; 2 wrong command line; 3 no such run, or it cannot be read or written.")]
pub(crate) struct Report {
    /// The run: its id, the beginning of its id, `latest`, its folder or its run.json
    #[arg(default_value = "latest")]
    run: String,
    /// Print this form instead of writing the files
    #[arg(long)]
    format: Option<Format>,
    /// Where --format goes; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-", requires = "format")]
    out: PathBuf,
    /// List the runs, the latest last
    #[arg(long, conflicts_with_all = ["format", "out"])]
    list: bool,
    /// Where the runs are [default: lab/runs in cargo's target folder]
    #[arg(long, value_name = "FOLDER")]
    runs: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// The page with plots, one file
    Html,
    /// Markdown
    Md,
    /// One figure a row; reports/README.md documents the columns
    Csv,
    /// Figures, verdicts and units
    Json,
    /// Tables for a terminal
    Table,
}

impl Report {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let runs = match &self.runs {
            Some(folder) => folder.clone(),
            None => layout::runs_folder()?,
        };
        if self.list {
            list(&runs)?;
            return Ok(ExitCode::SUCCESS);
        }
        let place = find(&self.run, &runs)?;
        let report = Rendering::new(&Record::read(&place)?);
        match self.format {
            Some(format) => print(&report, format, &self.out)?,
            None => rewrite(&report, &place)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn rewrite(report: &Rendering, place: &Path) -> Result<()> {
    let folder = if place.is_dir() {
        place
    } else {
        place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    };
    let paths = report
        .write_all(folder)
        .context("the run can still be shown with `--format table`, or written elsewhere with `--out`")?;
    let mut text = report.terminal_tables(Style::of_stdout());
    for path in paths {
        text.push_str(&format!("{}\n", path.display()));
    }
    output::print(&text)
}

fn print(report: &Rendering, format: Format, out: &Path) -> Result<()> {
    let stdout = out == Path::new("-");
    let text = match format {
        Format::Html => report.html()?,
        Format::Md => report.markdown()?,
        Format::Csv => report.csv()?,
        Format::Json => report.summary_json()?,
        Format::Table => report.terminal_tables(if stdout { Style::of_stdout() } else { Style::default() }),
    };
    if stdout { output::print(&text) } else { file::write_whole(out, text.as_bytes()) }
}

fn list(runs: &Path) -> Result<()> {
    let found = record::list(runs)?;
    if found.is_empty() {
        eprintln!("no runs in {}; `cargo xtask bench --quick` makes one", runs.display());
        return Ok(());
    }
    let mut text = String::new();
    for run in found {
        let line = match Record::read(&run.folder) {
            Ok(record) => {
                let status = match record.status {
                    Status::Complete => "complete",
                    Status::Running => "running or killed",
                    Status::Partial { .. } => "partial",
                };
                let cases = record.cases.len();
                format!("{}  {}, {cases} cases, {} rounds, {status}", run.id, record.suite, record.plan.rounds)
            }
            Err(error) => format!("{}  cannot be read: {}", run.id, error.root_cause()),
        };
        text.push_str(&output::plain(&line));
        text.push('\n');
    }
    output::print(&text)
}

/// The folder or file of the run that is meant.
fn find(name: &str, runs: &Path) -> Result<PathBuf> {
    let path = Path::new(name);
    if path.exists() && (path.is_file() || path.join(record::FILE).is_file()) {
        return Ok(path.to_path_buf());
    }
    let found = record::list(runs)?;
    if name == "latest" && found.is_empty() {
        bail!("no runs in {}; `cargo xtask bench --quick` makes one", runs.display());
    }
    let ids: Vec<&str> = found.iter().map(|run| run.id.as_str()).collect();
    let id = name::meant("run", name, &ids)
        .with_context(|| format!("runs are in {}, `--list` shows them all", runs.display()))?;
    Ok(runs.join(id))
}
